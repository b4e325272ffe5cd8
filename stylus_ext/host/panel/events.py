"""Panel events: engine state, set-up buttons, family, selecting again."""

from __future__ import annotations

import asyncio
import html
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from stylus_ext.core.errors import StylusError
from stylus_ext.core.family import known_families
from stylus_ext.host import compat, options
from stylus_ext.host.checkpoint import loaded_checkpoint, loaded_family
from stylus_ext.host.compat import Request
from stylus_ext.host.engine.setup_state import AGAIN, EngineReport, EngineState
from stylus_ext.host.planner import Planner, describe
from stylus_ext.host.planner_registry import current_planner, last_notes
from stylus_ext.host.timeouts import UntickCounter
from stylus_ext.host.values import AUTO

gr = compat.gr
_LOOK_EVERY_S = 0.25
_SAYS_EVERY_S = 1.0
_LONGEST_S = 3600.0
_WAKES_S = 5.0
_SOON_S = 10.0
_IDLE_S = 10.0
_UNDER_WAY = (EngineState.STARTING, EngineState.SETTING_UP)


def watch(enabled: bool, switch: UntickCounter, request: Request) -> Iterator[list[Any]]:
    """Start the engine when the box is ticked; yield its state until ready, blocked or unticked."""
    refusal = compat.may("look", request)
    if refusal or not enabled:
        yield [line(refusal), *_same()] if refusal else look(False, request)
        return
    planner = current_planner()
    if planner.engine.report().state in (EngineState.STOPPED, EngineState.SETTING_UP):
        planner.engine.start()
    yield from _until_read(planner, switch)


def _until_read(planner: Planner, switch: UntickCounter) -> Iterator[list[Any]]:
    before = switch.unticked

    def wanted() -> bool:
        return switch.unticked == before

    yield from _follow(planner, wanted)
    if wanted():
        yield from _scan(planner, wanted)


def _scan(planner: Planner, wanted: Callable[[], bool]) -> Iterator[list[Any]]:
    """Read the LoRA folders once the engine is ready.

    Yields nothing after unticking: gradio 3 shows the last yielded value.
    """
    report = planner.engine.report()
    if report.state is not EngineState.READY:
        return
    yield [line("Reading your LoRAs."), *_same()]
    trouble = ""
    try:
        planner.scan(compat.lora_folders(), compat.listing(), options.timeouts())
    except StylusError as error:
        trouble = str(error)
    if not wanted():
        return
    state = shown_of(planner, planner.engine.report())
    yield [line(trouble), *state[1:]] if trouble else state


def set_up(switch: UntickCounter, request: Request) -> Iterator[list[Any]]:
    """Build the environment, if the user may download."""
    refusal = compat.may("download", request)
    planner = current_planner()
    if refusal:
        yield [line(refusal), *_same()]
        return
    planner.engine.set_up()
    planner.engine.start()
    yield from _until_read(planner, switch)


def look(enabled: bool, request: Request) -> list[Any]:
    refusal = compat.may("look", request)
    if refusal:
        return [line(refusal), *_same()]
    if not enabled:
        return [line(""), gr.update(visible=False), gr.update(visible=False), *_same()[2:]]
    planner = current_planner()
    return shown_of(planner, planner.engine.report())


def go_on(enabled: bool, switch: UntickCounter, request: Request) -> list[Any]:
    """Collapse updates to one for pages that receive only one."""
    if not enabled or compat.may("look", request):
        return [gr.update(), *_same()]
    return last_soon(_until_read(current_planner(), switch)) or [gr.update(), *_same()]


def show_latest(enabled: bool, request: Request) -> list[Any]:
    """Show the box's present state after many quick clicks."""
    return [gr.update(), *_same()] if enabled else look(False, request)


def choose_family(family: str, request: Request) -> list[Any]:
    """Store the family for the loaded checkpoint; `auto` deletes it."""
    planner = current_planner()
    refusal = compat.may("change", request)
    if refusal:
        return [line(refusal), *_same()]
    planner.remembered.put(loaded_checkpoint(), family if family in known_families() else None)
    return shown_of(planner, planner.engine.report())


