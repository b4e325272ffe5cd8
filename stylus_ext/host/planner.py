"""The planner of this WebUI process: waits for the engine, asks it, and remembers its pictures.

The host is imported inside functions, so that a planner can be made without one.
"""

from __future__ import annotations

import copy
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from stylus_ext.core.errors import (
    Cancelled,
    DeadlineExceeded,
    EngineGone,
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
from stylus_ext.host.engine.setup_state import ANSWERING, EngineReport, EngineState
from stylus_ext.host.fetching import HostDownloads
from stylus_ext.host.permissions import Permissions
from stylus_ext.host.preview_sessions import PreviewSessions

if TYPE_CHECKING:
    from concurrent.futures import Future

    from stylus_ext.host.engine.client import EngineClient
    from stylus_ext.host.engine.supervisor import EngineProcess

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

TOKEN_VARIABLE = "STYLUS_ENGINE_TOKEN"  # noqa: S105
_LOOK_EVERY_S = 0.1
_DOUBT_S = 1.0
_SHORTEST_S = 0.1
_LONGEST_S = 3600.0
_READ_AGAIN_S = 300.0
_REMEMBERED = 256
_OTHER_FOLDERS = ("embedding_dirs", "hypernetwork_dirs")
_INDEX_AGAIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for a starting engine, the first plan (loads the encoder) and later plans."""

    ready_s: float = 60.0
    cold_s: float = 20.0
    warm_s: float = 2.0


@dataclass(frozen=True, slots=True)
class MadePicture:
    """A picture that was made: its prompts after Stylus, and its infotext fields."""

    prompt: str
    negative: str
    fields: Mapping[str, str]


@dataclass
class EngineMemory:
    """What is known of the engine: the pid of one that has planned, and when it read folders."""

    warm_pid: int | None = None
    read: tuple[Any, float] = (None, 0.0)
    indexed: float = -_INDEX_AGAIN_S
    reading: Future[str] | None = None
    """The last reading of the folders for the panel; its result is what went wrong."""


@dataclass
class Planner:
    """`say` shows a line under the progress bar; `interrupted` is the user's stop button."""

    engine: EngineProcess
    client: EngineClient
    remembered: Remembered
    interrupted: Callable[[], bool]
    say: Callable[[str | None], None]
    made: LruCache[tuple[int, str], MadePicture] = field(
        default_factory=lambda: LruCache(_REMEMBERED)
    )
    sessions: PreviewSessions = field(default_factory=PreviewSessions)
    memory: EngineMemory = field(default_factory=EngineMemory)
    downloads: HostDownloads = field(init=False)
    permissions: Permissions = field(init=False)

    def __post_init__(self) -> None:
        self.downloads, self.permissions = HostDownloads(self), Permissions(self)

    def aside(self) -> Planner:
        """A planner that shows no progress and ignores the stop button, for previews."""
        quiet = copy.copy(self)
        quiet.interrupted, quiet.say = (lambda: False), (lambda _: None)
        return quiet

    def ready(self, timeout_s: float, after: int = -1) -> None:
        """Start the engine if needed and wait until it is ready, in an epoch later than `after`.

        Raises the engine's own sentence if it does not become ready.
        """
        if after < 0 and self.engine.report().state in ANSWERING:
            return
        until = time.monotonic() + timeout_s
        slice_s = min(_LOOK_EVERY_S if after < 0 else _DOUBT_S, timeout_s)
        try:
            while not self.engine.wait_ready(slice_s, self.interrupted, after):
                self._check(self.engine.report(), until)
        finally:
            self.say(None)

    def _check(self, report: EngineReport, until: float) -> None:
        if self.interrupted():
            raise Cancelled("It was interrupted while it waited for the engine.")
        if report.state in (EngineState.NOT_SET_UP, EngineState.FAILED):
            raise Unavailable(report.sentence)
        if time.monotonic() >= until:
            raise DeadlineExceeded(f"{report.sentence} The picture did not wait any longer.")
        self.say(f"Stylus: {describe(report)}")

    def generation(
        self, request: GenerationRequest, timeouts: Timeouts, waits: bool
    ) -> GenerationAnswer:
        """Ask for the texts of one generation.

        `waits` is for the page, where the user sees why it takes longer; an API call has the time
        of a first plan for all of it. So has the page once an engine has planned: then one that is
        not ready has been lost.
        """
        for_others = timeouts.warm_s * (request.texts.distinct_prompts() - 1)
        first = waits and self.memory.warm_pid is None
        until = time.monotonic() + (timeouts.ready_s if first else timeouts.cold_s) + for_others
        read, self.memory.read = self.memory.read, (None, 0.0)  # until there is an answer

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
        state = answer.state
        if state.outcome is Outcome.DONE:
            self.memory.warm_pid = self.engine.report().pid
            if state.folders not in (FolderState.BUSY, FolderState.LATE):
                self.memory.read = read
        others = {name: list(getattr(request, name)) for name in _OTHER_FOLDERS}
        self._complete(request.lora_dirs, others, state)
        return answer

    def _timed(
        self, request: GenerationRequest, timeouts: Timeouts, for_others: float, left: float
    ) -> GenerationRequest:
        """Add the deadline: that of a first plan until this engine has answered one."""
        if self.memory.warm_pid is not None and self.memory.warm_pid == self.engine.report().pid:
            deadline_s = timeouts.warm_s + for_others
            return replace(request, deadline_s=min(deadline_s, _LONGEST_S))
        left = min(max(_SHORTEST_S, left), _LONGEST_S)
        planning_s = min(timeouts.cold_s + for_others, left)
        if not request.lora_dirs:
            return replace(request, deadline_s=planning_s)
        return replace(request, deadline_s=left, planning_s=planning_s, wait_for_folders=True)

    def _complete(
        self,
        folders: Sequence[str],
        others: Mapping[str, Sequence[str]],
        state: EngineAnswerState,
    ) -> None:
        """Start a job that reads, hashes and embeds what the request had no time for."""
        unfinished = not state.index_complete or state.outcome is Outcome.LATE
        unfinished = unfinished or state.folders is FolderState.LATE
        now = time.monotonic()
        if not folders or not unfinished or state.folders is FolderState.BUSY:
            return
        if now < self.memory.indexed + _INDEX_AGAIN_S:
            return
        self.memory.indexed = now
        try:
            self.client.index(folders, others)
        except StylusError as error:
            logger.info("the folders wait for the next plan: %s", error)

    def always(self, timeouts: Timeouts, waits: bool) -> list[str]:
        """Stems that the user always wants, whatever the checkpoint is."""
        self.ready(timeouts.ready_s if waits else timeouts.cold_s)
        return self.client.always()

    def scan(
        self,
        folders: Sequence[str],
        listing: object,
        timeouts: Timeouts,
        others: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Read the folders before the first plan, `others` by field of a request; then a job hashes
        and embeds them.
        """
        wanted = self.folders_to_read(folders, listing)
        if not wanted:
            return
        read, self.memory.read = self.memory.read, (None, 0.0)  # until there is an answer
        self.memory.indexed = time.monotonic()
        quiet = self.aside()
        seconds = max(timeouts.ready_s, timeouts.cold_s)

        def ask(after: int) -> dict[str, Any]:
            quiet.ready(timeouts.ready_s, after)
            payload = {"lora_dirs": wanted, **(others or {}), "wait": True, "deadline_s": seconds}
            return self.client.folders(payload, seconds)

        state = EngineAnswerState.from_json(retried(self.engine, ask)["state"])
        if state.folders is FolderState.READ:
            self.memory.read = read
        self.client.index(folders, others)

    def folders_to_read(self, folders: Sequence[str], listing: object) -> list[str]:
        """All folders when the host lists other files, and now and then; else none."""
        if self.engine.report().state is EngineState.REMOTE:
            return []  # a shared engine does not see this machine's disk
        state = (tuple(folders), listing)
        now = time.monotonic()
        if self.memory.read[0] == state and now - self.memory.read[1] < _READ_AGAIN_S:
            return []
        self.memory.read = (state, now)
        return list(folders)


def retried(engine: EngineProcess, ask: Callable[[int], Answer]) -> Answer:
    """The one retry: asks once more when the engine is lost meanwhile.

    `ask` gets the epoch after which an engine must have become ready, or -1 for any.
    """
    epoch = engine.epoch
    try:
        return ask(-1)
    except EngineGone as gone:
        logger.info("the engine is lost (%s); the next one is asked", gone)
        return ask(epoch)


def describe(report: EngineReport) -> str:
    """A report as one line: the sentence, and the progress of a set-up."""
    if report.state is not EngineState.SETTING_UP or not report.total_mb:
        return report.sentence
    left = "" if report.eta_s is None else f", about {report.eta_s} s left"
    return f"{report.sentence} {report.step}: {report.done_mb} of {report.total_mb} MB{left}."


def timeouts(composer: str = "rules") -> Timeouts:
    """The settings page's timeouts for plans of this composer."""
    from stylus_ext.host.options import own

    more = 0.0 if composer == "rules" else own("chat_s")
    return Timeouts(own("ready_s"), own("cold_s") + more, own("warm_s") + more)


def make_planner() -> Planner:
    """A planner for the settings page's data folder and engine."""
    from stylus_ext.host import compat, options, other_adapters
    from stylus_ext.host.engine.client import EngineClient
    from stylus_ext.host.engine.inventory import HostInventory
    from stylus_ext.host.engine.supervisor import current

    folder = options.data_folder()
    process = current(
        folder,
        url=options.own("engine_url"),
        token=os.environ.get(TOKEN_VARIABLE, ""),
        settings=options.engine_flags,
    )
    if process.remote:
        process.inventory = process.inventory or HostInventory(
            compat.listed_files, compat.listing, compat.cached_sha256, other_adapters.inventory
        )
    return Planner(
        process, EngineClient(process), Remembered(folder), compat.interrupted, compat.show_progress
    )


class PlannerRegistry:
    """The planner in use; another data folder, address or engine setting replaces it."""

    def __init__(self, make: Callable[[], Planner] = make_planner) -> None:
        self._make = make
        self._made: tuple[tuple[object, ...], Planner] | None = None

    def get(self, settings: tuple[object, ...]) -> Planner:
        if self._made is None or self._made[0] != settings:
            self._made = settings, self._make()
        return self._made[1]


registry = PlannerRegistry()


def current_planner() -> Planner:
    from stylus_ext.host import options

    return registry.get(
        (options.data_folder(), options.own("engine_url"), tuple(options.engine_flags()))
    )
