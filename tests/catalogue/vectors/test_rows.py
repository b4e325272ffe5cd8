"""The cache of one view: appended, replaced, dropped, compacted, saved, and refused if damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylus_ext.catalogue.vectors import matrix as rows_module
from stylus_ext.catalogue.vectors.matrix import Row, Rows
from stylus_ext.core.ports import Matrix
from tests.vectors import WIDE, unit, write_old_cache


def row(number: int, print_: str = "") -> Row:
    return Row(f"civitai:{number}", ("sd1", "sdxl")[number % 2], print_ or f"print-{number}")


def put(rows: Rows, *numbers: int) -> None:
    rows.append(
        [row(number) for number in numbers], unit(*(f"print-{number}" for number in numbers))
    )


def vector_of(rows: Rows, number: int) -> Matrix | None:
    vectors, places = rows.locate([f"civitai:{number}"])
    return None if places[0] < 0 else vectors[places[0]]


def held(rows: Rows) -> dict[str, str]:
    for key, fingerprint in rows.fingerprints().items():
        vectors, places = rows.locate([key])
        assert np.array_equal(vectors[places[0]], unit(fingerprint)[0])
    return rows.fingerprints()


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_saved_rows_are_there_after_opening(tmp_path: Path) -> None:
    first = Rows(tmp_path, "card", WIDE)
    assert first.revision == ""
    put(first, 1, 2)
    put(first, 3)
    first.append([row(2, "changed")], unit("changed"))
    first.drop(["civitai:1", "civitai:1", "civitai:77"])
    assert first.unsaved == 4
    first.save("seven")
    second = Rows(tmp_path, "card", WIDE)
    assert (first.revision, second.revision, second.unsaved) == ("seven", "seven", 0)
    assert held(first) == held(second) == {"civitai:2": "changed", "civitai:3": "print-3"}
    assert len(second) == 2
    assert second.held(["civitai:3", "civitai:4"]) == ["civitai:3"]


def test_a_change_ends_the_revision(tmp_path: Path) -> None:
    rows = Rows(tmp_path, "card", WIDE)
    put(rows, 1, 2)
    rows.save("seven")
    rows.drop(["civitai:77"])
    rows.append([], unit())
    assert rows.revision == "seven"
    rows.drop(["civitai:1"])
    assert rows.revision == ""
    rows.save("eight")
    put(rows, 3)
    assert rows.revision == ""


def test_batches_give_rows_with_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "_CHUNK", 2)
    rows = Rows(tmp_path, "card", WIDE)
    put(rows, 1, 2, 3)
    batches = list(rows.batches(["civitai:3", "civitai:9", "civitai:1", "civitai:2"]))
    assert [[one.key for one in part] for part, _ in batches] == [
        ["civitai:3", "civitai:1"],
        ["civitai:2"],
    ]
    assert batches[0][0][0] == row(3)
    assert np.array_equal(batches[0][1], unit("print-3", "print-1"))


def test_rows_appended_after_the_state_are_free_space(tmp_path: Path) -> None:
    rows = Rows(tmp_path, "card", WIDE)
    put(rows, 1)
    rows.save("seven")
    put(rows, 2, 3)
    opened = Rows(tmp_path, "card", WIDE)
    assert opened.revision == "seven"
    assert held(opened) == {"civitai:1": "print-1"}
    put(opened, 4)
    opened.save("eight")
    assert held(Rows(tmp_path, "card", WIDE)) == {"civitai:1": "print-1", "civitai:4": "print-4"}


@pytest.mark.parametrize(
    "harm", ["vectors cut", "vectors gone", "state gone", "state cut", "state empty", "a byte"]
)
def test_an_unusable_cache_is_made_anew(tmp_path: Path, harm: str) -> None:
    rows = Rows(tmp_path, "card", WIDE)
    put(rows, 1, 2)
    rows.save("seven")
    state, vectors = tmp_path / "card.state", next(tmp_path.glob("card.*.vectors"))
    file = vectors if "vectors" in harm else state
    if "gone" in harm:
        file.unlink()
    elif harm == "a byte":
        damaged(file)
    else:
        file.write_bytes(b"" if "empty" in harm else file.read_bytes()[:-1])
    opened = Rows(tmp_path, "card", WIDE)
    assert opened.revision == ""
    assert len(opened) == 0
    put(opened, 5)
    opened.save("eight")
    assert held(Rows(tmp_path, "card", WIDE)) == {"civitai:5": "print-5"}
    assert len(list(tmp_path.iterdir())) == 2


def test_any_flipped_byte_of_the_state_is_noticed(tmp_path: Path) -> None:
    rows = Rows(tmp_path, "card", WIDE)
    put(rows, 1)
    rows.save("seven")
    saved = {path: path.read_bytes() for path in tmp_path.iterdir()}
    state = tmp_path / "card.state"
    for at, byte in enumerate(saved[state]):
        for path, content in saved.items():
            path.write_bytes(content)
        state.write_bytes(saved[state][:at] + bytes([byte ^ 1]) + saved[state][at + 1 :])
        assert Rows(tmp_path, "card", WIDE).revision == ""


def test_compaction_keeps_what_lives_and_what_is_being_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_module, "_FEW", 5)
    rows = Rows(tmp_path, "card", WIDE)
    put(rows, *range(20, 0, -1))
    rows.drop([f"civitai:{number}" for number in range(1, 16)])
    before = rows.snapshot()
    copied = before.vectors.copy()
    rows.save("seven")
    assert (
        held(rows)
        == held(Rows(tmp_path, "card", WIDE))
        == {f"civitai:{n}": f"print-{n}" for n in range(16, 21)}
    )
    assert len(rows.snapshot().vectors) == 5
    assert np.array_equal(before.vectors, copied)
    assert [file.stat().st_size for file in tmp_path.glob("*.vectors")] == [5 * WIDE * 4]


def test_compaction_killed_before_the_state_is_written_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = Rows(tmp_path, "card", WIDE)
    put(rows, 1, 2, 3)
    rows.save("seven")
    rows.drop(["civitai:2"])

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(rows_module, "_FEW", 0)
        patched.setattr(rows_module, "write_file", killed)
        with pytest.raises(KeyboardInterrupt):
            rows.save("eight")
    assert len(list(tmp_path.glob("*.vectors"))) == 2
    assert held(rows) == {"civitai:1": "print-1", "civitai:3": "print-3"}
    again = Rows(tmp_path, "card", WIDE)
    assert again.revision == "seven"
    assert set(held(again)) == {"civitai:1", "civitai:2", "civitai:3"}
    assert len(list(tmp_path.glob("*.vectors"))) == 1


def test_many_replacements_compact_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_module, "_FEW", 5)
    rows = Rows(tmp_path, "card", WIDE)
    for turn in range(10):
        put(rows, 1, 2, 3)
        rows.save(str(turn))
    assert len(rows.snapshot().vectors) <= 9
    assert set(held(rows)) == {"civitai:1", "civitai:2", "civitai:3"}


def test_a_cache_of_the_old_format_is_taken_over(tmp_path: Path) -> None:
    write_old_cache(
        tmp_path,
        "card",
        {"keys": ["a", "b", "c"], "families": ["sd1"] * 3, "prints": ["1", "2", "3"]},
        {"keys": ["b", "d"], "families": ["flux"] * 2, "prints": ["4", "5"]},
        {"gone": ["a", "b"]},
    )
    with (tmp_path / "card.3.rows").open("ab") as log:
        log.write(b'00000000 {"gone":["c"]}\n')
    opened = Rows(tmp_path, "card", WIDE)
    assert held(opened) == held(Rows(tmp_path, "card", WIDE)) == {"c": "3", "d": "5"}
    assert opened.revision == ""
    assert [part[0] for part, _ in opened.batches(["d"])] == [Row("d", "flux", "5")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["card.3.vectors", "card.state"]
    opened.save("seven")
    assert held(Rows(tmp_path, "card", WIDE)) == {"c": "3", "d": "5"}


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "drop", "save", "open"]),
            st.lists(st.integers(1, 9), max_size=4),
        )
    )
)
def test_it_behaves_like_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, list[int]]]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    rows, wanted = Rows(folder, "title", WIDE), dict[str, str]()
    for count, (what, numbers) in enumerate(steps):
        if what == "put":
            fresh = [row(number, f"{count}-{number}") for number in numbers]
            rows.append(fresh, unit(*(one.fingerprint for one in fresh)))
            wanted.update((one.key, one.fingerprint) for one in fresh)
        elif what == "drop":
            rows.drop([f"civitai:{number}" for number in numbers])
            wanted = {
                key: value for key, value in wanted.items() if int(key.split(":")[1]) not in numbers
            }
        elif what == "save":
            rows.save(str(count))
        else:
            rows.save(str(count))
            rows = Rows(folder, "title", WIDE)
        assert held(rows) == wanted
        assert int(rows.snapshot().alive.sum()) == len(wanted)
