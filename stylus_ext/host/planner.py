"""Where a generation asks for its plans: the engine, waited for as long as it may be, and what is
remembered between pictures.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from stylus_ext.core.errors import (
    Cancelled,
    DeadlineExceeded,
    EngineGone,
    EngineRefusal,
    Note,
    StylusError,
    Unavailable,
)
from stylus_ext.host.checkpoint import Remembered
from stylus_ext.host.engine.setup_state import EngineReport, EngineState
from stylus_ext.host.permissions import ComposerPermissions, DownloadPermissions
from stylus_ext.host.preview_sessions import PreviewSessions
from stylus_ext.host.timeouts import Timeouts

logger = logging.getLogger(__name__)


_LOOK_EVERY_S = 0.1
_READ_AGAIN_S = 300.0
_REMEMBERED = 256
_INDEX_AGAIN_S = 60.0
_READY = (EngineState.READY, EngineState.REMOTE)
_HOPELESS = (EngineState.NOT_SET_UP, EngineState.FAILED)


class EngineHandle(Protocol):
    """The engine's process, as `engine_process` has it."""

    def report(self) -> EngineReport: ...
    def start(self) -> object: ...
    def set_up(self) -> object: ...
    def wait_ready(self, timeout_s: float, interrupted: Callable[[], bool]) -> bool: ...


class EngineApi(Protocol):
    """What it is asked, as `engine_client` does it."""

    def plan(
        self, payload: Mapping[str, Any], deadline_s: float, interrupted: Callable[[], bool]
    ) -> dict[str, Any]: ...
    def index(self, lora_dirs: Sequence[str]) -> object: ...
    def always(self) -> list[str]: ...
    def ask(
        self, method: str, path: str, payload: Any = None, timeout_s: float = 10.0
    ) -> dict[str, Any]: ...
    def status(self) -> dict[str, Any]: ...
    def begin(self, name: str, payload: Mapping[str, Any]) -> str: ...
    def job(self, job_id: str) -> dict[str, Any]: ...
    def cancel(self, job_id: str) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class MadePicture:
    """One picture that was made: what its prompts became, and its fields."""

    prompt: str
    negative: str
    fields: Mapping[str, str]


