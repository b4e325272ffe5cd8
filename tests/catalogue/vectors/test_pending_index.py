"""The index of an encoder that never answered is empty; as soon as it has, it is the real one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stylus_ext.catalogue.vectors import ChromaIndex, LateIndex, remembered_dimensions
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.ports import VectorItem

FOX = AdapterKey.civitai(1)


def test_empty_until_the_length_is_known_then_the_real_one(tmp_path: Path) -> None:
    length = [0]
    late = LateIndex(lambda: length[0], lambda: ChromaIndex(tmp_path, "bag", length[0]))
    zeros = np.zeros((2, 1), dtype=np.float32)
    assert late.search("card", zeros, 5) == [[], []]
    assert late.cosines("card", zeros, [FOX]).tolist() == [[0.0], [0.0]]
    assert late.fingerprints("card") == {}
    late.set_mark("x")
    late.remove([FOX])
    late.write([], zeros[:0])
    assert (late.mark, late.notes) == ("", ())
    assert list(tmp_path.iterdir()) == []
    length[0] = 2
    late.write([VectorItem(FOX, "card", "sd1", "print")], np.array([[1.0, 0.0]], dtype=np.float32))
    assert late.search("card", np.array([[1.0, 0.0]], dtype=np.float32), 5)[0][0].key == FOX
    assert late.fingerprints("card") == {FOX: "print"}
    late.set_mark("x")
    late.close()
    assert remembered_dimensions(tmp_path, "bag") == 2
    again = ChromaIndex(tmp_path, "bag", 2)
    assert (again.mark, again.fingerprints("card")) == ("x", {FOX: "print"})
    again.close()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"embedder": "bag", "dimensions": "384"}',
        '{"embedder": "bag", "dimensions": 0}',
    ],
)
def test_what_makes_no_sense_is_not_remembered(tmp_path: Path, text: str) -> None:
    assert remembered_dimensions(tmp_path / "none", "bag") == 0
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "about.json").write_text(text)
    assert remembered_dimensions(tmp_path, "bag") == 0
