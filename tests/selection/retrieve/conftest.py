from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.selection.retrieve.house import House, catalogue, filling, open_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    opened = open_house(tmp_path / "house", [*catalogue(), *filling(120)])
    yield opened
    opened.store.close()
