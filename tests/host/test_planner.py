"""Waiting for the engine and for a plan: as long as one may, visibly, and not a moment longer once
somebody says stop.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.errors import Cancelled, DeadlineExceeded, EngineGone, Unavailable
from stylus_ext.core.generation import (
    EngineAnswerState,
    FolderState,
    GenerationRequest,
    Texts,
)
from stylus_ext.core.plan import Outcome
from stylus_ext.host.checkpoint import Remembered
from stylus_ext.host.engine.setup_state import EngineReport, EngineState
from stylus_ext.host.planner import MadePicture, Planner, PlannerRegistry, Timeouts, describe
from tests.host.double.fixtures import Stage
from tests.host.double.planner import SmallClient, SmallEngine, gone

REQUEST = GenerationRequest(Texts(("a corgi",), ("",)), (1,), stems=("corgi_dog",))
WITH_FOLDERS = replace(REQUEST, lora_dirs=("/loras",))


def planner_with(
    tmp_path: Path, engine: SmallEngine, stops: bool = False
) -> tuple[Planner, SmallClient, list[str | None]]:
    client, said = SmallClient(), list[str | None]()
    parts: tuple[Any, Any] = (engine, client)
    return Planner(*parts, Remembered(tmp_path), lambda: stops, said.append), client, said


def test_it_starts_the_engine_and_says_what_it_waits_for(tmp_path: Path) -> None:
    engine = SmallEngine(looks=3)
    planner, _, said = planner_with(tmp_path, engine)
    planner.generation(REQUEST, Timeouts(), waits=True)
    assert engine.started == 1
    assert "Stylus: The engine is starting; this takes a few seconds." in said
    assert "Stylus: choosing LoRAs" in said
    assert said[-1] is None


def test_the_wait_has_an_end(tmp_path: Path) -> None:
    planner, client, said = planner_with(tmp_path, SmallEngine(looks=10**9))
    with pytest.raises(DeadlineExceeded):
        planner.generation(REQUEST, Timeouts(ready_s=0.2, cold_s=600), waits=True)
    assert client.asked == []
    assert said[-1] is None


def test_the_api_waits_for_the_plans_own_time_only(tmp_path: Path) -> None:
    planner, _, _ = planner_with(tmp_path, SmallEngine(looks=10**9))
    with pytest.raises(DeadlineExceeded):
        planner.generation(REQUEST, Timeouts(ready_s=600, cold_s=0.2), waits=False)


def test_an_interrupt_ends_the_wait_at_once(tmp_path: Path) -> None:
    planner, _, _ = planner_with(tmp_path, SmallEngine(looks=10**9), stops=True)
    with pytest.raises(Cancelled):
        planner.generation(REQUEST, Timeouts(), waits=True)


@pytest.mark.parametrize(
    ("state", "why"),
    [(EngineState.FAILED, "its disk is full"), (EngineState.NOT_SET_UP, "not set up yet")],
)
def test_what_needs_a_click_is_not_waited_for(tmp_path: Path, state: EngineState, why: str) -> None:
    planner, _, _ = planner_with(tmp_path, SmallEngine(state=state))
    with pytest.raises(Unavailable, match=why):
        planner.generation(REQUEST, Timeouts(ready_s=600), waits=True)


def test_a_lost_engine_is_waited_for_no_longer_than_a_first_plan(tmp_path: Path) -> None:
    """The engine planned before, and was killed in the middle of a batch."""
    small = SmallEngine()
    planner, _, _ = planner_with(tmp_path, small)
    planner.generation(REQUEST, Timeouts(ready_s=600, cold_s=0.2), waits=True)
    small.looks, small.pid = 10**9, 8
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        planner.generation(REQUEST, Timeouts(ready_s=600, cold_s=0.2), waits=True)
    assert time.monotonic() - began < 60


def test_the_first_plan_has_more_time_than_the_others(tmp_path: Path) -> None:
    planner, client, _ = planner_with(tmp_path, SmallEngine())
    for waits in (True, True, False):
        planner.generation(REQUEST, Timeouts(), waits)
    assert [round(question["deadline_s"]) for question in client.asked] == [20, 2, 2]


def test_the_first_plan_of_an_api_call_has_what_the_start_left(tmp_path: Path) -> None:
    planner, client, _ = planner_with(tmp_path, SmallEngine(looks=3))
    planner.generation(REQUEST, Timeouts(cold_s=5), waits=False)
    assert 4 < client.asked[0]["deadline_s"] < 5


def test_a_generation_of_several_prompts_has_time_for_each(tmp_path: Path) -> None:
    planner, client, _ = planner_with(tmp_path, SmallEngine())
    request = replace(REQUEST, texts=Texts(("a", "b", "a"), ("", "", "")), seeds=(1, 2, 3))
    for _ in range(2):
        planner.generation(request, Timeouts(), waits=True)
    assert [round(asked["deadline_s"]) for asked in client.asked] == [22, 4]


def test_before_the_first_answer_folders_are_waited_for(tmp_path: Path) -> None:
    """The first Generate is worth more with the user's LoRAs than without."""
    planner, client, said = planner_with(tmp_path, SmallEngine())
    for _ in range(2):
        planner.generation(WITH_FOLDERS, Timeouts(), waits=True)
    first, second = client.asked
    assert first["wait_for_folders"]
    assert (round(first["deadline_s"]), round(first["planning_s"])) == (60, 20)
    assert "Stylus: reading your LoRAs" in said
    assert not second.get("wait_for_folders")
    assert round(second["deadline_s"]) == 2


