"""The fetch job of a real engine: progress in bytes, cancel, resume."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.errors import EngineRefusal
from stylus_ext.environment import engine_address
from stylus_ext.environment.engine_link import EngineLink
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService, serving
from tests.civitai_service.shapes import a_file, a_model, a_version
from tests.embedding_files import EMBEDDINGS
from tests.embedding_server import EmbeddingServer
from tests.engine_process import Cli, endpoint_settings, engine_process, finished
from tests.lora_files import LORAS, safetensors_bytes

STORAGE = r"^/bucket/"


@pytest.fixture
def civitai() -> Iterator[CivitaiService]:
    with serving() as service:
        body = safetensors_bytes(LORAS["sdxl"], seed=11)
        service.add(
            a_model(111, a_version(11, files=[a_file(11, "zebra.safetensors", body)])),
            files={11: body},
        )
        word = safetensors_bytes(EMBEDDINGS["a1111"][0], seed=12)
        embedding = a_version(12, files=[a_file(12, "helper.safetensors", word, type="Negative")])
        service.add(a_model(112, embedding, type="TextualInversion"), files={12: word})
        yield service


@pytest.fixture
def link(
    folder: Path, civitai: CivitaiService, vectors: EmbeddingServer, stylus: Cli
) -> Iterator[EngineLink]:
    settings = endpoint_settings(vectors.url) | {
        "civitai": {"civitai_url": civitai.api, "request_interval": 0.0},
        "downloads": {"download": True},
    }
    (folder / "settings.json").write_text(json.dumps(settings), "utf-8")
    assert stylus("catalogue", "sync").code == 0
    with engine_process(folder):
        message = engine_address.read(folder)
        assert message is not None
        yield EngineLink(message.url, message.token)


def fetch(link: EngineLink, loras: Path) -> str:
    job: dict[str, Any] = link.call(
        "POST", "/v1/jobs/fetch", {"keys": ["civitai:11"], "lora_dirs": [str(loras)]}
    )
    return str(job["id"])


def test_a_fetch_reports_progress_and_resumes_after_a_cancel(
    link: EngineLink, civitai: CivitaiService, tmp_path: Path
) -> None:
    loras, body = tmp_path / "loras", civitai.files[11]
    loras.mkdir()
    civitai.faults.add(Fault(STORAGE, on="storage", stall_at=len(body) // 2))
    job_id, job = fetch(link, loras), dict[str, Any]()
    until = time.monotonic() + 30
    while job.get("done") != len(body) // 2:
        assert time.monotonic() < until, job
        job = link.call("GET", f"/v1/jobs/{job_id}")
        time.sleep(0.02)
    assert (job["step"], job["total"]) == ("Fetching Adapter 111", len(body))
    link.call("POST", f"/v1/jobs/{job_id}/cancel", {})
    assert finished(link, job_id)["state"] == "cancelled"
    assert not list(loras.glob("*.safetensors"))
    ended = finished(link, fetch(link, loras))
    assert ended["state"] == "done", ended
    assert [one["stem"] for one in ended["result"]["fetched"]] == ["zebra"]
    assert (loras / "zebra.safetensors").read_bytes() == body
    assert [seen.headers.get("range") for seen in civitai.seen if seen.on == "storage"] == [
        None,
        f"bytes={len(body) // 2}-",
    ]


def test_an_embedding_comes_into_its_own_folder(
    link: EngineLink, civitai: CivitaiService, tmp_path: Path
) -> None:
    loras, embeddings = tmp_path / "loras", tmp_path / "embeddings"
    loras.mkdir()
    embeddings.mkdir()
    payload: dict[str, Any] = {"keys": ["civitai:12"], "lora_dirs": [str(loras)]}
    homeless = finished(link, link.call("POST", "/v1/jobs/fetch", payload)["id"])["result"]
    assert [one["code"] for one in homeless["failed"]] == ["no_folder"]
    payload["embedding_dirs"] = [str(embeddings)]
    ended = finished(link, link.call("POST", "/v1/jobs/fetch", payload)["id"])["result"]
    assert [(one["stem"], one["type"]) for one in ended["fetched"]] == [("helper", "embedding")]
    assert (embeddings / "helper.safetensors").read_bytes() == civitai.files[12]
    assert not list(loras.iterdir())
    entry = link.call("POST", "/v1/show", {"key": "civitai:12"})["entry"]
    assert (entry["type"], entry["negative"], entry["stem"]) == ("embedding", True, "helper")


def test_a_fetch_runs_beside_a_sync(
    link: EngineLink, civitai: CivitaiService, tmp_path: Path
) -> None:
    (tmp_path / "loras").mkdir()
    civitai.faults.add(Fault(r"/api/v1/models$", stall_at=0))
    crawl = link.call("POST", "/v1/jobs/sync", {"afresh": True})["id"]
    assert finished(link, fetch(link, tmp_path / "loras"))["state"] == "done"
    assert link.call("GET", f"/v1/jobs/{crawl}")["state"] != "done"
    link.call("POST", f"/v1/jobs/{crawl}/cancel", {})


def test_a_plan_cannot_switch_downloads_on(link: EngineLink) -> None:
    assert link.call("GET", "/v1/status")["capabilities"]["downloads"] is True
    with pytest.raises(EngineRefusal, match="'downloads'"):
        link.call(
            "POST", "/v1/plan", {"prompt": "x", "settings": {"downloads": {"largest_mb": 99_999}}}
        )
