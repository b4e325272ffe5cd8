from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stylus_ext.environment.engine_link import EngineLink
from tests.embedding_server import EmbeddingServer
from tests.engine_process import engine_in_thread, finished

TOKEN = "the-token-of-the-tests-0123456789"


@pytest.fixture(scope="package")
def engine(
    vectors: EmbeddingServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineLink]:
    """One engine with the starter catalogue for all tests that only ask."""
    with engine_in_thread(tmp_path_factory.mktemp("engine") / "data", vectors.url, TOKEN) as link:
        assert finished(link)["state"] == "done"
        yield link


@pytest.fixture(scope="package")
def engine_folder(engine: EngineLink) -> Path:
    return Path(engine.call("GET", "/v1/status")["data_folder"])
