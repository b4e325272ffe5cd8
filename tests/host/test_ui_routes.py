"""The page's routes over real sockets, with a real engine behind them: who is let in, what is
answered, what is not passed on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.host.allowed_hosts import PageTokens
from stylus_ext.host.engine.supervisor import EngineProcess
from stylus_ext.host.guard import PAGE_HEADER
from stylus_ext.host.web.api import Service
from tests.embedding_server import EmbeddingServer
from tests.engine_process import PATIENCE_S, finished, make_folder
from tests.host.door import WebUI, webui
from tests.host.engines import HereSetup, engine, never

pytest.importorskip(
    "starlette", reason="the routes are the WebUI's: its starlette is not in this environment"
)
pytestmark = pytest.mark.usefixtures("stage")  # what the page may ask for reads the host


@pytest.fixture(scope="module")
def process(
    vectors: EmbeddingServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineProcess]:
    with engine(make_folder(tmp_path_factory.mktemp("ui") / "data", vectors.url)) as process:
        assert process.wait_ready(PATIENCE_S, never)
        assert finished(process.link())["state"] == "done"
        yield process


@pytest.fixture(scope="module")
def door(process: EngineProcess) -> Iterator[WebUI]:
    with webui(Service(lambda: process)) as door:
        yield door


def test_the_status_without_starting_anything(tmp_path: Path) -> None:
    asleep = EngineProcess(tmp_path / "data", setup=HereSetup(there=False))
    with webui(Service(lambda: asleep)) as door:
        said = door.ask("POST", "/ui/status", {})
        assert said.status == 200
        assert said.json["engine"]["state"] == "not_set_up"
        assert asleep.report().pid == 0


def test_the_status_of_an_engine_that_runs(door: WebUI) -> None:
    said = door.ask("POST", "/ui/status", {})
    assert said.json["engine_status"]["catalogue"]["entries"] > 0


@pytest.mark.parametrize(
    ("path", "payload", "status"),
    [
        ("/ui/shutdown", {}, 404),
        ("/ui/status%2f..%2fplan", {}, 404),
        ("/ui/", {}, 404),
        ("/ui/status", b"no json", 400),
        ("/ui/status", b"[1]", 400),
        ("/ui/status", b"x" * (2 * 1024 * 1024 + 1), 413),
    ],
)
def test_what_is_not_to_be_asked(door: WebUI, path: str, payload: Any, status: int) -> None:
    said = door.ask("POST", path, payload)
    assert said.status == status or said.text == "the page"


def test_a_page_is_never_asked_for_a_password_in_a_window(process: EngineProcess) -> None:
    pages = PageTokens()
    with webui(Service(lambda: process), pages=pages, api_auth="anna:secret") as door:
        refused = door.ask("POST", "/ui/status", {})
        assert refused.status == 401
        assert "www-authenticate" not in refused.headers
        assert door.ask("POST", "/ui/status", {}, **{PAGE_HEADER: pages.issue()}).status == 200
        assert door.ask("GET", "/status").headers["www-authenticate"] == "Basic"


def test_the_guard_stands_before_it(door: WebUI, process: EngineProcess) -> None:
    assert door.ask("POST", "/ui/status", {}, origin="http://evil.example").status == 403
    assert door.ask("POST", "/ui/status", {}, host="evil.example").status == 403