def test_the_api_does_not_wait_longer_for_folders(tmp_path: Path) -> None:
    planner, client, _ = planner_with(tmp_path, SmallEngine())
    planner.generation(WITH_FOLDERS, Timeouts(), waits=False)
    assert round(client.asked[0]["deadline_s"]) == 20


@pytest.mark.parametrize(
    "state",
    [
        EngineAnswerState(folders=FolderState.BUSY),
        EngineAnswerState(folders=FolderState.LATE),
        EngineAnswerState(Outcome.LATE),
        EngineAnswerState(Outcome.FAILED),
    ],
)
def test_a_folder_that_was_not_read_is_read_the_next_time(
    tmp_path: Path, state: EngineAnswerState
) -> None:
    planner, client, _ = planner_with(tmp_path, SmallEngine())
    assert planner.folders_to_read(["/loras"], 1) == ["/loras"]
    assert planner.folders_to_read(["/loras"], 1) == []
    client.state = state
    planner.generation(REQUEST, Timeouts(), waits=True)
    assert planner.folders_to_read(["/loras"], 1) == ["/loras"]
    assert planner.folders_to_read(["/loras"], 2) == ["/loras"]


def test_a_folder_for_which_the_engine_came_too_late_is_read_the_next_time(stage: Stage) -> None:
    """A cold engine on a slow machine: the first call has no answer, so nobody has read anything
    yet.
    """
    stage.engine.looks = 10**9
    stage.host.opts.data |= {"stylus_cold_s": 0.5}
    stage.host.api({"enabled": True}, prompt="a corgi")
    assert stage.asked == []
    stage.engine.looks = 0
    stage.host.api({"enabled": True}, prompt="a corgi")
    stage.host.api({"enabled": True}, prompt="a vintage car")
    assert [question["lora_dirs"] for question in stage.asked] == [[str(stage.host.data_path)], []]


def test_the_line_is_taken_away_when_a_plan_fails(tmp_path: Path) -> None:
    planner, client, said = planner_with(tmp_path, SmallEngine())
    client.trouble = gone()
    with pytest.raises(EngineGone):
        planner.generation(REQUEST, Timeouts(), waits=True)
    assert said[-1] is None


def test_only_the_last_pictures_are_remembered(tmp_path: Path) -> None:
    planner, _, _ = planner_with(tmp_path, SmallEngine())
    for seed in range(400):
        planner.made[seed, "a corgi"] = MadePicture("a corgi", "", {})
    assert len(planner.made) == 256
    assert (399, "a corgi") in planner.made
    assert (0, "a corgi") not in planner.made


def test_progress_of_a_set_up_as_one_line() -> None:
    assert (
        describe(
            EngineReport(EngineState.SETTING_UP, "It is being set up.", "packages", 5, 830, 12)
        )
        == "It is being set up. packages: 5 of 830 MB, about 12 s left."
    )
    assert describe(
        EngineReport(EngineState.SETTING_UP, "It is being set up.", "packages", 5, 830)
    ).endswith("5 of 830 MB.")
    assert (
        describe(EngineReport(EngineState.READY, "The engine is ready.")) == "The engine is ready."
    )


def test_another_place_is_another_desk(tmp_path: Path) -> None:
    planners = PlannerRegistry(lambda: planner_with(tmp_path, SmallEngine())[0])
    first = planners.get((1,))
    assert planners.get((1,)) is first
    second = planners.get((2,))
    assert second is not first
    assert planners.get((1,)) not in (first, second)


def test_the_page_waits_where_the_api_does_not(stage: Stage) -> None:
    stage.engine.looks = 10**9
    stage.host.opts.data |= {"stylus_cold_s": 0.5, "stylus_ready_s": 1.0}
    done = stage.host.api({"enabled": True}, prompt="a corgi")
    assert any("starting" in text for text in done.p.comments)
    assert "<lora:" not in done.infotexts[0]
    stage.engine.looks = 50
    stage.host.page.by_id("stylus_txt2img_enabled-checkbox").value = True
    assert "<lora:" in stage.host.generate(prompt="a corgi").infotexts[0]
    assert any("starting" in text for text in stage.host.state.texts)
    assert stage.host.state.textinfo is None


