"""The REST routes on the fastapi that the WebUI brings, over real sockets, with a real engine
behind them.
"""

from __future__ import annotations

import base64
import json
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stylus_ext import __version__
from stylus_ext.core.errors import InvalidInput
from stylus_ext.host.engine.supervisor import EngineProcess
from stylus_ext.host.guard import Guard
from stylus_ext.host.web.api import Service, register
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
    with engine(make_folder(tmp_path_factory.mktemp("api") / "data", vectors.url)) as process:
        assert process.wait_ready(PATIENCE_S, never)
        assert finished(process.link())["state"] == "done"
        yield process


@pytest.fixture(scope="module")
def door(process: EngineProcess) -> Iterator[WebUI]:
    with webui(Service(lambda: process)) as door:
        yield door


@pytest.fixture
def asleep(tmp_path: Path) -> EngineProcess:
    return EngineProcess(tmp_path / "data", setup=HereSetup(there=False))


def test_a_plan_a_status_and_a_version(door: WebUI, process: EngineProcess) -> None:
    plan = door.ask("POST", "/plan", {"prompt": "a graffiti of a corgi, pixel art", "seed": 3})
    assert plan.status == 200
    assert plan.json["plan"]["prompt"] == "a graffiti of a corgi, pixel art"
    status = door.ask("GET", "/status").json
    assert status["version"] == __version__
    assert status["engine"]["state"] == "ready"
    assert status["engine"]["pid"] == process.report().pid
    assert status["engine"]["url"] == process.report().url
    assert status["catalogue"]["entries"] > 0
    assert status["capabilities"]["downloads"] is False
    assert door.ask("GET", "/version").json == {"version": __version__}


def test_the_engines_token_is_never_shown(door: WebUI, process: EngineProcess) -> None:
    token = json.loads((process.data_dir / "engine.json").read_text("utf-8"))["token"]
    for answer in (
        door.ask("GET", "/status"),
        door.ask("GET", "/version"),
        door.ask("POST", "/plan", {"prompt": "x", "what": 1}),
    ):
        assert token not in answer.text
        assert token not in repr(answer.headers)


def test_status_starts_nothing_and_says_what_is_missing(asleep: EngineProcess) -> None:
    with webui(Service(lambda: asleep)) as door:
        status = door.ask("GET", "/status").json
        assert status["engine"]["state"] == "not_set_up"
        assert status["engine"]["pid"] == 0
        assert status["catalogue"] is None
        plan = door.ask("POST", "/plan", {"prompt": "x"})
        assert (plan.status, plan.json["error"]["code"]) == (503, "unavailable")
        assert "not set up" in plan.json["error"]["message"]


def test_a_shared_engine_that_is_away_is_a_note(tmp_path: Path) -> None:
    with webui(
        Service(lambda: EngineProcess(tmp_path, url="http://127.0.0.1:9", token="t" * 20))
    ) as door:
        status = door.ask("GET", "/status").json
    assert status["engine"]["state"] == "remote"
    assert "cannot be reached" in status["notes"][0]["text"]


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"{", "not JSON"),
        (b"[1]", "JSON object"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff", "not JSON"),
        ({"promt": "x"}, "promt"),
        ({"prompt": "x", "lora_dirs": ["/"]}, "leave it out"),
        ({"prompt": 3}, "must be text"),
    ],
)
def test_a_wrong_request_is_a_sentence(door: WebUI, payload: object, said: str) -> None:
    answer = door.ask("POST", "/plan", payload)
    assert (answer.status, answer.json["error"]["code"]) == (400, "invalid")
    assert said in answer.json["error"]["message"]


def test_a_request_without_end_is_cut(door: WebUI) -> None:
    assert door.ask("POST", "/plan", b'"' + b"x" * (2 * 1024 * 1024)).status == 413


