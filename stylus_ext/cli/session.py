"""Run operations in the engine of the data folder, else in this process."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from stylus_ext.cli.flags import OTHER_FOLDERS
from stylus_ext.core.errors import (
    Cancelled,
    EngineGone,
    EngineRefusal,
    InvalidInput,
    SetupProblem,
    StoreProblem,
    StylusError,
    Unavailable,
)
from stylus_ext.core.fetching import MB
from stylus_ext.core.ports import Progress
from stylus_ext.core.settings import Settings
from stylus_ext.engine.jobs import FINISHED
from stylus_ext.engine.operations.table import OPERATIONS, perform
from stylus_ext.environment import engine_address
from stylus_ext.environment.engine_link import EngineLink, attach
from stylus_ext.environment.files import is_locked

logger = logging.getLogger(__name__)


_POLL_S = 0.2
_PLAN_S = 600.0
_MOST_MISSES = 2
_SHORTEST_CHECK_S = 1.0
_SOON_S = 2.0
_MINUTES_FROM_S = 100.0
_IN_BYTES = ("Fetching ", "Hashing ")
"""How the names of steps begin whose progress is in bytes."""


class Session(Protocol):
    """Runs operations by name."""

    attached: bool

    def call(self, name: str, payload: Mapping[str, Any]) -> dict[str, Any]: ...


class ProgressLine:
    """Progress as one line in a terminal, else as log lines."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._shown = 0.0
        self._width = 0
        self._step = ""
        self._printed_steps: set[str] = set()
        self._began, self._first = 0.0, 0

    def report(self, step: str, done: int, total: int | None = None) -> None:
        now = time.monotonic()
        if step == self._step and now - self._shown < _POLL_S and done != total:
            return
        if step != self._step:
            self._began, self._first = now, done
        format_amount = _in_mb if step.startswith(_IN_BYTES) else _plain
        text = (
            f"{step}: {format_amount(done)} of {format_amount(total)}{self._left(now, done, total)}"
            if total
            else f"{step}: {format_amount(done)}"
        )
        if self._live:
            sys.stderr.write("\r" + text.ljust(self._width))
            sys.stderr.flush()
            self._width = len(text)
        elif step not in self._printed_steps:  # some take turns, such as all files and each of them
            sys.stderr.write(f"{step}\n")
            self._printed_steps.add(step)
        self._shown, self._step = now, step

    def _left(self, now: float, done: int, total: int) -> str:
        """Estimate the remaining time, once possible."""
        if now - self._began < _SOON_S or not self._first < done < total:
            return ""
        seconds = (now - self._began) * (total - done) / (done - self._first)
        return (
            f", {seconds:.0f} s left"
            if seconds < _MINUTES_FROM_S
            else f", {seconds / 60:,.0f} min left"
        )

    def clear(self) -> None:
        if self._live and self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            self._width = 0


def _plain(number: int) -> str:
    return f"{number:,}"


def _in_mb(number: int) -> str:
    return f"{number / MB:,.1f} MB"