def offer_afresh(replay: str) -> Any:
    from stylus_ext.host import infotext

    return gr.update(visible=infotext.load_replay(replay) is not None)


def select_afresh(prompt: str, replay: str) -> list[Any]:
    """Restore the prompt from before Stylus and clear the replay."""
    from stylus_ext.host import infotext

    earlier = infotext.load_replay(replay)
    return [prompt if earlier is None else earlier.original, ""]


def _follow(planner: Planner, wanted: Callable[[], bool]) -> Iterator[list[Any]]:
    """Yield states until ready or blocked.

    Yields every second even without news, since gradio notices a closed page only when sending.
    """
    began = moved = last_sent = time.monotonic()
    before: EngineReport | None = None
    while wanted() and time.monotonic() < began + _LONGEST_S:
        report = planner.engine.report()
        if report != before or time.monotonic() >= last_sent + _SAYS_EVERY_S:
            yield shown_of(planner, report) if report != before else [gr.update(), *_same()]
            before, last_sent = report, time.monotonic()
        if report.state in _UNDER_WAY:
            moved = time.monotonic()
        elif report.state is not EngineState.STOPPED or time.monotonic() >= moved + _WAKES_S:
            return
        time.sleep(_LOOK_EVERY_S)


def last_soon(states: Iterator[list[Any]]) -> list[Any]:
    """Collapse updates to one: the last, or the current one after a while."""
    began = time.monotonic()
    last: list[Any] = []
    for state in states:
        last = state if isinstance(state[0], str) else last
        if time.monotonic() >= began + _SOON_S:
            break
    return last


async def follow_fetch(enabled: bool, downloads: bool) -> AsyncIterator[str]:
    """Yield download progress; async, since the host may be busy for long."""
    if not (enabled and downloads):
        return
    planner = current_planner()
    before, idle_since = "", time.monotonic()
    while time.monotonic() < idle_since + _IDLE_S:
        await asyncio.sleep(_LOOK_EVERY_S)
        progress = planner.downloads.line
        if progress != before:
            yield line(progress) if progress else shown_of(planner, planner.engine.report())[0]
            before = progress
        if progress or compat.at_work():
            idle_since = time.monotonic()


def shown_of(planner: Planner, report: EngineReport) -> list[Any]:
    """Values of all panel outputs for one engine report."""
    finding = loaded_family(planner.remembered)
    model = (
        f"Base model: {finding.family} ({finding.because})."
        if finding.known
        else ("Nothing says for which base model this checkpoint is; choose its family below.")
    )
    remembered = planner.remembered.get(loaded_checkpoint()) or AUTO
    return [
        line(describe(report), model, *(_without(note, report.sentence) for note in last_notes())),
        gr.update(visible=report.state is EngineState.NOT_SET_UP and report.step != AGAIN),
        gr.update(visible=report.state is EngineState.FAILED or report.step == AGAIN),
        gr.update(value=remembered),
        _switch(planner.downloads.shown()),
        _composers(planner.composing.shown()),
    ]


def _switch(shown: bool | None) -> Any:
    """The download switch: keeps its value while the engine restarts, off if unavailable."""
    if shown is None:
        return gr.update()
    return gr.update(visible=True) if shown else gr.update(visible=False, value=False)


def _composers(shown: tuple[str, ...] | None) -> Any:
    """The composer choice, visible if there is one."""
    if shown is None:
        return gr.update()
    return (
        gr.update(visible=True, choices=list(shown))
        if len(shown) > 1
        else gr.update(visible=False, value=shown[0])
    )


def _same() -> list[Any]:
    """No update for all outputs but the line."""
    return [gr.update() for _ in range(5)]


def _without(note: str, sentence: str) -> str:
    """Remove from a note what the line already says."""
    return f"{note.replace(sentence, '').rstrip(' :')}." if sentence and sentence in note else note


def line(*texts: str) -> str:
    text = "<br>".join(html.escape(text) for text in texts if text)
    return f"<p>{text}</p>" if text else ""
