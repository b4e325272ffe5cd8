"""The real encoder, a real kill, and the plan that is asked for at once: it waits for the engine,
and is the same as before.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from stylus_ext.host.engine.client import EngineClient
from stylus_ext.host.engine.setup_state import EngineState
from stylus_ext.host.engine.supervisor import EngineProcess
from stylus_ext.host.web.api import plan_for_caller
from tests.engine_process import PATIENCE_S, finished
from tests.host.engines import engine, never, until
from tests.lora_files import write_lora

PROMPT = "a corgi dog in a watercolor painting"
FLEETING = {"late", "failed", "busy", "partial_index"}
BUSY_MACHINE = 5
"""Everything is so much slower where many tests run at once than where a picture is made."""


@pytest.fixture(scope="module")
def loras(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("loras")
    for number, stem in enumerate(("corgi_dog", "watercolor_painting")):
        write_lora(
            folder / f"{stem}.safetensors",
            metadata={"ss_output_name": stem.replace("_", " "), "ss_base_model_version": "sd_v1"},
            seed=number,
        )
    return str(folder)


@pytest.fixture(scope="module")
def stocked(
    tmp_path_factory: pytest.TempPathFactory, loras: str
) -> Iterator[tuple[EngineProcess, dict[str, Any]]]:
    """An engine with its real encoder, started on an empty data folder, once everything is
    embedded; and its first answer.
    """
    with engine(tmp_path_factory.mktemp("real") / "data") as process:
        first = EngineClient(process).plan(
            {"prompt": PROMPT, "lora_dirs": [loras]}, 20.0 * BUSY_MACHINE, never
        )
        until(lambda: not FLEETING & codes(ask(process)), 3 * PATIENCE_S)
        ended = finished(process.link(), EngineClient(process).index([loras]))
        assert ended["state"] == "done", ended["error"]
        yield process, first


@pytest.fixture
def process(stocked: tuple[EngineProcess, dict[str, Any]]) -> EngineProcess:
    return stocked[0]


def ask(process: EngineProcess, deadline_s: float = 20.0 * BUSY_MACHINE) -> dict[str, Any]:
    payload = {
        "prompt": PROMPT,
        "seed": 5,
        "batches": 2,
        "settings": {"selection": {"strictness": 0.0}},
        "stems": ["corgi_dog", "watercolor_painting"],
    }
    return plan_for_caller(process, payload, deadline_s)


def codes(answer: dict[str, Any]) -> set[str]:
    return {note["code"] for note in answer["plan"]["notes"]}


def test_a_data_folder_that_is_being_stocked_is_planned_with_what_is_there(
    stocked: tuple[EngineProcess, dict[str, Any]],
) -> None:
    """The very first start has something to make: ready comes with the encoder."""
    assert not {"late", "failed"} & codes(stocked[1])


def test_what_is_asked_at_once_after_a_kill_is_planned_in_full(process: EngineProcess) -> None:
    before = ask(process)
    assert "<lora:corgi_dog:" in before["plan"]["prompts"][0]
    killed = process.report().pid
    os.kill(killed, signal.SIGKILL)
    after = ask(process)
    assert process.report().pid != killed
    assert not FLEETING & codes(after)
    assert after["plan"] == before["plan"]


def test_the_picture_after_a_kill_has_its_loras_by_words_if_need_be(
    process: EngineProcess,
) -> None:
    """A plan waits for the encoder for half of its time at most."""
    ask(process)
    epoch = process.epoch
    os.kill(process.report().pid, signal.SIGKILL)
    assert process.wait_ready(12.0 * BUSY_MACHINE, never, after=epoch)
    after = ask(process, 2.0 * BUSY_MACHINE)
    assert not {"late", "failed"} & codes(after)
    assert any("<lora:" in prompt for prompt in after["plan"]["prompts"])


@pytest.mark.long
def test_ready_is_said_when_a_plan_by_words_is_possible(process: EngineProcess) -> None:
    ask(process)
    epoch = process.epoch
    os.kill(process.report().pid, signal.SIGKILL)
    began = time.monotonic()
    assert process.wait_ready(12.0 * BUSY_MACHINE, never, after=epoch)
    took = time.monotonic() - began
    assert process.report().state is EngineState.READY
    first = ask(process, 4.0)
    assert not {"late", "failed"} & codes(first), f"ready after {took:.1f} s"


@pytest.mark.long
def test_without_the_time_for_it_the_prompt_stays_and_says_so(process: EngineProcess) -> None:
    """An API call's deadline is for all of it; what is not ready then is not waited for."""
    from stylus_ext.core.errors import DeadlineExceeded

    ask(process)
    epoch = process.epoch
    os.kill(process.report().pid, signal.SIGKILL)
    until(lambda: process.report().state is not EngineState.READY)
    with pytest.raises(DeadlineExceeded, match=r"0\.3 s"):
        ask(process, 0.3)
    assert process.wait_ready(12.0 * BUSY_MACHINE, never, after=epoch)
    assert not FLEETING & codes(ask(process))