class EngineSession:
    attached = True

    def __init__(self, link: EngineLink, line: ProgressLine) -> None:
        self._link = link
        self._line = line

    def call(self, name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        try:
            if OPERATIONS[name].long:
                return self._follow(self._link.call("POST", f"/v1/jobs/{name}", payload))
            names = ("lora_dirs", *OTHER_FOLDERS)
            folders = {name: payload[name] for name in names if payload.get(name)}
            if folders:  # reading may take long; afterwards the plan finds nothing new in them
                read = self._follow(
                    self._link.call("POST", "/v1/jobs/index", {**folders, "hash": False})
                )
                return _with_notes(self._answer(name, payload), read["notes"])
            return self._answer(name, payload)
        except EngineRefusal as refusal:
            raise (InvalidInput if refusal.code == "invalid" else Unavailable)(
                str(refusal)
            ) from refusal
        except EngineGone as gone:
            raise Unavailable(str(gone)) from gone

    def _answer(self, name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        return self._link.call_while_alive(f"/v1/{name}", payload, _PLAN_S)

    def _follow(self, job: dict[str, Any]) -> dict[str, Any]:
        try:
            while job["state"] not in FINISHED:
                time.sleep(_POLL_S)
                job = self._link.call("GET", f"/v1/jobs/{job['id']}")
                self._line.report(
                    job["step"] or "waiting for the engine", job["done"], job["total"]
                )
        except KeyboardInterrupt:
            with contextlib.suppress(StylusError):
                self._link.call("POST", f"/v1/jobs/{job['id']}/cancel", {})
            raise
        if job["state"] == "done":
            return dict(job["result"])
        raise (Cancelled if job["state"] == "cancelled" else StylusError)(job["error"])


def _with_notes(answer: dict[str, Any], notes: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Add the notes of reading the folders to those of the plan."""
    plan = answer["plan"]
    return {
        **answer,
        "plan": {
            **plan,
            "notes": [*(note for note in notes if note not in plan["notes"]), *plan["notes"]],
        },
    }


class LocalSession:
    attached = False

    def __init__(self, folder: Path, settings: Settings, progress: Progress) -> None:
        from stylus_ext.engine.stylus import open_stylus

        self._stylus = open_stylus(folder, settings)
        self._progress = progress

    def call(self, name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Run an operation; only plans need vectors, others the starter catalogue."""
        catalogue = self._stylus.catalogue
        (catalogue.prepare if name == "plan" else catalogue.load_starter)(self._progress)
        return perform(self._stylus, name, payload, self._progress)

    def close(self) -> None:
        self._stylus.close()


@contextlib.contextmanager
def session(folder: Path, settings: Settings, what: str, wait_s: float) -> Iterator[Session]:
    """Attach to a running engine, else hold the folder, so that only one process writes."""
    line = ProgressLine()
    with contextlib.ExitStack() as stack:
        stack.callback(line.clear)
        link = attach_or_hold(folder, what, wait_s, stack)
        if link is not None:
            logger.info("attached to the engine at %s", link.url)
            yield EngineSession(link, line)
        else:
            here = LocalSession(folder, settings, line)
            stack.callback(here.close)
            yield here


def attach_or_hold(
    folder: Path, what: str, wait_s: float, stack: contextlib.ExitStack
) -> EngineLink | None:
    """Return a link to the folder's engine, or None after locking the folder.

    The holder may be an engine that is starting: both ways are tried until the time is over.
    """
    make_folder(folder)
    until = time.monotonic() + wait_s
    reported, misses = False, 0
    while True:
        link, problem = attach(folder), None
        if link is not None:
            try:
                link.check(max(_SHORTEST_CHECK_S, until - time.monotonic()))
            except EngineGone as gone:  # another program may have its address, or it is stopped
                problem = gone
            else:
                return link
        try:
            stack.enter_context(engine_address.hold(folder, engine_address.ENGINE_LOCK, what))
        except SetupProblem:
            misses = (
                0 if _is_held(folder) else misses + 1
            )  # it may just have been let go; or it cannot be had at all
            if time.monotonic() >= until or misses > _MOST_MISSES:
                if problem is None:
                    raise
                raise Unavailable(
                    f"{problem} The engine may be busy or stopped: give --wait more time, or end"
                    " its process."
                ) from problem
        else:
            return None
        if not reported:
            reported = _report_holder(folder)
        time.sleep(_POLL_S)


def _is_held(folder: Path) -> bool:
    try:
        return is_locked(folder / f"{engine_address.ENGINE_LOCK}.lock")
    except OSError:
        return False


def _report_holder(folder: Path) -> bool:
    holder = engine_address.engine_holder(folder)
    if holder is None:  # it has just come, or just gone
        return False
    sys.stderr.write(f"Waiting for {holder.sentence()}, which has the data folder {folder}.\n")
    sys.stderr.flush()
    return True


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StoreProblem(
            f"The data folder {folder} cannot be created: {reason}. Name another with --data-dir."
        ) from error