def test_what_the_host_adds_reaches_the_engine(process: EngineProcess) -> None:
    def prepare(payload: dict[str, Any]) -> dict[str, Any]:
        if payload["prompt"] == "no":
            raise InvalidInput("Not today.")
        return {**payload, "settings": {"selection": {"max_adapters": 0}}}

    with webui(Service(lambda: process, prepare)) as door:
        answer = door.ask("POST", "/plan", {"prompt": "a corgi, pixel art"})
        assert answer.json["plan"]["prompts"] == ["a corgi, pixel art"]
        assert door.ask("POST", "/plan", {"prompt": "no"}).json["error"]["message"] == "Not today."


def test_a_plan_has_its_deadline(process: EngineProcess) -> None:
    with webui(Service(lambda: process, deadline_s=lambda: 0.0)) as door:
        answer = door.ask("POST", "/plan", {"prompt": "a corgi"})
    assert answer.status == 504 or answer.json["plan"]["notes"]


def test_strangers_are_kept_out(door: WebUI) -> None:
    for headers in (
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
    ):
        answer = door.ask("POST", "/plan", {"prompt": "x"}, **headers)
        assert answer.status == 403
        assert answer.json["error"]["code"] == "refused"
    assert door.ask("GET", "/status", None, Host="evil.example").status == 403
    assert (
        door.ask("POST", "/plan", {"prompt": "x"}, Origin=f"http://127.0.0.1:{door.port}").status
        == 200
    )


@pytest.mark.parametrize("flags", [{"api_auth": "ann:secret"}, {"gradio_auth": "ann:secret"}])
def test_the_webuis_passwords_are_asked_for(
    process: EngineProcess, flags: dict[str, object]
) -> None:
    right = "Basic " + base64.b64encode(b"ann:secret").decode()
    with webui(Service(lambda: process), **flags) as door:
        for path in ("/status", "/version"):
            refused = door.ask("GET", path)
            assert refused.status == 401
            assert refused.headers["www-authenticate"] == "Basic"
            assert door.ask("GET", path, None, Authorization=right).status == 200
        assert door.ask("POST", "/plan", {"prompt": "x"}).status == 401
        assert door.ask("POST", "/plan", {"prompt": "x"}, Authorization=right).status == 200


def test_gradios_login_opens(process: EngineProcess) -> None:
    with webui(Service(lambda: process), gradio_auth="ann:secret") as door:
        door.app.tokens = {"abc": "ann"}
        assert door.ask("GET", "/status", None, Cookie="access-token=abc").status == 200
        assert door.ask("GET", "/status", None, Cookie="access-token=other").status == 401


def test_an_open_webui_plans_but_spends_nothing(process: EngineProcess) -> None:
    costly = {"prompt": "x", "settings": {"selection": {"composer": "chat"}}}
    with webui(Service(lambda: process), listen=True) as door:
        assert door.ask("POST", "/plan", {"prompt": "x"}).status == 200
        answer = door.ask("POST", "/plan", costly)
        assert answer.status == 403
        assert "spends money" in answer.json["error"]["message"]
    with webui(
        Service(lambda: process), listen=True, enable_insecure_extension_access=True
    ) as door:
        answer = door.ask("POST", "/plan", costly)
        assert "chat_failed" in {note["code"] for note in answer.json["plan"]["notes"]}, (
            "the engine has no such composer"
        )


def test_a_reload_of_the_ui_leaves_one_of_each(
    process: EngineProcess, asleep: EngineProcess
) -> None:
    with webui(Service(lambda: process)) as door:
        before = len(door.app.router.routes)
        for _ in range(3):
            register(door.app, Service(lambda: asleep), Guard(Namespace()))
        assert len(door.app.router.routes) == before
        assert door.ask("GET", "/status").json["engine"]["state"] == "not_set_up", (
            "the latest counts"
        )


def test_other_methods_and_paths_are_the_hosts(door: WebUI) -> None:
    assert door.ask("GET", "/plan").text == "the page"
    assert door.ask("GET", "/nothing").text == "the page"
