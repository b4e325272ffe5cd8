"""The script in the double with a real engine in a process of its own, over real LoRA files: what
is asked is what it takes.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.host.checkpoint import Remembered
from stylus_ext.host.engine.client import EngineClient
from stylus_ext.host.engine.supervisor import EngineProcess
from stylus_ext.host.planner import Planner
from tests.host.double import page
from tests.host.double.fixtures import Stage
from tests.host.double.processing import parse_generation_parameters
from tests.host.engines import engine, until
from tests.host.test_panel import READY_MARK
from tests.lora_files import write_lora

ON = {"enabled": True}
PROMPT = "corgi dog, watercolor painting"


@pytest.fixture
def real(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Stage, EngineProcess]]:
    from stylus_ext.host import compat
    from stylus_ext.host.planner import PlannerRegistry

    shelf = stage.host.data_path / "loras"
    for number, stem in enumerate(("corgi_dog", "watercolor_painting", "unlisted_watercolor")):
        words = {"ss_output_name": stem.replace("_", " "), "ss_base_model_version": "sd_v1"}
        write_lora(shelf / f"{stem}.safetensors", metadata=words, seed=number)
    stage.host.cmd_opts.lora_dir = str(shelf)
    listed = stage.host.loras.available_networks
    listed.clear()
    listed.update({"corgi_dog": "file", "watercolor_painting": "file"})
    stage.host.loras.available_network_aliases.clear()
    stage.host.opts.data |= {
        "stylus_warm_s": 30.0,
        "stylus_cold_s": 60.0,
        "stylus_selection_strictness": 0.0,
    }
    with engine(folder) as process:
        planner = Planner(
            process,
            EngineClient(process),
            Remembered(folder),
            compat.interrupted,
            compat.show_progress,
        )
        monkeypatch.setattr("stylus_ext.host.planner.registry", PlannerRegistry(lambda: planner))
        yield stage, process


def prompt_of(done: Any, number: int = 0) -> str:
    return str(parse_generation_parameters(done.infotexts[number])["Prompt"])


def test_from_an_empty_folder_of_data_to_true_infotexts(real: tuple[Stage, EngineProcess]) -> None:
    stage, process = real
    done = stage.host.api(ON, prompt=PROMPT, n_iter=3, batch_size=2, enable_hr=True)
    assert process.report().pid > 0
    assert "<lora:corgi_dog:" in prompt_of(done)
    assert "<lora:watercolor_painting:" in prompt_of(done)
    assert all("unlisted" not in text for text in done.infotexts)
    for image, text in zip(done.images, done.infotexts, strict=True):
        assert stage.host.without_stylus(text, enable_hr=True).pixels == image.pixels


def test_what_the_user_wrote_by_the_name_in_the_file_is_not_added_again(
    real: tuple[Stage, EngineProcess],
) -> None:
    stage, _ = real
    assert "<lora:corgi_dog:" in prompt_of(stage.host.api(ON, prompt=PROMPT))
    own = f"{PROMPT} <lora:corgi dog:0.5>"
    added = prompt_of(stage.host.api(ON, prompt=own)).removeprefix(own)
    assert added.startswith(" <lora:watercolor_painting:")
    assert "corgi" not in added


def test_always_is_asked_for_an_unknown_checkpoint(real: tuple[Stage, EngineProcess]) -> None:
    stage, process = real
    stage.host.api(ON, prompt=PROMPT)
    link = process.link()
    assert EngineClient(process).always() == []
    found = link.call("POST", "/v1/search", {"text": "corgi", "on_disk": True})["entries"]
    link.call("POST", "/v1/edit", {"key": found[0]["key"], "state": "always"})
    assert EngineClient(process).always() == ["corgi_dog"]
    stage.host.model.is_sd1 = False
    done = stage.host.api(ON, prompt="the sea")
    assert prompt_of(done).startswith("the sea <lora:corgi_dog:")


def test_a_killed_engine_is_waited_for(real: tuple[Stage, EngineProcess]) -> None:
    stage, process = real
    stage.host.api(ON, prompt=PROMPT)
    before = process.report().pid
    os.kill(before, signal.SIGKILL)
    done = stage.host.api(ON, prompt=f"{PROMPT} at dawn")
    assert "<lora:corgi_dog:" in prompt_of(done)
    assert process.report().pid != before


def test_the_panel_reads_the_folders_and_has_them_hashed(real: tuple[Stage, EngineProcess]) -> None:
    stage, process = real
    change = stage.host.page.by_id("stylus_txt2img_enabled-checkbox").events["change"]
    states = [state[0] for state in change.fn(page.Request(), True, page.untick_counter())]
    assert any("Reading your LoRAs" in str(state) for state in states)
    assert READY_MARK in states[-1]
    client = EngineClient(process)
    assert client.status()["catalogue"]["on_disk"] == 3
    until(lambda: client.status()["catalogue"]["in_step"])
