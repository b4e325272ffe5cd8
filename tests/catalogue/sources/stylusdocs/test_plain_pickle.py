"""Lists of records are read from a pickle; everything else is refused and never executed."""

from __future__ import annotations

import importlib
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.sources import plain_pickle
from stylus_ext.catalogue.sources.plain_pickle import NotPlain, records
from stylus_ext.core.errors import InvalidInput
from tests.published import NEW, OLD, AdapterInfo, adapter, pickled

PROTO = b"\x80\x04"
FIRED: list[str] = []


def fire(*_: object) -> None:
    FIRED.append("executed")


class Evil:
    """Whoever loads it calls `what`."""

    def __init__(self, what: Callable[..., object], *arguments: object) -> None:
        self.what, self.arguments = what, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.what, self.arguments


def read(tmp_path: Path, data: bytes) -> list[dict[str, Any]]:
    path = tmp_path / "sd_adapters.pkl"
    path.write_bytes(data)
    return list(records(path))


def refused(tmp_path: Path, data: bytes) -> str:
    FIRED.clear()
    with pytest.raises(NotPlain) as caught:
        read(tmp_path, data)
    assert not FIRED
    assert str(caught.value).startswith("sd_adapters.pkl")
    return str(caught.value)


def text(said: str) -> bytes:
    raw = said.encode()
    return b"\x8c" + bytes([len(raw)]) + raw


def record(*state: bytes, module: str = NEW, name: str = "AdapterInfo") -> bytes:
    """The steps that leave one record on the stack."""
    return text(module) + text(name) + b"\x93)\x81}(" + b"".join(state) + b"ub"


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("module", [NEW, OLD])
def test_records_come_out_as_they_were(tmp_path: Path, protocol: int, module: str) -> None:
    adapters = [
        adapter(1),
        adapter(2, title="Zürich 灯笼 🏮", llm_description="x" * 70_000, weight=0.5),
        adapter(3, tags=[], stats={}),
    ]
    assert read(tmp_path, pickled(adapters, module, protocol)) == [asdict(one) for one in adapters]


def test_more_than_one_batch_of_a_list(tmp_path: Path) -> None:
    adapters = [adapter(number) for number in range(2500)]
    assert [one["adapter_id"] for one in read(tmp_path, pickled(adapters))] == list(range(2500))


def test_texts_may_be_shared_between_records_and_lists_within_one(tmp_path: Path) -> None:
    shared, both = "the same long description " * 20, ["a", "b"]
    adapters = [
        adapter(1, description=shared, tags=both, trigger_words=both),
        adapter(2, description=shared),
    ]
    found = read(tmp_path, pickled(adapters))
    assert [one["description"] for one in found] == [shared, shared]
    assert found[0]["tags"] == found[0]["trigger_words"] == both


@pytest.mark.parametrize("protocol", [2, 4])
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "title": st.text(),
                "description": st.none() | st.text(max_size=300),
                "adapter_id": st.integers(),
                "weight": st.floats(allow_nan=False),
                "tags": st.lists(st.text(max_size=5), max_size=4),
                "stats": st.dictionaries(st.text(max_size=5), st.booleans() | st.integers(-1, 300)),
            }
        ),
        max_size=4,
    )
)
def test_records_with_any_plain_values(
    tmp_path_factory: pytest.TempPathFactory, protocol: int, states: list[dict[str, Any]]
) -> None:
    adapters = [adapter(1, **state) for state in states]
    if any(abs(one.adapter_id).bit_length() > 2000 for one in adapters):
        return
    assert read(tmp_path_factory.mktemp("pickle"), pickled(adapters, protocol=protocol)) == [
        asdict(one) for one in adapters
    ]


def test_an_empty_list_holds_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, pickled([])) == []


EVIL: dict[str, object] = {
    "system": Evil(os.system, "true"),
    "eval": Evil(eval, "1"),
    "a function of ours": Evil(fire),
    "in a record": adapter(1, title=Evil(fire)),
    "in a list of a record": adapter(1, tags=["ok", Evil(fire)]),
    "deep": [[[[Evil(fire)]]]],
    "another class": Path("x"),
    "bytes": adapter(1, title=b"raw"),
    "a set": adapter(1, tags={"a"}),
    "a record in a record": adapter(1, stats=adapter(2)),
    "a record in a list of a record": adapter(1, tags=[adapter(2)]),
    "no record": "text",
    "a dictionary": {"title": "x"},
    "a number": 3,
}


