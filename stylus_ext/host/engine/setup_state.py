"""State of the engine and of its private environment, as shown in the panel."""

from __future__ import annotations

import logging
import subprocess
import threading
from dataclasses import dataclass, field
from enum import Enum

from stylus_ext.core.errors import SetupProblem
from stylus_ext.environment.engine_link import EngineLink
from stylus_ext.environment.files import is_locked
from stylus_ext.environment.hook import start_detached
from stylus_ext.environment.launch import CLI, environment_variables
from stylus_ext.environment.layout import (
    BUILD_LOCK,
    Environment,
    default_home,
    default_locks,
    plan_environment,
)
from stylus_ext.environment.progress import BuildProgress, megabytes, read_progress
from stylus_ext.environment.run_in_env import main_command

logger = logging.getLogger(__name__)


AGAIN = "again"  # the step of a set-up that was begun and did not come to its end


class EngineState(str, Enum):
    """States from "not set up" to "ready"."""

    NOT_SET_UP = "not_set_up"
    SETTING_UP = "setting_up"
    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    REMOTE = "remote"


ANSWERING = (EngineState.READY, EngineState.REMOTE)


@dataclass(frozen=True, slots=True)
class EngineReport:
    """A snapshot of the engine's state; the megabytes are the set-up's progress."""

    state: EngineState
    sentence: str
    step: str = ""
    done_mb: int = 0
    total_mb: int = 0
    eta_s: int | None = None
    pid: int = 0
    url: str = ""
    version: str = ""


def stopped() -> EngineReport:
    sentence = "The engine is not running; it starts by itself as soon as it is needed."
    return EngineReport(EngineState.STOPPED, sentence)


def starting(pid: int = 0, why: str = "") -> EngineReport:
    sentence = (
        f"The engine is starting again, since it {why}."
        if why
        else "The engine is starting; this takes a few seconds."
    )
    return EngineReport(EngineState.STARTING, sentence, step="starting", pid=pid)


def ready(url: str, pid: int, version: str) -> EngineReport:
    return EngineReport(
        EngineState.READY, "The engine is ready.", pid=pid, url=url, version=version
    )


def remote(url: str) -> EngineReport:
    sentence = f"Plans are made by the shared engine at {url}."
    return EngineReport(EngineState.REMOTE, sentence, url=url)


def failed(sentence: str, version: str = "") -> EngineReport:
    return EngineReport(EngineState.FAILED, sentence, version=version)


def mismatched(theirs: str, ours: str) -> EngineReport:
    """Report for an engine of another version: a UI reload keeps the old modules."""
    what = (
        f"Stylus was changed from version {ours} to {theirs} while the WebUI was running"
        if theirs
        else f"The engine that runs is not of Stylus {ours}, which the WebUI has loaded"
    )
    return failed(f"{what}: please restart the WebUI fully.", theirs)


@dataclass
class Setup:
    """The private environment of this extension folder."""

    _environment: Environment | None = None
    _refusal: str = ""
    _builder: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def ready(self) -> bool:
        environment = self._planned()
        return environment is not None and environment.ready

    def begin(self) -> None:
        """Start or resume the build; a running one continues."""
        environment = self._planned()
        if environment is None or environment.ready or self._building(environment):
            return
        try:
            self._builder = start_detached(environment)
        except OSError as error:
            folder = environment.home.folder
            self._refusal = (
                f"The engine cannot be set up in {folder}: {error}. Please check its rights."
            )
        else:
            self._refusal = ""

    def report(self) -> EngineReport | None:
        """The set-up's report; None if complete."""
        environment = self._planned()
        if environment is None:
            return failed(self._refusal)
        if environment.ready:
            return None
        progress = read_progress(environment.home.progress)
        if self._building(environment):
            return _under_way(progress)
        return self._missing(environment, progress)

    def command(self, words: list[str]) -> list[str]:
        """Command line of the engine in this environment."""
        return main_command(CLI, *words)

    def variables(self) -> dict[str, str]:
        environment = self._planned()
        if environment is None:
            raise SetupProblem(self._refusal)
        return environment_variables(environment)

    def _planned(self) -> Environment | None:
        if self._environment is None:
            try:
                self._environment = plan_environment(default_home(), default_locks())
            except SetupProblem as problem:
                self._refusal = str(problem)
        return self._environment

    def _building(self, environment: Environment) -> bool:
        """True for our own builder at once, for others as soon as they hold the lock."""
        if self._builder is not None and self._builder.poll() is None:
            return True
        try:
            return is_locked(environment.home.folder / f"{BUILD_LOCK}.lock")
        except OSError:
            return False

    def _missing(self, environment: Environment, progress: BuildProgress | None) -> EngineReport:
        sizes = [megabytes(part) for part in environment.parts if not part.ready]
        download, disk = sum(size[0] for size in sizes), sum(size[1] for size in sizes)
        needs = f"about {download:,} MB to download, {disk:,} MB on disk"
        step = AGAIN
        if self._refusal:
            sentence = self._refusal
        elif progress is not None and progress.error:
            sentence = f"The set-up of the engine stopped: {progress.error}"
        elif progress is not None and not progress.finished:
            sentence = (
                "The set-up of the engine was interrupted. Press Retry to take it up again"
                f" ({needs})."
            )
        else:
            step = ""
            sentence = (
                f"The engine is not set up yet. Press Set up to prepare it ({needs}); the WebUI's"
                " own packages stay as they are."
            )
        return EngineReport(EngineState.NOT_SET_UP, sentence, step, total_mb=download + disk)


def _under_way(progress: BuildProgress | None) -> EngineReport:
    sentence = "The engine is being set up; this is needed once."
    if progress is None or progress.finished:
        return EngineReport(EngineState.SETTING_UP, sentence, step="beginning")
    figures = (progress.step, progress.done_mb, progress.total_mb, progress.eta_s)
    return EngineReport(EngineState.SETTING_UP, sentence, *figures)


class Board:
    """Shared engine state. `epoch` counts links, so that a caller can wait for the next one;
    `failures` counts failed starts in a row.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.now: EngineReport = stopped()
        self.link: EngineLink | None = None
        self.epoch = 0
        self.failures = 0
        self.look = threading.Event()

    def ready(self, url: str, token: str, pid: int, version: str) -> None:
        with self.changed:
            self.epoch += 1
            self.failures = 0
            self.publish(ready(url, pid, version), EngineLink(url, token))

    def failed(self, sentence: str) -> None:
        with self.changed:
            self.failures += 1
            self.publish(failed(sentence))

    def publish(self, now: EngineReport, link: EngineLink | None = None) -> None:
        with self.changed:
            self.now, self.link = now, link
            self.changed.notify_all()
        (logger.warning if now.state is EngineState.FAILED else logger.info)("%s", now.sentence)
