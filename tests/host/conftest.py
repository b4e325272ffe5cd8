from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedding_server import EmbeddingServer, serving
from tests.engine_process import prepared_folder
from tests.host.double.fixtures import stage

__all__ = ["stage"]


@pytest.fixture(scope="package")
def vectors() -> Iterator[EmbeddingServer]:
    with serving() as server:
        yield server


@pytest.fixture(scope="package")
def prepared(vectors: EmbeddingServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared_folder(tmp_path_factory.mktemp("prepared") / "data", vectors.url)


@pytest.fixture
def folder(tmp_path: Path, prepared: Path) -> Path:
    """A data folder of its own, with the starter catalogue in it."""
    return Path(shutil.copytree(prepared, tmp_path / "data"))