@pytest.mark.parametrize("what", EVIL)
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_opcodes_that_call_or_import_are_refused(tmp_path: Path, what: str, protocol: int) -> None:
    refused(tmp_path, pickled([adapter(7), EVIL[what]], protocol=protocol))


@pytest.mark.parametrize("protocol", [0, 1])
def test_old_protocols_are_not_read(tmp_path: Path, protocol: int) -> None:
    assert "protocol" in refused(tmp_path, pickled([adapter(1)], protocol=protocol))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (NEW, "Other"),
        ("stylus.refiner", "AdapterInfo"),
        ("builtins", "AdapterInfo"),
        ("os", "system"),
        (NEW, "AdapterInfo.__init__"),
        (NEW + " ", "AdapterInfo"),
        ("", ""),
    ],
)
def test_only_the_record_classes_are_known(tmp_path: Path, module: str, name: str) -> None:
    assert "names" in refused(tmp_path, PROTO + b"](" + record(module=module, name=name) + b"e.")


STEPS: dict[str, bytes] = {
    "REDUCE": text(NEW) + text("AdapterInfo") + b"\x93)R",
    "INST": b"(i" + NEW.encode() + b"\nAdapterInfo\n",
    "OBJ": b"(" + text(NEW) + text("AdapterInfo") + b"\x93o",
    "GLOBAL os.system": b"cos\nsystem\n",
    "GLOBAL of ours, called": b"c" + NEW.encode() + b"\nAdapterInfo\n" + text("x") + b"\x85R",
    "STACK_GLOBAL of numbers": b"K\x01K\x02\x93",
    "STACK_GLOBAL of lists": b"]]\x93",
    "STACK_GLOBAL of nothing": b"\x93",
    "NEWOBJ of no class": text("x") + b")\x81",
    "NEWOBJ with arguments": text(NEW) + text("AdapterInfo") + b"\x93" + text("x") + b"\x85\x81",
    "NEWOBJ_EX": text(NEW) + text("AdapterInfo") + b"\x93)}\x92",
    "BUILD of a list": b"]}b",
    "BUILD of a class": text(NEW) + text("AdapterInfo") + b"\x93}b",
    "BUILD of a record twice": record() + b"}b",
    "BUILD with slots": text(NEW) + text("AdapterInfo") + b"\x93)\x81}N\x86b",
    "BUILD with a text": text(NEW) + text("AdapterInfo") + b"\x93)\x81" + text("x") + b"b",
    "persistent id": b"Pid\n",
    "binary persistent id": text("id") + b"Q",
    "extension code 1": b"\x82\x01",
    "extension code 2": b"\x83\x01\x00",
    "extension code 4": b"\x84\x01\x00\x00\x00",
    "buffer": b"\x97",
    "frozen set": b"(\x91",
    "byte array": b"\x96" + struct.pack("<Q", 1) + b"x",
    "duplicate": b"]2",
    "pop": b"]0",
    "pop of nothing": b"0",
    "append to nothing": text("x") + b"a",
    "append to a text": text("x") + text("y") + b"a",
    "appends without a mark": b"]e",
    "items without a name": b"}(" + text("x") + b"u",
    "items named by lists": b"}(]]u",
    "items into a list": b"](" + text("x") + b"Nu",
    "recall of nothing": b"h\x05",
    "recall of nothing, long": b"j\xff\xff\xff\xff",
    "remembering far away": b"]r\xff\xff\xff\x7f",
    "a text of huge length": b"X\xff\xff\xff\xffabc",
    "a text of monstrous length": b"\x8d" + b"\xff" * 8 + b"abc",
    "a text of exabytes": b"\x8d" + struct.pack("<Q", 2**62) + b"abc",
    "bytes of monstrous length": b"\x8e" + struct.pack("<Q", 2**62) + b"abc",
    "an integer of huge length": b"\x8b\xff\xff\xff\x7f\x01",
    "an integer of negative length": b"\x8b\xff\xff\xff\xff\x01",
    "a text that is no text": b"\x8c\x02\xff\xfe",
    "a decimal integer": b"I" + b"9" * 5000 + b"\n",
    "a decimal without an end": b"L" + b"9" * 5000,
    "an unknown opcode": b"\xff",
    "an old class": text(NEW) + text("AdapterInfo") + b"\x93)R",
    "another protocol in between": b"\x80\x04",
    "deep nesting": b"](" * 1000,
}


