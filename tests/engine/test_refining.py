"""The `refine` and `import` jobs: progress, cancel, answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.cli.catalogue import import_lines
from stylus_ext.cli.refine import refine_lines
from stylus_ext.core.errors import EngineRefusal
from stylus_ext.environment.engine_link import EngineLink
from tests import engine_process
from tests.chat_service.server import ChatService
from tests.embedding_server import EmbeddingServer
from tests.engine_process import engine_in_thread, finished
from tests.published import adapter, publish
from tests.refining import model, titles


@pytest.fixture
def seer() -> Iterator[ChatService]:
    with model(first_s=0.05) as service:
        yield service


@pytest.fixture
def link(
    seer: ChatService, vectors: EmbeddingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[EngineLink]:
    settings = engine_process.endpoint_settings(vectors.url) | {
        "chat": {"chat_url": seer.url, "chat_model": "seer-1"}
    }
    monkeypatch.setattr(engine_process, "endpoint_settings", lambda url: settings)
    with engine_in_thread(tmp_path / "data", vectors.url) as link:
        finished(link)
        yield link


def job(link: EngineLink, name: str, **payload: Any) -> dict[str, Any]:
    return finished(link, link.call("POST", f"/v1/jobs/{name}", payload)["id"])


def test_refining_can_be_cancelled_and_resumed(link: EngineLink, seer: ChatService) -> None:
    started = link.call("POST", "/v1/jobs/refine", {"at_once": 2, "pictures": 0})
    until = time.monotonic() + 60
    while (
        (reported := link.call("GET", f"/v1/jobs/{started['id']}"))["done"] < 8
        and reported["state"] == "running"
        and time.monotonic() < until
    ):
        time.sleep(0.02)
    assert (reported["step"], reported["total"]) == ("refining", 219)
    assert reported["eta_s"] is not None
    link.call("POST", f"/v1/jobs/{started['id']}/cancel", {})
    assert finished(link, started["id"])["state"] == "cancelled"
    requested = len(titles(seer))
    assert requested < 219
    done = job(link, "refine", at_once=8, pictures=0, most=5)["result"]
    assert (done["wanted"], done["refined"]) == (5, 5)
    assert done["known"] >= 8
    assert done["vectors"] >= 5
    lines = "\n".join(refine_lines(done))
    assert "5 of 5" in lines
    assert "described before" in lines


def test_an_estimate_sends_no_request(link: EngineLink, seer: ChatService) -> None:
    answer = job(link, "refine", dry_run=True, most=10)["result"]
    assert (answer["wanted"], answer["refined"], titles(seer)) == (10, 0, [])
    assert answer["estimate"]["tokens_in"] > 1000
    assert "10 adapters would be refined, for " in "\n".join(refine_lines(answer))


@pytest.mark.parametrize(
    "payload",
    [
        {"at_once": 0},
        {"at_once": 1000},
        {"dollars": -1},
        {"pictures": 99},
        {"per_minute": -1},
        {"other": 1},
    ],
)
def test_a_wrong_request_names_its_field(link: EngineLink, payload: dict[str, Any]) -> None:
    with pytest.raises(EngineRefusal, match=f"'{next(iter(payload))}'") as caught:
        job(link, "refine", **payload)
    assert caught.value.code == "invalid"


def test_an_import_is_a_job(link: EngineLink, tmp_path: Path) -> None:
    publish(
        tmp_path / "docs",
        [adapter(1), adapter(2), adapter(3, download_url="")],
        texts={1: "- Ink washes on rice paper.\n- 0.65"},
    )
    done = job(link, "import", format="stylusdocs", folder=str(tmp_path / "docs"))["result"]
    assert (done["kept"], done["described"], done["published"]) == (2, 1, 0)
    assert done["vectors"] >= 4
    assert [note["code"] for note in done["notes"]] == ["vectors_left"]
    assert (
        link.call("POST", "/v1/show", {"key": "civitai:1000001"})["entry"]["text"]
        == "Ink washes on rice paper."
    )
    lines = "\n".join(import_lines(done))
    assert "no Civitai version in its address: 1" in lines
    failed = job(link, "import", format="stylusdocs", folder=str(tmp_path))
    assert (failed["state"], "sd_adapters.pkl" in failed["error"]) == ("failed", True)


def test_only_the_named_adapter_is_refined_again(link: EngineLink, seer: ChatService) -> None:
    keys = [entry["key"] for entry in link.call("POST", "/v1/search", {"limit": 3})["entries"]]
    done = job(link, "refine", keys=[keys[0], keys[0]], pictures=0)["result"]
    assert (done["wanted"], done["refined"], len(titles(seer))) == (1, 1, 1)
    assert link.call("POST", "/v1/show", {"key": keys[0]})["entry"]["described_by"] == "chat:seer-1"
    assert job(link, "refine", keys=[keys[0]], pictures=0)["result"]["refined"] == 1
    link.call("POST", "/v1/edit", {"key": keys[1], "text": "Mine."})
    done = job(link, "refine", keys=keys[:2], pictures=0)["result"]
    assert (done["wanted"], done["refined"], done["edited"]) == (1, 1, 1)
    assert link.call("POST", "/v1/show", {"key": keys[1]})["entry"]["text"] == "Mine."
    assert job(link, "refine", keys=[], pictures=0)["result"]["wanted"] == 0
    failed = job(link, "refine", keys=["civitai:404404"])
    assert (failed["state"], "no adapter 'civitai:404404'" in failed["error"]) == ("failed", True)
