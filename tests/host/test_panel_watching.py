"""Following an engine for minutes: it ends as soon as the box is unticked, it lets gradio see that
a page is gone, and it knows strangers.
"""

from __future__ import annotations

import copy
import threading
import time
from typing import Any

import pytest

from stylus_ext.core.errors import Unavailable
from stylus_ext.host.engine.setup_state import EngineReport, EngineState
from tests.host.double import page
from tests.host.double.fixtures import Stage
from tests.host.test_panel import READY_MARK

SHOWN = 6  # the line, both buttons, the family, the switch for downloads, the choice of composer
BUILDING = EngineReport(
    EngineState.SETTING_UP, "The engine is being set up.", "packages", 10, 945, 40
)


@pytest.fixture
def building(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A set-up that does not end."""
    monkeypatch.setattr(stage.engine, "report", lambda: BUILDING)
    return stage


def heed(stage: Stage) -> Any:
    """What hears of the box past gradio's queue."""
    box = stage.host.page.by_id("stylus_txt2img_enabled-checkbox")
    (found,) = [
        event.fn
        for event in box.all_events
        if event.fn is not None and event.fn.__name__ == "_count_untick"
    ]
    return found


def event(stage: Stage, name: str, kind: str) -> Any:
    return stage.host.page.by_id(f"stylus_txt2img_{name}").events[kind].fn


@pytest.mark.parametrize("by_button", [False, True])
def test_unticking_ends_it(building: Stage, by_button: bool) -> None:
    switch = page.untick_counter()
    states = (
        event(building, "set_up", "click")(page.Request(), switch)
        if by_button
        else event(building, "enabled-checkbox", "change")(page.Request(), True, switch)
    )
    ended = threading.Event()

    def follow() -> None:
        for _ in states:
            pass
        ended.set()

    thread = threading.Thread(target=follow)
    thread.start()
    time.sleep(0.3)
    assert not ended.is_set()
    heed(building)(False, switch)
    assert ended.wait(30), "the set-up itself never ends here"
    thread.join()
    assert building.client.indexed == [], "what nobody wants any more is not read either"


def test_ticking_ends_nothing(building: Stage) -> None:
    switch = page.untick_counter()
    states = event(building, "enabled-checkbox", "change")(page.Request(), True, switch)
    next(states)
    heed(building)(True, switch)
    assert next(states)
    heed(building)(False, switch)
    assert list(states) == []


def test_unticking_while_the_loras_are_read_is_the_last_word(stage: Stage) -> None:
    """What came after it stood in the line of a box that nobody had ticked."""
    stage.engine.start()
    switch = page.untick_counter()
    states = event(stage, "enabled-checkbox", "change")(page.Request(), True, switch)
    said = [str(next(states)[0])]
    while "Reading your LoRAs" not in said[-1]:
        said.append(str(next(states)[0]))
    heed(stage)(False, switch)
    assert list(states) == []


def test_the_line_follows_the_engine_while_the_loras_are_read(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was silent for as long as the reading took."""
    from stylus_ext.host.panel import events

    monkeypatch.setattr(events, "_SAYS_EVERY_S", 0.01)
    stage.engine.start()
    may_end = threading.Event()

    def read(*_: Any) -> dict[str, Any]:
        assert may_end.wait(20.0)
        raise Unavailable("The disk is full.")

    monkeypatch.setattr(stage.client, "folders", read)
    states = event(stage, "enabled-checkbox", "change")(page.Request(), True, page.untick_counter())
    while "Reading your LoRAs" not in str(next(states)[0]):
        pass
    assert next(states) == [page.update()] * SHOWN
    monkeypatch.setattr(stage.engine, "report", lambda: BUILDING)
    while "10 of 945 MB" not in str(next(states)[0]):
        pass
    may_end.set()
    assert "The disk is full." in str(list(states)[-1][0])


@pytest.mark.parametrize("name", ["enabled-checkbox", "set_up", "retry"])
def test_the_last_word_is_that_of_the_box_as_it_stands(stage: Stage, name: str) -> None:
    """A tick that was sent before an untick, and came after it, was followed as if nobody had
    unticked since.
    """
    then = event(stage, name, "then")
    assert then(page.Request(), True) == [page.update()] * SHOWN
    assert then(page.Request(), False)[0] == ""
    assert "Unrecognised Host" in then(page.Request({"host": "evil.example:7860"}), False)[0]
    assert stage.engine.started == 0


def test_a_page_has_a_switch_of_its_own(stage: Stage) -> None:
    """gradio copies the value for each page; whoever unticks there is heard nowhere else."""
    kept = page.untick_counter()
    one, other = copy.deepcopy(kept), copy.deepcopy(kept)
    one.unticked += 1
    assert (kept.unticked, other.unticked) == (0, 0)


def test_something_is_said_every_second_without_changing_anything(building: Stage) -> None:
    """gradio learns that a page is gone only when it sends it something."""
    states = event(building, "enabled-checkbox", "change")(
        page.Request(), True, page.untick_counter()
    )
    assert "10 of 945 MB" in next(states)[0]
    assert next(states) == [page.update()] * SHOWN


def test_one_that_can_be_told_once_is_told_what_stands(
    building: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylus_ext.host.panel import events

    monkeypatch.setattr(events, "_SOON_S", 1.5)
    assert (
        "10 of 945 MB"
        in events.last_soon(events.watch(True, page.untick_counter(), page.Request()))[0]
    )


def test_a_page_that_asks_again_is_told_what_stands(
    building: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that took longer than one answer was said to be starting for ever."""
    from stylus_ext.host.panel import events

    assert events.look_again(False, page.Request())[0] == ""
    stranger = page.Request({"host": "evil.example:7860"})
    assert "Unrecognised Host" in events.look_again(True, stranger)[0]
    first, second = (events.look_again(True, page.Request())[0] for _ in range(2))
    assert "10 of 945 MB" in first
    assert "stylus-following" in first
    assert first != second, "the page sees that an answer came"
    monkeypatch.setattr(
        building.engine, "report", lambda: EngineReport(EngineState.READY, "The engine is ready.")
    )
    said = ""
    while READY_MARK not in said:
        said = events.look_again(True, page.Request())[0]
    assert "stylus-following" not in said


def test_the_folders_are_read_once_however_often_a_page_asks(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylus_ext.host.panel import events

    stage.engine.start()
    may_end, began = threading.Event(), list[int]()

    def read(*_: Any) -> dict[str, Any]:
        began.append(1)
        assert may_end.wait(20.0)
        raise Unavailable("The disk is full.")

    monkeypatch.setattr(stage.client, "folders", read)
    monkeypatch.setattr(
        stage.engine, "report", lambda: EngineReport(EngineState.READY, "The engine is ready.")
    )
    for _ in range(3):
        said = events.look_again(True, page.Request())[0]
        assert "stylus-following" in said
        assert READY_MARK not in said
    may_end.set()
    while "The disk is full." not in said:
        said = events.look_again(True, page.Request())[0]
    assert len(began) == 1


def test_a_page_of_another_name_is_told_nothing_and_starts_nothing(stage: Stage) -> None:
    stranger = page.Request({"host": "evil.example:7860"})
    made = stage.host.page.by_id("generation_info_txt2img")
    for shown in (
        list(event(stage, "enabled-checkbox", "change")(stranger, True, page.untick_counter()))[-1],
        made.events["change"].fn(stranger, True, ""),
        made.events["change"].fn(stranger, False, ""),
    ):
        assert "Unrecognised Host" in shown[0]
        assert shown[1:] == [page.update()] * (SHOWN - 1)
    assert stage.engine.started == 0
