"""`sync` and `identify` as the engine's jobs, over HTTP, on both sides."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.errors import EngineRefusal
from stylus_ext.environment.engine_link import EngineLink
from tests import engine_process
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService, serving
from tests.civitai_service.shapes import a_file, a_model, a_version
from tests.embedding_server import EmbeddingServer
from tests.engine_process import engine_in_thread, finished
from tests.lora_files import write_lora

DELAY_S = 600
"""Longer than any wait of these tests."""
"""Of an answer that a cancelled job does not wait for."""


@pytest.fixture
def service() -> Iterator[CivitaiService]:
    with serving() as service:
        yield service


@pytest.fixture
def link(
    service: CivitaiService,
    vectors: EmbeddingServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[EngineLink]:
    settings = engine_process.endpoint_settings(vectors.url) | {
        "civitai": {"civitai_url": service.api, "request_interval": 0.0}
    }
    monkeypatch.setattr(engine_process, "endpoint_settings", lambda url: settings)
    with engine_in_thread(tmp_path / "data", vectors.url) as link:
        finished(link)
        yield link


def job(link: EngineLink, name: str, **payload: Any) -> dict[str, Any]:
    return finished(link, link.call("POST", f"/v1/jobs/{name}", payload)["id"])


def test_sync_is_a_job_with_counts(link: EngineLink, service: CivitaiService) -> None:
    service.add(*(a_model(number) for number in range(1, 131)), a_model(900, poi=True))
    done = job(link, "sync")
    assert done["state"] == "done"
    answer = done["result"]
    assert (answer["models"], answer["kept"], answer["written"], answer["unchanged"]) == (
        131,
        130,
        130,
        0,
    )
    assert answer["skipped"] == {"of a real person": 1}
    assert (
        link.call("POST", "/v1/search", {"text": "Adapter 77"})["entries"][0]["key"]
        == "civitai:1000077"
    )
    again = job(link, "sync")["result"]
    assert (again["incremental"], again["written"]) == (True, 0)


def test_sync_reports_progress_and_can_be_cancelled(
    link: EngineLink, service: CivitaiService
) -> None:
    service.add(*(a_model(number) for number in range(1, 501)))
    service.faults.add(Fault("/models$", after=2, delay_s=DELAY_S, times=-1))
    started = link.call("POST", "/v1/jobs/sync", {"top": 500})
    until = time.monotonic() + 30
    while (reported := link.call("GET", f"/v1/jobs/{started['id']}"))[
        "done"
    ] < 200 and time.monotonic() < until:
        time.sleep(0.05)
    assert (reported["step"], reported["done"], reported["total"]) == ("reading Civitai", 200, 500)
    assert reported["eta_s"] is not None
    link.call("POST", f"/v1/jobs/{started['id']}/cancel", {})
    assert finished(link, started["id"])["state"] == "cancelled"
    service.faults.clear()
    assert job(link, "sync", top=500)["result"]["resumed"]


def test_own_files_are_identified(
    link: EngineLink, service: CivitaiService, tmp_path: Path
) -> None:
    path = write_lora(tmp_path / "loras" / "mine.safetensors", "sd1", seed=5)
    service.add(
        a_model(7, a_version(71, files=[a_file(71, "theirs.safetensors", path.read_bytes())]))
    )
    done = job(link, "identify", lora_dirs=[str(tmp_path / "loras")])["result"]
    assert (done["requested"], done["found"], done["written"], done["hashed"]) == (1, 1, 1, 1)
    assert link.call("POST", "/v1/show", {"key": "mine"})["entry"]["triggers"] == ["word71"]
    assert json.dumps(done)


@pytest.mark.parametrize(
    ("name", "payload", "field"),
    [
        ("sync", {"top": -1}, "'top'"),
        ("sync", {"page": 1}, "'page'"),
        ("identify", {}, "'lora_dirs'"),
        ("sync", {"base_models": [5]}, "'base_models.0.'"),
    ],
)
def test_a_wrong_request_is_refused_at_once(
    link: EngineLink, name: str, payload: dict[str, Any], field: str
) -> None:
    with pytest.raises(EngineRefusal, match=field):
        link.call("POST", f"/v1/jobs/{name}", payload)


def test_a_failure_is_the_error_of_the_job(link: EngineLink, service: CivitaiService) -> None:
    service.faults.add(Fault("/models$", status=403, body="<html>", times=-1))
    failed = job(link, "sync")
    assert failed["state"] == "failed"
    assert "Civitai forbids" in failed["error"]


def test_the_status_says_what_commands_would_send(
    link: EngineLink, service: CivitaiService
) -> None:
    status = link.call("GET", "/v1/status")
    sync, identify = status["leaves_on_request"]
    assert "words" in sync
    assert "SHA256" in identify
    assert all(service.api in sentence and "key" not in sentence for sentence in (sync, identify))
    assert {"sync", "identify"} <= set(status["capabilities"]["operations"])


def test_no_request_is_sent_without_a_command(
    link: EngineLink, service: CivitaiService, tmp_path: Path
) -> None:
    write_lora(tmp_path / "loras" / "mine.safetensors", "sd1", seed=5)
    link.call("POST", "/v1/plan", {"prompt": "a fox"})
    job(link, "index", lora_dirs=[str(tmp_path / "loras")])
    link.call("GET", "/v1/status")
    assert service.seen == []