@pytest.mark.parametrize("what", STEPS)
def test_every_other_opcode_is_refused(tmp_path: Path, what: str) -> None:
    refused(tmp_path, PROTO + b"](" + STEPS[what] + b"e.")
    refused(tmp_path, PROTO + b"](" + record(text("title"), text("fine")) + STEPS[what] + b"e.")
    refused(tmp_path, PROTO + b"](" + record(text("title"), STEPS[what]) + b"e.")


def test_a_list_that_holds_itself_is_no_catalogue(tmp_path: Path) -> None:
    refused(tmp_path, PROTO + b"]\x94h\x00a.")


def test_recursion_inside_a_record_ends(tmp_path: Path) -> None:
    (found,) = read(tmp_path, PROTO + b"](" + record(text("tags"), b"]\x94h\x00a") + b"e.")
    assert found["tags"][0] is found["tags"]


def test_lists_are_not_shared_between_records(tmp_path: Path) -> None:
    assert "shares" in refused(
        tmp_path,
        PROTO + b"](" + record(text("tags"), b"]\x94") + record(text("tags"), b"h\x00") + b"e.",
    )


def test_memory_bombs_are_refused_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sharing alone makes billions of a few hundred bytes, where somebody copies: nobody does."""
    layers = b"]\x94" + b"".join(b"](" + bytes([ord("h"), at]) * 9 + b"e\x94" for at in range(60))
    (found,) = read(
        tmp_path,
        PROTO + b"](" + record(text("tags"), layers.replace(b"\x94](", b"\x94](")[:2]) + b"e.",
    )
    assert found == {"tags": []}
    refused(tmp_path, PROTO + b"](" + layers + b"e.")
    monkeypatch.setattr(plain_pickle, "MAX_STEPS", 5_000)
    assert "larger" in refused(tmp_path, PROTO + b"](" + b"}" * 100_000 + b"e.")
    monkeypatch.setattr(plain_pickle, "MAX_BYTES", 10_000)
    assert "larger" in refused(
        tmp_path, PROTO + b"](" + (b"X" + struct.pack("<I", 9000) + b"x" * 9000) * 3 + b"e."
    )


def test_recalling_long_texts_again_and_again_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_pickle, "MAX_BYTES", 50_000)
    long = b"".join(
        b"X" + struct.pack("<I", 9000) + bytes([65 + at]) * 9000 + b"\x94" for at in range(4)
    )
    first = b"".join(record(text("tags"), b"](" + long + b"e") for _ in range(1))
    again = record(
        text("tags"), b"](" + b"".join(b"h" + bytes([at]) for at in range(4)) * 50 + b"e"
    )
    _, found = read(tmp_path, PROTO + b"](" + first + again + b"e.")
    assert len(found["tags"]) == 200
    assert {sum(map(len, set(found["tags"])))} == {36_000}


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    whole = pickled([adapter(1), adapter(2)])
    for end in range(0, len(whole), 7):
        refused(tmp_path, whole[:end])


def test_nothing_may_follow(tmp_path: Path) -> None:
    assert "after its end" in refused(tmp_path, pickled([adapter(1)]) + b"cos\nsystem\n.")


def test_damaged_pickles_never_execute_code(tmp_path: Path) -> None:
    import random

    rng, whole = random.Random(9), pickled([adapter(1), adapter(2)])
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            found = read(tmp_path, bytes(data))
        except NotPlain:
            continue
        assert all(isinstance(one, dict) for one in found)


@given(st.binary(max_size=200))
def test_any_bytes_give_records_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("pickle")
    for whole in (data, PROTO + data, PROTO + b"](" + data + b"e."):
        with suppress(NotPlain):
            assert all(isinstance(one, dict) for one in read(folder, whole))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="."):
        list(records(tmp_path / "none.pkl"))


def test_other_classes_are_not_known() -> None:
    """The tests pickle with the real library; the product does not know it."""
    assert (
        importlib.import_module("pickle")
        .loads(pickled([AdapterInfo(1, "a", "b")], "tests.published"))[0]
        .title
        == "b"
    )
    assert "import pickle\n" not in Path(plain_pickle.__file__).read_text("utf-8")
