from __future__ import annotations

import json
import os
import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stylus_ext.catalogue.sources.local.header import BadLoraFile, read_header
from tests.lora_files import LORAS, NOT_LORAS, safetensors_bytes, write_lora

GOOD = safetensors_bytes(
    {"a.lora_up.weight": (2, 1), "b.lora_down.weight": (1, 3)}, {"ss_output_name": "good"}
)


def framed(header: bytes, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + body


def tensor(**changes: object) -> bytes:
    return json.dumps(
        {"t": {"dtype": "F16", "shape": [1], "data_offsets": [0, 2], **changes}}
    ).encode()


@pytest.mark.parametrize("family", LORAS)
def test_a_good_file(tmp_path: Path, family: str) -> None:
    path = write_lora(
        tmp_path / "x.safetensors", family, {"ss_output_name": "me", "modelspec.title": "Ünicode"}
    )
    header = read_header(path)
    assert header.shapes == dict(LORAS[family])
    assert header.metadata == {"ss_output_name": "me", "modelspec.title": "Ünicode"}
    assert path.stat().st_size > header.start > 8


def test_a_file_without_metadata(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(safetensors_bytes(NOT_LORAS["vae"]))
    assert read_header(path).metadata == {}


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (b"", "file_empty", "is empty"),
        (b"\x01\x02", "file_damaged", "too short"),
        (GOOD[:-1], "file_damaged", "its tensors need"),
        (GOOD + b"\0", "file_damaged", "its tensors need"),
        (GOOD[: len(GOOD) // 2], "file_damaged", "claims"),
        (struct.pack("<Q", 100 * 10**9) + b"{}", "file_damaged", "100,000,000,000 bytes"),
        (struct.pack("<Q", 2**64 - 1) + b"{}", "file_damaged", "claims"),
        (framed(b"[]"), "file_damaged", "not a table"),
        (framed(b"<!DOCTYPE html><html>"), "file_damaged", "not valid JSON"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "file_damaged", "claims"),
        (framed(b'{"a":' * 50_000), "file_damaged", "too deeply"),
        (framed(b'{"a":"' + b"\xff" + b'"}'), "file_damaged", "UTF-8"),
        (framed(json.dumps({"a\0b": {}}).encode()), "file_damaged", "no program writes"),
        (framed(json.dumps({"t": 1}).encode()), "file_damaged", "not a table"),
        (framed(tensor(shape=None)), "file_damaged", "no usable shape"),
        (framed(tensor(shape=[-1])), "file_damaged", "no usable shape"),
        (framed(tensor(shape=[True])), "file_damaged", "no usable shape"),
        (framed(tensor(shape=[1.5])), "file_damaged", "no usable shape"),
        (framed(tensor(data_offsets=[2, 0])), "file_damaged", "no usable shape"),
        (framed(tensor(data_offsets=[0])), "file_damaged", "no usable shape"),
        (framed(tensor(data_offsets=[0, 10**20]), b"12"), "file_damaged", "its tensors need"),
    ],
)
def test_a_bad_file_is_refused_with_a_sentence(
    tmp_path: Path, content: bytes, code: str, says: str
) -> None:
    path = tmp_path / "wrong.safetensors"
    path.write_bytes(content)
    with pytest.raises(BadLoraFile, match=says) as problem:
        read_header(path)
    assert problem.value.code == code
    note = problem.value.note()
    assert note.code == code
    assert "wrong.safetensors" in note.text


def test_metadata_that_the_format_forbids_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(framed(json.dumps({"__metadata__": {"a": 1, "b": "two", "c": None}}).encode()))
    assert read_header(path).metadata == {"b": "two"}
    path.write_bytes(framed(json.dumps({"__metadata__": [1]}).encode()))
    assert read_header(path).metadata == {}


def test_a_header_of_100_gb_allocates_nothing(tmp_path: Path) -> None:
    """Sparse: the file has the size that its header claims, and still nobody reads it."""
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 100 * 2**30))
        file.truncate(101 * 2**30)
    tracemalloc.start()
    with pytest.raises(BadLoraFile):
        read_header(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1_000_000


def test_a_real_header_of_60_mb_full_of_nothing_is_refused_within_bounds(tmp_path: Path) -> None:
    path = tmp_path / "full.safetensors"
    path.write_bytes(framed(b'{"a":[' + b"[]," * 20_000_000 + b"[]]}"))
    tracemalloc.start()
    with pytest.raises(BadLoraFile):
        read_header(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 200_000_000


def test_missing_and_forbidden_files(tmp_path: Path) -> None:
    with pytest.raises(BadLoraFile):
        read_header(tmp_path / "absent.safetensors")
    with pytest.raises(BadLoraFile):
        read_header(tmp_path)
    with pytest.raises(BadLoraFile):
        read_header(Path("a\0b.safetensors"))
    locked = write_lora(tmp_path / "locked.safetensors")
    locked.chmod(0)
    if not os.access(locked, os.R_OK):
        with pytest.raises(BadLoraFile):
            read_header(locked)


@given(st.binary(max_size=200) | st.binary(max_size=200).map(framed))
@example(framed(b'{"__metadata__":{"a":"\\ud800"}}'))
def test_random_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    _read_or_refuse(tmp_path_factory.getbasetemp() / "random.safetensors", content)


@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=6))
def test_a_good_file_with_some_bytes_changed_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, changed: bytes
) -> None:
    content = GOOD[:place] + changed + GOOD[place + len(changed) :]
    _read_or_refuse(tmp_path_factory.getbasetemp() / "changed.safetensors", content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["__metadata__", "shape", "data_offsets", "dtype", "t"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, header: object
) -> None:
    _read_or_refuse(
        tmp_path_factory.getbasetemp() / "json.safetensors", framed(json.dumps(header).encode())
    )


def _read_or_refuse(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        header = read_header(path)
    except BadLoraFile as problem:
        assert path.name in str(problem)  # noqa: PT017
    else:
        assert header.start <= len(content)
