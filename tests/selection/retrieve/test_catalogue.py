from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylus_ext.core.card import AdapterKey
from stylus_ext.selection.lexical import catalogue as module
from stylus_ext.selection.lexical import segment
from stylus_ext.selection.lexical.catalogue import LexicalCatalogue
from stylus_ext.selection.lexical.index import LexicalIndex
from tests.fakes import make_entry
from tests.selection.retrieve.house import House, filling


def scores(index: LexicalIndex, *words: str) -> dict[str, float]:
    asked = index.weigh(words)
    values = np.where(index.alive, index.card_scores(asked), 0)
    return {index.key(int(row)): round(float(values[row]), 3) for row in np.flatnonzero(values)}


def is_mapped(array: Any) -> bool:
    """Whether an array is a view of a memory-mapped file."""
    while array is not None and not isinstance(array, np.memmap):
        array = array.base
    return array is not None


def folders(house: House) -> list[str]:
    return sorted(path.name for path in (house.folder / "lexical").iterdir())


def lexical(house: House) -> LexicalCatalogue:
    return LexicalCatalogue(house.store, house.folder / "lexical")


def test_built_once_and_mapped_after(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    first = lexical(house).current()
    assert len(folders(house)) == 1
    monkeypatch.setattr(module, "build", lambda _: pytest.fail("tokenised again"))
    again = lexical(house).current()
    assert scores(again, "teapot", "copper") == scores(first, "teapot", "copper") != {}
    for part in ("data", "indices"):
        assert is_mapped(getattr(again.segments[0].card, part))


def test_only_what_changed_is_read_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = lexical(house)
    kept.current()
    read: list[int] = []

    def watched(entries: object) -> object:
        listed = list(entries)  # type: ignore[call-overload]
        read.append(len(listed))
        return segment.build(listed)

    monkeypatch.setattr(module, "build", watched)
    house.add(
        [make_entry(3, "Silver Ship", "Draws ships of silver."), make_entry(500, "Glass Heron")]
    )
    index = kept.current()
    assert read == [2]
    assert "civitai:3" not in scores(index, "copper")
    assert set(scores(index, "silver", "heron")) == {"civitai:3", "civitai:500"}
    kept.current()
    assert read == [2]


def test_a_new_process_catches_up_from_the_saved_index(house: House) -> None:
    lexical(house).current()
    house.add([make_entry(500, "Glass Heron")])
    house.store.remove([AdapterKey.civitai(4)])
    index = lexical(house).current()
    assert "civitai:500" in scores(index, "heron")
    assert "civitai:4" not in scores(index, "teapot")
    assert len(folders(house)) == 1


def test_many_changes_make_it_anew(house: House) -> None:
    kept = lexical(house)
    kept.current()
    before = folders(house)
    house.add(filling(400, start=5000))
    index = kept.current()
    assert len(index.rows) == 131 + 400
    assert len(index.segments) == 1
    assert folders(house) != before
    assert len(folders(house)) == 1


def test_many_small_changes_stay_few_segments(house: House) -> None:
    kept = lexical(house)
    for number in range(2 * module.MAX_SEGMENTS):
        house.add([make_entry(700 + number, f"Glass Heron {number}")])
        index = kept.current()
        assert len(index.segments) <= module.MAX_SEGMENTS
    assert len(scores(index, "heron")) == 2 * module.MAX_SEGMENTS


def test_deltas_score_as_if_made_in_one(house: House) -> None:
    kept = lexical(house)
    kept.current()
    house.add([make_entry(500, "Copper Kettle", "Draws kettles.")])
    small = kept.current()
    whole = LexicalIndex.of(
        [segment.build(change.entry for change in house.store.changes(0) if change.entry)]
    )
    assert small.weigh(["copper"]).idf == pytest.approx(whole.weigh(["copper"]).idf)


@pytest.mark.parametrize("harm", ["cut", "gone", "text", "empty"])
def test_a_damaged_index_is_made_anew(house: House, harm: str) -> None:
    lexical(house).current()
    folder = next((house.folder / "lexical").iterdir())
    if harm == "cut":
        (folder / "card.indices.npy").write_bytes((folder / "card.indices.npy").read_bytes()[:100])
    elif harm == "gone":
        (folder / "phrases.indptr.npy").unlink()
    elif harm == "text":
        (folder / "segment.json").write_text("{", encoding="ascii")
    else:
        np.save(folder / "frequency.npy", np.zeros(0, np.int32))
    assert "civitai:3" in scores(lexical(house).current(), "copper")


def test_another_store_does_not_get_this_index(house: House, tmp_path: Path) -> None:
    from tests.selection.retrieve.house import open_house

    lexical(house).current()
    other = open_house(tmp_path / "other", [make_entry(1, "Glass Heron")])
    index = LexicalCatalogue(other.store, house.folder / "lexical").current()
    assert scores(index, "heron")
    assert not scores(index, "copper")
    other.store.close()


def test_a_folder_that_cannot_be_written_is_no_obstacle(house: House, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder", encoding="ascii")
    assert "civitai:3" in scores(LexicalCatalogue(house.store, blocked).current(), "copper")


WRITER = """
import sys
from pathlib import Path
from typing import Any
from stylus_ext.selection.lexical.segment import build
from stylus_ext.selection.lexical.segment import save
from tests.selection.retrieve.house import filling
segment = build(filling(300))
print("ready", flush=True)
while True:
    save(segment, Path(sys.argv[1]) / "lexical-1-abc-1")
"""


def test_a_killed_writer_leaves_a_whole_index_or_none(tmp_path: Path) -> None:
    from stylus_ext.selection.lexical.segment import load

    root = Path(__file__).resolve().parents[3]
    for attempt in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], cwd=root, stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            time.sleep(0.003 + 0.011 * attempt)
            os.kill(child.pid, signal.SIGKILL)
        folder = tmp_path / "lexical-1-abc-1"
        if folder.exists():
            found = load(folder)
            assert found is not None
            assert len(found.keys) == 300
