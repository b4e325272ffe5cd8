"""Long work over the WebUI's own routes: real sockets, a real engine, a local Civitai; folders are
the WebUI's, and the guard stands before it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.host.engine.supervisor import EngineProcess
from stylus_ext.host.web.api import Service
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService
from tests.host.door import WebUI, webui
from tests.host.double.fixtures import Stage
from tests.host.downloads import BUCKET, PATIENCE_S, Scene, at, number_of
from tests.lora_files import write_lora

pytest.importorskip(
    "starlette", reason="the routes are the WebUI's: its starlette is not in this environment"
)
pytestmark = pytest.mark.usefixtures("stage")  # what the page may ask for reads the host


@pytest.fixture
def loras(tmp_path: Path) -> Path:
    (tmp_path / "loras").mkdir()
    return tmp_path / "loras"


@pytest.fixture
def door(process: EngineProcess, loras: Path) -> Iterator[WebUI]:
    with webui(Service(lambda: process, folders=lambda: [str(loras)])) as door:
        yield door


def finished(door: WebUI, job: dict[str, Any]) -> dict[str, Any]:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        said = door.ask("GET", f"/jobs/{job['id']}")
        assert said.status == 200, said.text
        if said.json["state"] in ("done", "failed", "cancelled"):
            return said.json
        time.sleep(0.02)
    raise AssertionError(said.json)


def test_a_file_is_fetched_into_the_webuis_folder(
    door: WebUI, civitai: CivitaiService, loras: Path
) -> None:
    dry = finished(door, door.ask("POST", "/fetch", {"keys": ["civitai:11"], "dry_run": True}).json)
    assert [one["why_not"] for one in dry["result"]["would"]] == [""]
    assert not list(loras.iterdir())
    ended = finished(door, door.ask("POST", "/fetch", {"keys": ["civitai:11"]}).json)
    assert ended["state"] == "done", ended
    assert [one["stem"] for one in ended["result"]["fetched"]] == ["zebrastripe"]
    assert (loras / "zebrastripe.safetensors").read_bytes() == civitai.files[11]
    assert ended["id"] in [job["id"] for job in door.ask("GET", "/jobs").json["jobs"]]


def test_a_job_can_be_stopped(door: WebUI, civitai: CivitaiService, loras: Path) -> None:
    number = number_of("quokkaville")
    civitai.faults.add(Fault(BUCKET % number, on="storage", stall_at=1000))
    job = door.ask("POST", "/fetch", {"keys": [f"civitai:{number}"]}).json
    until = time.monotonic() + PATIENCE_S
    while not door.ask("GET", f"/jobs/{job['id']}").json["done"]:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert door.ask("POST", f"/jobs/{job['id']}/cancel").status == 200
    assert finished(door, job)["state"] == "cancelled"
    assert not list(loras.glob("*.safetensors"))


def test_the_catalogue_is_read_and_files_are_named(
    door: WebUI, civitai: CivitaiService, loras: Path
) -> None:
    read = finished(
        door, door.ask("POST", "/catalogue/sync", {"query": "narwhalheim", "afresh": True}).json
    )
    assert read["state"] == "done", read
    write_lora(loras / "nameless.safetensors", seed=99)
    named = finished(door, door.ask("POST", "/catalogue/identify", {}).json)
    assert named["state"] == "done", named
    assert any("/by-hash" in seen.path for seen in civitai.seen)


@pytest.mark.parametrize(
    ("path", "payload", "said"),
    [
        ("/fetch", {"keys": ["civitai:11"], "lora_dirs": ["/tmp"]}, "the WebUI's own to say"),
        ("/catalogue/identify", {"lora_dirs": ["/tmp"]}, "the WebUI's own to say"),
        ("/fetch", {}, "'keys' is missing"),
        ("/catalogue/sync", {"what": 1}, "'what'"),
        ("/jobs/..%2Fshutdown/cancel", {}, ""),
        ("/jobs/nothing/cancel", {}, "no number of a job"),
        ("/jobs/00ff/cancel", {}, "no job '00ff'"),
    ],
)
def test_what_is_wrong_is_refused_with_a_sentence(
    door: WebUI, path: str, payload: dict[str, Any], said: str
) -> None:
    answer = door.ask("POST", path, payload)
    assert answer.status in (400, 404) or answer.text == "the page"
    assert said in answer.text
    assert door.ask("GET", "/status").json["engine"]["state"] == "ready"


@pytest.mark.parametrize(
    "path", ["/fetch", "/catalogue/sync", "/catalogue/identify", "/jobs/00ff/cancel"]
)
def test_with_listen_and_no_password_nothing_is_begun(process: EngineProcess, path: str) -> None:
    with webui(Service(lambda: process), listen=True) as door:
        before = len(process.link().call("GET", "/v1/jobs")["jobs"])
        answer = door.ask("POST", path, {"keys": ["civitai:11"]})
        assert answer.status == 403
        assert "--gradio-auth" in answer.json["error"]["message"]
        assert ("downloads files" in answer.json["error"]["message"]) is (path == "/fetch")
        assert len(process.link().call("GET", "/v1/jobs")["jobs"]) == before
        assert door.ask("GET", "/jobs").status == 200, "looking on is allowed"


def test_a_page_of_another_site_is_refused(door: WebUI) -> None:
    assert (
        door.ask("POST", "/fetch", {"keys": ["civitai:11"]}, Origin="http://evil.example").status
        == 403
    )
    assert door.ask("GET", "/jobs", Host="evil.example").status == 403


def test_a_shared_engine_fetches_nothing_here(tmp_path: Path, process: EngineProcess) -> None:
    report = process.report()
    shared = EngineProcess(tmp_path / "other", url=report.url, token="the token")
    with webui(Service(lambda: shared, folders=lambda: [str(tmp_path)])) as door:
        answer = door.ask("POST", "/fetch", {"keys": ["civitai:11"]})
        named = door.ask("POST", "/catalogue/identify", {})
    assert (answer.status, "LoRA folder" in answer.text) == (400, True)
    assert (named.status, "does not see this machine's files" in named.text) == (400, True)


def test_what_came_this_way_is_listed_before_the_next_picture(
    stage: Stage,
    process: EngineProcess,
    civitai: CivitaiService,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from stylus_ext.host import compat

    number = number_of("tapirmoor")
    with at(stage, process, civitai, tmp_path / "host", monkeypatch) as scene:
        service = Service(
            lambda: process, folders=compat.lora_folders, begun=scene.planner.downloads.begun.add
        )
        with webui(service) as door:
            assert (
                finished(door, door.ask("POST", "/fetch", {"keys": [f"civitai:{number}"]}).json)[
                    "state"
                ]
                == "done"
            )
        assert not compat.listed_stems()
        done = scene.make("tapirmoor at night", {"enabled": True})
        assert "<lora:tapirmoor" in Scene.prompts(scene, done)[0]
