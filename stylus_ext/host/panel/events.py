"""Panel events: engine state, set-up buttons, family, selecting again."""

from __future__ import annotations

import asyncio
import html
import itertools
import json
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any

from stylus_ext.core.errors import StylusError
from stylus_ext.core.family import display_name, known_families
from stylus_ext.host import compat, other_adapters
from stylus_ext.host.checkpoint import Finding, find_family, loaded_checkpoint
from stylus_ext.host.compat import Request
from stylus_ext.host.early_start import remember_enabled
from stylus_ext.host.engine.setup_state import AGAIN, ANSWERING, EngineReport, EngineState
from stylus_ext.host.planner import Planner, current_planner, describe, timeouts
from stylus_ext.host.values import AUTO, read_values

if TYPE_CHECKING:
    from stylus_ext.host.panel.wiring import UntickCounter

logger = logging.getLogger(__name__)

gr = compat.gr
_LOOK_EVERY_S = 0.25
_SAYS_EVERY_S = 1.0
_LONGEST_S = 3600.0
_WAKES_S = 5.0
_SOON_S = 1.0
_IDLE_S = 10.0
_READING = "Reading your LoRAs."
_numbers = itertools.count(1)
_UNDER_WAY = (EngineState.STARTING, EngineState.SETTING_UP)


def watch(enabled: bool, counter: UntickCounter, request: Request) -> Iterator[list[Any]]:
    """Start the engine when the box is ticked; yield its state until ready, blocked or unticked."""
    refusal = compat.may("look", request)
    if not compat.may("change", request):
        remember_enabled(enabled)
    if refusal or not enabled:
        yield _only(refusal) if refusal else look(False, request)
        return
    planner = current_planner()
    if planner.engine.report().state in (EngineState.STOPPED, EngineState.SETTING_UP):
        planner.engine.start()
    yield from _until_read(planner, counter)


def _until_read(planner: Planner, counter: UntickCounter) -> Iterator[list[Any]]:
    before = counter.unticked

    def wanted() -> bool:
        return counter.unticked == before

    yield from _follow(planner, wanted)
    if wanted():
        yield from _scan(planner, wanted)


def _scan(planner: Planner, wanted: Callable[[], bool]) -> Iterator[list[Any]]:
    """Read the LoRA folders once the engine is ready.

    Says every second what happens. Yields nothing after unticking: gradio 3 shows the last yielded
    value.
    """
    report = planner.engine.report()
    if report.state is not EngineState.READY:
        return
    reading = _begin_reading(planner)
    text = _READING
    yield _only(text, following=True)
    while wanted() and not wait([reading], _SAYS_EVERY_S).done:
        report, before = planner.engine.report(), text
        text = _READING if report.state is EngineState.READY else describe(report)
        yield _only(text, following=True) if text != before else _unchanged()
    if not wanted():
        return
    trouble, state = reading.result(), shown_of(planner, planner.engine.report())
    yield [line(trouble), *state[1:]] if trouble else state


def _begin_reading(planner: Planner) -> Future[str]:
    """Read the LoRA folders, unless that is under way."""
    reading = planner.memory.reading
    if reading is None or reading.done():
        reading = _in_thread(
            planner.scan,
            compat.lora_folders(),
            (compat.listing(), other_adapters.listing()),
            timeouts(),
            other_adapters.folders(),
        )
        planner.memory.reading = reading
    return reading


def _in_thread(work: Callable[..., None], *arguments: Any) -> Future[str]:
    """Run `work` beside this thread; the result is what went wrong, or empty."""
    outcome: Future[str] = Future()

    def run() -> None:
        trouble = "Your LoRAs could not be read. The WebUI's log says why."
        try:
            work(*arguments)
            trouble = ""
        except StylusError as error:
            trouble = str(error)
        finally:
            outcome.set_result(trouble)

    threading.Thread(target=run, name="stylus-read-folders", daemon=True).start()
    return outcome


def set_up(counter: UntickCounter, request: Request) -> Iterator[list[Any]]:
    """Build the environment, if the user may download."""
    refusal = compat.may("download", request)
    planner = current_planner()
    if refusal:
        yield _only(refusal)
        return
    planner.engine.set_up()
    planner.engine.start()
    yield from _until_read(planner, counter)


def watch_once(enabled: bool, counter: UntickCounter, request: Request) -> list[Any]:
    """`watch` for pages that receive only one update."""
    return last_soon(watch(enabled, counter, request))


def set_up_once(counter: UntickCounter, request: Request) -> list[Any]:
    return last_soon(set_up(counter, request))


def look(enabled: bool, request: Request, session_id: str = "") -> list[Any]:
    """The present state, with the notes on the pictures that this page made last."""
    refusal = compat.may("look", request)
    if refusal:
        return _only(refusal)
    if not enabled:
        return [line(""), gr.update(visible=False), gr.update(visible=False), *_unchanged()[3:]]
    planner = current_planner()
    session = planner.sessions.of(session_id)
    made = None if session is None else session.made
    notes = [] if made is None else [note.text for note in made[0].notes]
    return shown_of(planner, planner.engine.report(), notes)


def after_generation(enabled: bool, session_id: str, request: Request) -> list[Any]:
    return look(enabled, request, session_id)


