"""Where a generation asks for its plans: the engine, waited for as long as it may be, and what is
remembered between pictures.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from stylus_ext.core.errors import (
    Cancelled,
    DeadlineExceeded,
    EngineGone,
    Note,
    StylusError,
    Unavailable,
)
from stylus_ext.core.generation import (
    EngineAnswerState,
    FolderState,
    GenerationAnswer,
    GenerationRequest,
    answer_from_json,
    request_to_json,
)
from stylus_ext.core.lru import LruCache
from stylus_ext.core.plan import Outcome
from stylus_ext.host.checkpoint import Remembered
from stylus_ext.host.engine.setup_state import EngineReport, EngineState
from stylus_ext.host.permissions import ComposerPermissions, DownloadPermissions
from stylus_ext.host.preview_sessions import PreviewSessions
from stylus_ext.host.timeouts import Timeouts

if TYPE_CHECKING:
    from stylus_ext.host.engine.supervisor import EngineProcess

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_LOOK_EVERY_S = 0.1
_DOUBT_S = 1.0
_SHORTEST_S = 0.1
_LONGEST_S = 3600.0
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
    @property
    def epoch(self) -> int: ...
    def wait_ready(
        self, timeout_s: float, interrupted: Callable[[], bool], after: int = -1
    ) -> bool: ...


class EngineApi(Protocol):
    """What it is asked, as `engine_client` does it."""

    def generation(
        self, payload: Mapping[str, Any], deadline_s: float, interrupted: Callable[[], bool]
    ) -> dict[str, Any]: ...
    def folders(self, payload: Mapping[str, Any], timeout_s: float) -> dict[str, Any]: ...
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
    made: LruCache[tuple[int, str], MadePicture] = field(
        default_factory=lambda: LruCache(_REMEMBERED)
    )
    downloads: DownloadPermissions = field(init=False)
    composing: ComposerPermissions = field(init=False)
    sessions: PreviewSessions = field(default_factory=PreviewSessions)
    _warm: int | None = None
    _read: tuple[Any, float] = (None, 0.0)
    _indexed: float = -_INDEX_AGAIN_S

    def __post_init__(self) -> None:
        self.downloads, self.composing = DownloadPermissions(self), ComposerPermissions(self)

    def ready(self, timeout_s: float, after: int = -1) -> None:
        """Starts the engine if need be and waits for it, or for one that became ready after the
        epoch `after`; raises the engine's own sentence when it does not come.
        """
        if after < 0 and self.engine.report().state in _READY:
            return
        until = time.monotonic() + timeout_s
        slice_s = min(_LOOK_EVERY_S if after < 0 else _DOUBT_S, timeout_s)
        try:
            while not self.engine.wait_ready(slice_s, self.interrupted, after):
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

    def generation(
        self, request: GenerationRequest, timeouts: Timeouts, waits: bool
    ) -> GenerationAnswer:
        """`waits` is for the page, where the user sees why it takes longer; an API call has the
        time of a first plan for all of it.
        """
        for_others = timeouts.warm_s * (request.texts.distinct_prompts() - 1)
        until = time.monotonic() + (timeouts.ready_s if waits else timeouts.cold_s) + for_others
        read, self._read = self._read, (None, 0.0)  # nothing is read until there is an answer

        def ask(after: int) -> GenerationAnswer:
            self.ready(max(0.0, until - time.monotonic()), after)
            timed = self._timed(request, timeouts, for_others, until - time.monotonic())
            reads = timed.wait_for_folders
            self.say(f"Stylus: {'reading your LoRAs' if reads else 'choosing LoRAs'}")
            payload = request_to_json(timed)
            answer = self.client.generation(payload, timed.deadline_s or 0.0, self.interrupted)
            return answer_from_json(answer, request)

        try:
            answer = retried(self.engine, ask)
        finally:
            self.say(None)
        self._read = read
        self._learn(answer.state)
        self._complete(request.lora_dirs, answer.state)
        return answer

    def _timed(
        self, request: GenerationRequest, timeouts: Timeouts, for_others: float, left: float
    ) -> GenerationRequest:
        """With its deadline: that of a first plan until this engine has answered one."""
        if self._warm is not None and self._warm == self.engine.report().pid:
            deadline_s = timeouts.warm_s + for_others
            return replace(request, deadline_s=min(deadline_s, _LONGEST_S))
        left = min(max(_SHORTEST_S, left), _LONGEST_S)
        planning_s = min(timeouts.cold_s + for_others, left)
        if not request.lora_dirs:
            return replace(request, deadline_s=planning_s)
        return replace(request, deadline_s=left, planning_s=planning_s, wait_for_folders=True)

    def _complete(self, folders: Sequence[str], state: EngineAnswerState) -> None:
        """Starts a job that reads, hashes and embeds what the request had no time for."""
        now = time.monotonic()
        unfinished = not state.index_complete or state.outcome is Outcome.LATE
        unfinished = unfinished or state.folders is FolderState.LATE
        if not folders or not unfinished or state.folders is FolderState.BUSY:
            return
        if now < self._indexed + _INDEX_AGAIN_S:
            return
        self._indexed = now
        try:
            self.client.index(folders)
        except StylusError as error:
            logger.info("the folders wait for the next plan: %s", error)

    def _learn(self, state: EngineAnswerState) -> None:
        """Whether the engine has loaded what it needs, and whether the folders were read."""
        if state.outcome is Outcome.DONE:
            self._warm = self.engine.report().pid
        unread = state.folders in (FolderState.BUSY, FolderState.LATE)
        if unread or state.outcome is not Outcome.DONE:
            self._read = (None, 0.0)

    def always(self, timeouts: Timeouts, waits: bool) -> list[str]:
        """What the user wants whatever the checkpoint is."""
        self.ready(timeouts.ready_s if waits else timeouts.cold_s)
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
            self.sessions,
        )
        quiet.downloads, quiet.composing = self.downloads, self.composing
        quiet._warm, quiet._read, quiet._indexed = self._warm, self._read, self._indexed
        return quiet

    def learned(self, other: Planner) -> None:
        """What one that stood aside found out."""
        self._warm, self._read, self._indexed = other._warm, other._read, other._indexed

    def scan(self, folders: Sequence[str], listing: object, timeouts: Timeouts) -> None:
        """Reads the LoRA folders before the first plan; then a job hashes and embeds them."""
        before = self._read
        wanted = self.folders_to_read(folders, listing)
        if not wanted:
            return
        read, self._read = self._read, before
        self._indexed = time.monotonic()
        quiet = self.aside()
        seconds = max(timeouts.ready_s, timeouts.cold_s)

        def ask(after: int) -> dict[str, Any]:
            quiet.ready(timeouts.ready_s, after)
            payload = {"lora_dirs": wanted, "wait": True, "deadline_s": seconds}
            return self.client.folders(payload, seconds)

        state = EngineAnswerState.from_json(retried(self.engine, ask)["state"])
        if state.folders is FolderState.READ:
            self._read = read
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


def retried(engine: EngineHandle, ask: Callable[[int], Answer]) -> Answer:
    """The one retry: asks once more when the engine is lost meanwhile.

    `ask` gets the epoch after which an engine must have become ready, or -1 for any.
    """
    epoch = engine.epoch
    try:
        return ask(-1)
    except EngineGone as gone:
        logger.info("the engine is lost (%s); the next one is asked", gone)
        return ask(epoch)


def plan_for_caller(
    process: EngineProcess, payload: Mapping[str, Any], deadline_s: float
) -> dict[str, Any]:
    """A plan for a caller of the WebUI's API; one deadline for all of it."""
    from stylus_ext.host.engine.client import EngineClient

    client, until = EngineClient(process), time.monotonic() + deadline_s

    def ask(after: int) -> dict[str, Any]:
        return client.plan(payload, max(0.0, until - time.monotonic()), bool, after)

    return retried(process, ask)


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
        self._planner: Planner | None = None

    def at(self, place: tuple[object, ...]) -> Planner:
        if self._planner is None or self._place != place:
            self._planner, self._place = self._make(place), place
        return self._planner
