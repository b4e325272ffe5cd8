"""The budgets of the store, over fewer entries than a real catalogue may have and in time of the
processor.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from stylus_ext.catalogue.store.sqlite import SqliteStore
from tests.catalogue.store.speed import measure


@pytest.mark.long
def test_reading_and_searching_keep_to_their_budgets(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    try:
        timings = dict(measure(store, 20_000))
    finally:
        store.close()
    assert timings["read 400, warm"].processor_p95 <= 60
    for what, timing in timings.items():
        if what.startswith(("search", "list")):
            assert timing.processor_p95 <= 150, what