@dataclass
class Planner:
    """One for each WebUI process; `say` shows a line while somebody waits, `interrupted` tells that
    he no longer does.
    """

    engine: EngineHandle
    client: EngineApi
    remembered: Remembered
    interrupted: Callable[[], bool]
    say: Callable[[str | None], None]
    notes: tuple[Note, ...] = ()
    made: OrderedDict[tuple[int, str], MadePicture] = field(default_factory=OrderedDict)
    downloads: DownloadPermissions = field(init=False)
    composing: ComposerPermissions = field(init=False)
    trays: PreviewSessions = field(default_factory=PreviewSessions)
    _warm: int | None = None
    _read: tuple[Any, float] = (None, 0.0)
    _indexed: float = -_INDEX_AGAIN_S

    def __post_init__(self) -> None:
        self.downloads, self.composing = DownloadPermissions(self), ComposerPermissions(self)

    def ready(self, patience_s: float) -> None:
        """Starts the engine if need be and waits for it; raises with the engine's own sentence when
        it does not come.
        """
        if self.engine.report().state in _READY:
            return
        until = time.monotonic() + patience_s
        try:
            while not self.engine.wait_ready(min(_LOOK_EVERY_S, patience_s), self.interrupted):
                self._look(self.engine.report(), until)
        finally:
            self.say(None)

    def _look(self, report: EngineReport, until: float) -> None:
        if self.interrupted():
            raise Cancelled("It was interrupted while it waited for the engine.")
        if report.state in _HOPELESS:
            raise Unavailable(report.sentence)
        if time.monotonic() >= until:
            raise DeadlineExceeded(f"{report.sentence} That took longer than Stylus may wait.")
        self.say(f"Stylus: {describe(report)}")

    def plan(self, payload: Mapping[str, Any], patience: Timeouts, waits: bool) -> dict[str, Any]:
        """`waits` is for the page, where somebody sees why; the API's calls have the plan's own
        time for all of it.
        """
        pid = self._warm
        try:
            answer = self._plan(payload, patience, waits)
        except Unavailable:
            if not self._is_another(pid):
                raise
        else:
            if "late" not in _codes(answer) or not self._is_another(pid):
                return answer
        logger.info("the engine of process %s is gone; the one that came after it is asked", pid)
        return self._plan(payload, patience, waits)

    def _is_another(self, pid: int | None) -> bool:
        """Whether an engine came or comes in the place of the one that knew how to answer fast."""
        if pid is None or self.engine.report().pid == pid:
            return False
        self._warm = None
        return True

    def _plan(self, payload: Mapping[str, Any], patience: Timeouts, waits: bool) -> dict[str, Any]:
        started = time.monotonic()
        read, self._read = (
            self._read,
            (None, 0.0),
        )  # until there is an answer, nobody has read what was to be read
        self.ready(patience.ready_s if waits else patience.cold_s)
        warm = self._warm is not None and self._warm == self.engine.report().pid
        until = started + (
            patience.warm_s if warm else patience.ready_s if waits else patience.cold_s
        )
        each = patience.warm_s if warm else patience.cold_s
        try:
            while True:
                self.say("Stylus: choosing LoRAs")
                left = max(0.1, min(each, until - time.monotonic()))
                answer = self.client.plan({**payload, "deadline_s": left}, left, self.interrupted)
                said = _codes(answer)
                late = time.monotonic() + _LOOK_EVERY_S >= until
                if warm or late or "busy" not in said or not payload.get("lora_dirs"):
                    break
                self.say("Stylus: reading your LoRAs")
                time.sleep(_LOOK_EVERY_S)
        finally:
            self.say(None)
        self._read = read
        self._learn(said)
        self._complete(payload.get("lora_dirs") or (), said)
        return answer

    def _complete(self, folders: Sequence[str], said: set[str]) -> None:
        """What a plan read in its few seconds is read to the end, hashed and embedded on the
        engine's own time, as when the box is ticked.
        """
        now = time.monotonic()
        if (
            not folders
            or "busy" in said
            or not {"partial_index", "late"} & said
            or now < self._indexed + _INDEX_AGAIN_S
        ):
            return
        self._indexed = now
        try:
            self.client.index(folders)
        except (StylusError, EngineGone, EngineRefusal) as error:
            logger.info("the folders wait for the next plan: %s", error)

    def _learn(self, said: set[str]) -> None:
        """From the codes of a plan's notes: whether the encoder is loaded, and whether the folders
        were read.
        """
        if not {"late", "failed"} & said:
            self._warm = self.engine.report().pid
        if {"late", "failed", "busy"} & said:
            self._read = (None, 0.0)

    def always(self, patience: Timeouts, waits: bool) -> list[str]:
        """What the user wants whatever the checkpoint is."""
        self.ready(patience.ready_s if waits else patience.cold_s)
        return self.client.always()

    def aside(self) -> Planner:
        """The same for what is no picture: nothing under the progress bar, and a stop that was
        meant for the last picture stops nothing.
        """
        quiet = Planner(
            self.engine,
            self.client,
            self.remembered,
            lambda: False,
            lambda _: None,
            self.notes,
            self.made,
            self.trays,
        )
        quiet.downloads, quiet.composing = self.downloads, self.composing
        quiet._warm, quiet._read, quiet._indexed = self._warm, self._read, self._indexed
        return quiet

    def learned(self, other: Planner) -> None:
        """What one that stood aside found out."""
        self._warm, self._read, self._indexed = other._warm, other._read, other._indexed

    def scan(self, folders: Sequence[str], listing: object, patience: Timeouts) -> None:
        """Reads the LoRA folders before anybody asks for a plan; then the engine hashes and embeds
        them on its own time.
        """
        wanted = self.folders_to_read(folders, listing)
        if not wanted:
            return
        quiet = Planner(self.engine, self.client, self.remembered, lambda: False, lambda _: None)
        question = {
            "prompt": "",
            "negative_prompt": "",
            "seeds": [0],
            "batch_size": 1,
            "settings": {},
            "stems": [],
            "lora_dirs": wanted,
        }
        self._read = (None, 0.0)
        quiet._indexed = self._indexed = time.monotonic()  # it follows
        quiet.plan(question, patience, waits=True)
        quiet.folders_to_read(folders, listing)
        self._read = quiet._read
        self.client.index(list(folders))

    def folders_to_read(self, folders: Sequence[str], listing: object) -> list[str]:
        """All of them once, and when the host lists other files; else now and then, since reading
        takes its time.
        """
        if self.engine.report().state is EngineState.REMOTE:
            return []  # a shared engine does not see this machine's disk
        state = (tuple(folders), listing)
        now = time.monotonic()
        if self._read[0] == state and now - self._read[1] < _READ_AGAIN_S:
            return []
        self._read = (state, now)
        return list(folders)

    def remember(self, seed: int, original: str, made: MadePicture) -> None:
        self.made[seed, original] = made
        while len(self.made) > _REMEMBERED:
            self.made.popitem(last=False)


def _codes(answer: Mapping[str, Any]) -> set[str]:
    return {str(note["code"]) for note in answer["plan"]["notes"]}


def describe(report: EngineReport) -> str:
    """A report as one line: the sentence, and how far a set-up is."""
    if report.state is not EngineState.SETTING_UP or not report.total_mb:
        return report.sentence
    left = "" if report.eta_s is None else f", about {report.eta_s} s left"
    return f"{report.sentence} {report.step}: {report.done_mb} of {report.total_mb} MB{left}."


class PlannerRegistry:
    """The one that is in use; made when first asked for, replaced when its folder or address is
    another.
    """

    def __init__(self, make: Callable[[tuple[object, ...]], Planner]) -> None:
        self._make = make
        self._place: tuple[object, ...] | None = None
        self._desk: Planner | None = None

    def at(self, place: tuple[object, ...]) -> Planner:
        if self._desk is None or self._place != place:
            self._desk, self._place = self._make(place), place
        return self._desk
