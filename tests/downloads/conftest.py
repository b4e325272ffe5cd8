from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.civitai_service.service import serving
from tests.downloads.workbench import Bench, bench_over


@pytest.fixture
def bench(tmp_path: object) -> Iterator[Bench]:
    """A LoRA folder, a data folder, and a downloader over the local Civitai."""
    with serving() as civitai, bench_over(civitai, tmp_path) as made:  # type: ignore[arg-type]
        yield made