def look_again(enabled: bool, request: Request) -> list[Any]:
    """The present state at once, for a page that asks until nothing is under way."""
    if not enabled or compat.may("look", request):
        return look(enabled, request)
    planner = current_planner()
    report, reading = planner.engine.report(), planner.memory.reading
    if report.state is not EngineState.READY:
        return shown_of(planner, report)
    reading = reading or _begin_reading(planner)
    if not reading.done():
        return _only(_READING, following=True)
    trouble, state = reading.result(), shown_of(planner, report)
    return [line(trouble), *state[1:]] if trouble else state


def show_latest(enabled: bool, request: Request) -> list[Any]:
    """Show the box's present state after many quick clicks."""
    return _unchanged() if enabled else look(False, request)


def choose_family(family: str, request: Request) -> list[Any]:
    """Store the family for the loaded checkpoint; `auto` deletes it."""
    planner = current_planner()
    refusal = compat.may("change", request)
    if refusal:
        return _only(refusal)
    planner.remembered.put(loaded_checkpoint(), family if family in known_families() else None)
    return shown_of(planner, planner.engine.report())


def _follow(planner: Planner, wanted: Callable[[], bool]) -> Iterator[list[Any]]:
    """Yield states until ready or blocked.

    Yields every second even without news, since gradio notices a closed page only when sending.
    """
    began = moved = last_sent = time.monotonic()
    before: EngineReport | None = None
    while wanted() and time.monotonic() < began + _LONGEST_S:
        report = planner.engine.report()
        if report != before or time.monotonic() >= last_sent + _SAYS_EVERY_S:
            yield shown_of(planner, report) if report != before else _unchanged()
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


async def follow_fetch() -> AsyncIterator[str]:
    """Yield download progress; async, since the host may be busy for long."""
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


def shown_of(planner: Planner, report: EngineReport, notes: Sequence[str] = ()) -> list[Any]:
    """Values of all panel outputs for one engine report; a ready engine has nothing to say."""
    checkpoint = loaded_checkpoint()
    remembered = planner.remembered.get(checkpoint)
    finding = find_family(checkpoint, remembered)
    ready = report.state in ANSWERING
    return [
        line(
            "" if ready else describe(report),
            "" if finding.known else _UNKNOWN_BASE_MODEL,
            *(_without(note, report.sentence) for note in notes),
            ready=ready,
            following=report.state in _UNDER_WAY,
        ),
        gr.update(visible=report.state is EngineState.NOT_SET_UP and report.step != AGAIN),
        gr.update(visible=report.state is EngineState.FAILED or report.step == AGAIN),
        gr.update(value=remembered or AUTO, info=_base_model_hint(finding, remembered)),
        *_offers(planner),
    ]


_UNKNOWN_BASE_MODEL = "The base model of this checkpoint is unknown. Choose it in More options."


def _base_model_hint(finding: Finding, remembered: str | None) -> str:
    if remembered:
        return "Remembered for this checkpoint"
    if not finding.known:
        return "Unknown for this checkpoint"
    return f"auto: {display_name(finding.family)}, by {finding.because}"


def _offers(planner: Planner) -> list[Any]:
    """The download switch and the composers, as the engine offers them; unchanged if unknown."""
    shown = planner.permissions.shown()
    if shown is None:
        return _unchanged()[:2]
    downloads, composers = shown
    return [
        gr.update(visible=True) if downloads else gr.update(visible=False, value=False),
        gr.update(visible=True, choices=list(composers))
        if len(composers) > 1
        else gr.update(visible=False, value=composers[0]),
    ]


def _unchanged() -> list[Any]:
    """No update for any output."""
    return [gr.update() for _ in range(6)]


def _only(text: str, *, following: bool = False) -> list[Any]:
    """Return an update of the status line only."""
    return [line(text, following=following), *_unchanged()[1:]]


def _without(note: str, sentence: str) -> str:
    """Remove from a note what the line already says."""
    if not sentence or sentence not in note:
        return note
    before, after = (part.strip(" :") for part in note.split(sentence, 1))
    return " ".join(filter(None, (before and f"{before.rstrip('.')}.", after)))


def line(*texts: str, ready: bool = False, following: bool = False) -> str:
    """The state line; hidden marks tell the page's scripts to ask again, or that it is ready.

    The number of the former makes each answer differ, so that the page sees that one came.
    """
    text = "<br>".join(html.escape(text) for text in texts if text)
    mark = f'<span class="stylus-following" data-at="{next(_numbers)}" hidden></span>'
    marks = (READY_MARK if ready else "") + (mark if following else "")
    return (f"<p>{text}</p>" if text else "") + marks


READY_MARK = '<span class="stylus-ready" hidden></span>'


def preview_event(boxes: Sequence[Any], args: Sequence[Any], request: Any) -> str:
    """Run a preview; the answer always differs, so that the page sees every change."""
    number = next(_numbers)
    try:
        answer = _preview(boxes, args, request)
    except StylusError as error:
        logger.info("no preview: %s", error)
        answer = {"error": str(error)}
    return json.dumps({"number": number, **answer})


def _preview(boxes: Sequence[Any], args: Sequence[Any], request: Any) -> dict[str, Any]:
    from stylus_ext.host.plan_view import session_view
    from stylus_ext.host.preview import look as plan_preview
    from stylus_ext.host.preview import preview_request

    planner, values = current_planner(), read_values(args).values
    refusal = compat.may(planner.permissions.kind(values.composer), request)
    if refusal:
        return {"error": refusal}
    session = planner.sessions.at(values.session_id)
    plan_preview(planner, session, preview_request(boxes, values))
    return session_view(planner, session)
