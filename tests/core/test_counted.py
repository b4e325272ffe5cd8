from __future__ import annotations

import pytest

from stylus_ext.core.counted import counted


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 files"), (1, "1 file"), (2, "2 files"), (2000, "2,000 files")]
)
def test_one_is_singular(number: int, text: str) -> None:
    assert counted(number, "file") == text


def test_a_plural_of_its_own() -> None:
    assert [counted(number, "file is", "files are") for number in (1, 2)] == [
        "1 file is",
        "2 files are",
    ]