def test_the_real_desk_is_made_of_the_real_parts(stage: Stage) -> None:
    """Its data folder is the host's own `stylus`; nothing is started and nothing is written for
    it.
    """
    from stylus_ext.host.planner import make_planner

    planner = make_planner()
    assert planner.engine.report().state in (
        EngineState.STOPPED,
        EngineState.NOT_SET_UP,
        EngineState.SETTING_UP,
        EngineState.FAILED,
    )
    assert not (stage.host.data_path / "stylus").exists()


def test_an_engine_that_was_killed_is_asked_again_when_it_is_back(tmp_path: Path) -> None:
    """With the time of a first plan: the one that comes back has to load its encoder again."""
    engine = SmallEngine()
    planner, client, _ = planner_with(tmp_path, engine)
    planner.generation(REQUEST, Timeouts(), waits=False)

    def die() -> None:
        if len(client.asked) == 2:
            engine.pid, engine.looks = 8, 3
            raise gone()

    client.during = die
    answer = planner.generation(REQUEST, Timeouts(), waits=False)
    assert answer.adapters
    assert [round(question["deadline_s"]) for question in client.asked] == [20, 2, 20]


def test_a_cold_engine_that_was_killed_leaves_its_deadline_in_force(tmp_path: Path) -> None:
    engine = SmallEngine()
    planner, client, _ = planner_with(tmp_path, engine)

    def die() -> None:
        if len(client.asked) == 1:
            engine.pid = 8
            time.sleep(0.3)
            raise gone()

    client.during = die
    planner.generation(REQUEST, Timeouts(cold_s=2.0), waits=False)
    first, second = (asked["deadline_s"] for asked in client.asked)
    assert second < first - 0.25


@pytest.mark.parametrize(
    ("trouble", "times"), [(gone(), 2), (Unavailable("Not now."), 1), (DeadlineExceeded("No."), 1)]
)
def test_only_a_lost_engine_is_asked_again_and_only_once(
    tmp_path: Path, trouble: Exception, times: int
) -> None:
    planner, client, _ = planner_with(tmp_path, SmallEngine())
    planner.generation(REQUEST, Timeouts(), waits=False)
    client.trouble = trouble
    with pytest.raises(type(trouble)):
        planner.generation(REQUEST, Timeouts(), waits=False)
    assert len(client.asked) == 1 + times


def test_folders_are_read_by_a_request_of_their_own(tmp_path: Path) -> None:
    planner, client, said = planner_with(tmp_path, SmallEngine())
    planner.scan(["/loras"], 1, Timeouts())
    assert client.asked == []
    assert client.read == [{"lora_dirs": ["/loras"], "wait": True, "deadline_s": 60.0}]
    assert client.indexed == [["/loras"]]
    assert planner.folders_to_read(["/loras"], 1) == []
    assert said == []


def test_folders_that_a_request_could_not_read_are_read_by_the_next(tmp_path: Path) -> None:
    planner, client, _ = planner_with(tmp_path, SmallEngine())
    client.folders_become = FolderState.BUSY
    planner.scan(["/loras"], 1, Timeouts())
    assert planner.folders_to_read(["/loras"], 1) == ["/loras"]


@pytest.mark.parametrize(
    ("state", "folders", "begun"),
    [
        (EngineAnswerState(index_complete=False), ("/loras",), [["/loras"]]),
        (EngineAnswerState(Outcome.LATE), ("/loras",), [["/loras"]]),
        (EngineAnswerState(folders=FolderState.LATE), ("/loras",), [["/loras"]]),
        (EngineAnswerState(Outcome.LATE, FolderState.BUSY), ("/loras",), []),
        (EngineAnswerState(index_complete=False), (), []),
        (EngineAnswerState(), ("/loras",), []),
    ],
)
def test_what_a_generation_could_only_begin_to_read_is_completed_by_a_job(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    state: EngineAnswerState,
    folders: tuple[str, ...],
    begun: list[list[str]],
) -> None:
    """Nobody ticks a box for the API: its 2,000 new files have to be embedded as well."""
    planner, client, _ = planner_with(tmp_path, SmallEngine())
    client.state = state
    request = replace(REQUEST, lora_dirs=folders)
    for _ in range(3):  # once in a while is enough
        planner.generation(request, Timeouts(), waits=False)
    assert client.indexed == begun
    monkeypatch.setattr("stylus_ext.host.planner._INDEX_AGAIN_S", 0.0)
    planner.generation(request, Timeouts(), waits=False)
    assert client.indexed == 2 * begun


def test_an_engine_that_takes_no_job_does_not_cost_the_generation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planner, client, _ = planner_with(tmp_path, SmallEngine())
    client.state = EngineAnswerState(index_complete=False)

    def refused(*_: object) -> object:
        raise gone()

    monkeypatch.setattr(client, "index", refused)
    assert planner.generation(WITH_FOLDERS, Timeouts(), waits=False).adapters
