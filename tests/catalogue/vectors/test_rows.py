"""The matrix file: appended, replaced, dropped, compacted, and whole again after whatever cut
it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylus_ext.catalogue.vectors import matrix as rows_module
from stylus_ext.catalogue.vectors.matrix import Row, Rows
from stylus_ext.core.ports import Matrix
from tests.vectors import WIDE, unit


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


def test_what_was_appended_is_there_after_opening(tmp_path: Path) -> None:
    first = Rows(tmp_path, "card", WIDE)
    assert not first.found
    put(first, 1, 2)
    put(first, 3)
    first.append([row(2, "changed")], unit("changed"))
    first.drop(["civitai:1", "civitai:1", "civitai:77"])
    second = Rows(tmp_path, "card", WIDE)
    assert second.found
    assert held(first) == held(second) == {"civitai:2": "changed", "civitai:3": "print-3"}
    assert len(second) == 2
    assert second.held(["civitai:3", "civitai:4"]) == ["civitai:3"]


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


def test_a_batch_without_its_line_never_was(tmp_path: Path) -> None:
    rows = Rows(tmp_path, "card", WIDE)
    put(rows, 1)
    log, vectors = tmp_path / "card.1.rows", tmp_path / "card.1.vectors"
    whole = log.stat().st_size
    put(rows, 2, 3)
    full = log.read_bytes()
    for cut in range(whole, len(full)):
        log.write_bytes(full[:cut])
        opened = Rows(tmp_path, "card", WIDE)
        assert opened.found
        assert held(opened) == {"civitai:1": "print-1"}
    put(opened, 4)
    assert held(Rows(tmp_path, "card", WIDE)) == {"civitai:1": "print-1", "civitai:4": "print-4"}
    assert vectors.stat().st_size >= 2 * WIDE * 4


def test_a_flipped_byte_in_the_log_ends_it_there(tmp_path: Path) -> None:
    rows = Rows(tmp_path, "card", WIDE)
    for number in (1, 2, 3):
        put(rows, number)
    log = tmp_path / "card.1.rows"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(lines[0] + lines[1].replace(b"print-2", b"print-9") + lines[2])
    assert held(Rows(tmp_path, "card", WIDE)) == {"civitai:1": "print-1"}


@pytest.mark.parametrize(
    "harm", ["vectors cut", "vectors gone", "log gone", "pointer cut", "pointer of another kind"]
)
def test_what_cannot_be_used_is_made_anew(tmp_path: Path, harm: str) -> None:
    put(Rows(tmp_path, "card", WIDE), 1, 2)
    if harm == "vectors cut":
        (tmp_path / "card.1.vectors").write_bytes(b"12")
    elif harm.endswith("gone"):
        (tmp_path / f"card.1.{'vectors' if 'vectors' in harm else 'rows'}").unlink()
    else:
        (tmp_path / "card.json").write_text('{"gen' if "cut" in harm else '["generation"]')
    opened = Rows(tmp_path, "card", WIDE)
    assert not opened.found
    assert len(opened) == 0
    put(opened, 5)
    assert held(Rows(tmp_path, "card", WIDE)) == {"civitai:5": "print-5"}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "card.2.rows",
        "card.2.vectors",
        "card.json",
    ]


def test_compaction_keeps_what_lives_and_what_is_being_read(tmp_path: Path) -> None:
    rows = Rows(tmp_path, "card", WIDE)
    put(rows, *range(20, 0, -1))
    rows.drop([f"civitai:{number}" for number in range(1, 16)])
    before = rows.snapshot()
    copied = before.vectors.copy()
    rows.compact()
    assert (
        held(rows)
        == held(Rows(tmp_path, "card", WIDE))
        == {f"civitai:{n}": f"print-{n}" for n in range(16, 21)}
    )
    assert len(rows.snapshot().vectors) == 5
    assert np.array_equal(before.vectors, copied)
    assert (tmp_path / "card.2.vectors").stat().st_size == 5 * WIDE * 4
    assert not (tmp_path / "card.1.vectors").exists()


def test_compaction_killed_before_the_pointer_turned_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = Rows(tmp_path, "card", WIDE)
    put(rows, 1, 2, 3)
    rows.drop(["civitai:2"])

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(rows_module, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            rows.compact()
    assert (tmp_path / "card.2.vectors").exists()
    assert held(rows) == {"civitai:1": "print-1", "civitai:3": "print-3"}
    put(rows, 4)
    assert set(held(Rows(tmp_path, "card", WIDE))) == {"civitai:1", "civitai:3", "civitai:4"}
    assert not (tmp_path / "card.2.vectors").exists()


def test_many_replacements_compact_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_module, "_FEW", 5)
    rows = Rows(tmp_path, "card", WIDE)
    for _ in range(10):
        put(rows, 1, 2, 3)
    assert len(rows.snapshot().vectors) <= 9
    assert set(held(rows)) == {"civitai:1", "civitai:2", "civitai:3"}


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "drop", "compact", "open"]),
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
        elif what == "compact":
            rows.compact()
        else:
            rows = Rows(folder, "title", WIDE)
        assert held(rows) == wanted
        assert int(rows.snapshot().alive.sum()) == len(wanted)
