"""The switch for downloads: there when an engine of one's own may fetch, gone when not, and a true
sentence for whoever asks nevertheless.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.host import permissions
from stylus_ext.host.engine.supervisor import EngineProcess
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService
from tests.embedding_server import EmbeddingServer
from tests.host.double import page
from tests.host.double.fixtures import Stage
from tests.host.downloads import (
    BUCKET,
    ON,
    Scene,
    at,
    beside,
    fetching_engine,
    number_of,
    write_settings,
)
from tests.host.test_panel import READY_MARK

PROMPT = "zebrastripe at night"


def part(stage: Stage, name: str) -> Any:
    return stage.host.page.by_id(f"stylus_txt2img_{name}")


def ticked(stage: Stage) -> list[dict[str, Any]]:
    """What the switch was told while the box was ticked."""
    return [
        state[4]
        for state in (
            part(stage, "enabled-checkbox")
            .events["change"]
            .fn(page.Request(), True, page.untick_counter())
        )
    ]


def test_it_appears_when_the_engine_says_that_it_may(scene: Scene) -> None:
    assert part(scene.stage, "downloads").visible is False
    assert {"visible": True}.items() <= ticked(scene.stage)[-1].items()
    asked = [path for path, _ in scene.asked if path == "/v1/status"]
    assert "value" not in ticked(scene.stage)[-1], "what the user said stays"
    assert [path for path, _ in scene.asked if path == "/v1/status"] == asked, (
        "whoever asks it asks once for each engine"
    )


def test_it_goes_when_the_engine_may_not(
    stage: Stage,
    civitai: CivitaiService,
    vectors: EmbeddingServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_settings(tmp_path / "off", civitai, vectors, download=False)
    with (
        beside(tmp_path / "off") as process,
        at(stage, process, civitai, tmp_path / "loras", monkeypatch) as scene,
    ):
        assert {"visible": False, "value": False}.items() <= ticked(stage)[-1].items()
        done = scene.make(PROMPT)
        assert len(done.images) == 1
        assert permissions.SWITCHED_OFF in scene.told(done)
        assert scene.fetched() == []


def test_an_engine_that_starts_leaves_it_as_it_is(stage: Stage) -> None:
    assert stage.planner.permissions.shown() is None
    shown = part(stage, "family").events["input"].fn(page.Request(), "auto")
    assert "visible" not in shown[4]


def test_a_shared_engine_fetches_nothing_whatever_it_may(
    stage: Stage,
    process: EngineProcess,
    civitai: CivitaiService,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from stylus_ext.environment import engine_address
    from stylus_ext.host import compat
    from stylus_ext.host.engine.inventory import HostInventory

    said = engine_address.read(process.data_dir)
    assert said is not None
    shared = EngineProcess(tmp_path / "nothing", url=said.url, token=said.token)
    shared.inventory = HostInventory(compat.listed_files, compat.listing, compat.cached_sha256)
    with at(stage, shared, civitai, tmp_path / "loras", monkeypatch) as scene:
        assert {"visible": False, "value": False}.items() <= ticked(stage)[-1].items()
        done = scene.make(PROMPT)
        assert permissions.SHARED in scene.told(done)
        assert scene.fetched() == []
        assert all(
            "downloads" not in payload for path, payload in scene.asked if path == "/v1/generation"
        )


def test_an_engine_of_a_time_before_downloads_is_called_old(stage: Stage) -> None:
    done = stage.host.api(ON, prompt="a corgi")
    assert any(permissions.TOO_OLD in text for text in done.p.comments)
    assert "<lora:corgi_dog" in done.infotexts[0]


def test_an_engine_that_does_not_answer_shows_nothing_and_says_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.host.double.planner import gone

    def away() -> dict[str, Any]:
        raise gone()

    monkeypatch.setattr(stage.client, "status", away)
    stage.engine.start()
    assert stage.planner.permissions.shown() == (False, ("rules",))
    done = stage.host.api(ON, prompt="a corgi")
    assert any("does not say whether it may fetch" in text for text in done.p.comments)
    assert "<lora:corgi_dog" in done.infotexts[0]


def test_a_pasted_picture_of_a_stranger_switches_nothing_on(scene: Scene) -> None:
    done = scene.make(PROMPT)
    for name in ("enabled-checkbox", "downloads"):
        part(scene.stage, name).value = False
    scene.stage.host.paste(done.infotexts[0])
    assert part(scene.stage, "enabled-checkbox").value is True
    assert part(scene.stage, "downloads").value is False


def test_the_panels_line_follows_a_download(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the page's own event does beside the generation; before it, one of somebody else may be
    made.
    """
    from stylus_ext.host.panel import events

    monkeypatch.setattr(events, "_LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(events, "_IDLE_S", 0.6)
    number, lines = number_of("zebrastripe"), list[str]()
    scene.civitai.faults.add(
        Fault(BUCKET % number, on="storage", pace=len(scene.civitai.files[number]) / 1.0)
    )

    async def follow() -> None:
        making = asyncio.create_task(asyncio.to_thread(scene.make, PROMPT))
        async for said in events.follow_fetch():
            lines.append(said)
        await making

    asyncio.run(follow())
    assert any(" of " in said and "Zebrastripe" in said for said in lines)
    assert READY_MARK in lines[-1]
    assert "fetching" not in lines[-1]


@pytest.mark.parametrize("box", [(False, True), (True, False), (False, False)])
def test_without_both_boxes_nothing_is_followed(
    stage: Stage, box: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylus_ext.host.panel.layout import build_panel

    async def all_of(states: Any) -> list[Any]:
        return [state async for state in states]

    with page.Blocks():
        button = page.Button("Generate", elem_id="txt2img_generate")
        build_panel("txt2img", {"generate": button}, None)
    click = button.events["click"].fn
    assert click is not None
    monkeypatch.setattr(asyncio, "sleep", lambda _: pytest.fail("it waited"))
    assert len(asyncio.run(all_of(click(*box)))) == 1


def test_generate_is_listened_to(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the host has a button, and a queue for events that answer more than once."""
    from stylus_ext.host.panel.layout import build_panel

    for without_queue in (False, True):
        stage.host.cmd_opts.no_gradio_queue = without_queue
        with page.Blocks() as blocks:
            button = page.Button("Generate", elem_id="txt2img_generate")
            build_panel("txt2img", {"generate": button}, None)
        assert ("click" in button.events) is not without_queue
        del blocks


def test_the_host_gives_its_button(stage: Stage) -> None:
    script = stage.host.txt2img.scripts[0]
    assert "generate" not in script.boxes
    script.after_component("the button", elem_id="txt2img_generate")
    assert script.boxes["generate"] == "the button"


def test_files_beyond_the_users_limits_are_not_fetched(
    stage: Stage,
    process: EngineProcess,
    civitai: CivitaiService,
    vectors: EmbeddingServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        fetching_engine(tmp_path / "small", civitai, vectors, quota_gb=0.0) as small,
        at(stage, small, civitai, tmp_path / "l", monkeypatch) as scene,
    ):
        done = scene.make(PROMPT)
        assert scene.fetched() == []
        assert "<lora:" not in scene.prompts(done)[0]


def test_what_is_deleted_in_the_meantime_is_fetched_again(scene: Scene) -> None:
    assert "<lora:zebrastripe" in scene.prompts(scene.make(PROMPT))[0]
    shutil.rmtree(scene.folder)
    scene.folder.mkdir()
    done = scene.make("a zebrastripe at noon")
    assert list(scene.folder.glob("zebrastripe*.safetensors"))
    assert "<lora:zebrastripe" in scene.prompts(done)[0], scene.told(done)
    assert scene.true(done)
