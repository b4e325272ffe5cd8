"""Where a command is carried out: in the engine that runs on the data folder, else in this process, which then holds it."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from stylus_ext.app.wiring import open_stylus
from stylus_ext.core.errors import Cancelled, InvalidInput, StoreProblem, StylusError, Unavailable
from stylus_ext.core.ports import Progress
from stylus_ext.core.settings import Settings
from stylus_ext.engine.jobs import FINISHED
from stylus_ext.engine.operations import OPERATIONS, perform
from stylus_ext.environment import rendezvous
from stylus_ext.environment.engine_link import EngineLink, attach
from stylus_ext.environment.problems import EngineGone, EngineRefusal, SetupProblem

logger = logging.getLogger(__name__)

_POLL_S = 0.2
_PLAN_S = 600.0


class Session(Protocol):
    """Carries out operations by name."""

    def call(self, name: str, payload: Mapping[str, Any]) -> dict[str, Any]: ...


class Line:
    """Progress as one line on standard error, where a person is looking; a log line otherwise."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._shown = 0.0
        self._width = 0
        self._step = ""

    def report(self, step: str, done: int, total: int | None = None) -> None:
        now = time.monotonic()
        if step == self._step and now - self._shown < _POLL_S and done != total:
            return
        text = f"{step}: {done:,} of {total:,}" if total else f"{step}: {done:,}"
        if self._live:
            sys.stderr.write("\r" + text.ljust(self._width))
            sys.stderr.flush()
            self._width = len(text)
        elif step != self._step:
            sys.stderr.write(f"{step}\n")
        self._shown, self._step = now, step

    def clear(self) -> None:
        if self._live and self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            self._width = 0


class _Attached:
    def __init__(self, link: EngineLink, line: Line) -> None:
        self._link = link
        self._line = line

    def call(self, name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        try:
            if OPERATIONS[name].long:
                return self._follow(self._link.call("POST", f"/v1/jobs/{name}", payload))
            if payload.get("lora_dirs"):  # reading a folder may take long; afterwards the plan finds nothing new in it
                self._follow(self._link.call("POST", "/v1/jobs/index", {"lora_dirs": payload["lora_dirs"], "hash": False}))
            return self._link.call("POST", f"/v1/{name}", payload, timeout_s=_PLAN_S)
        except EngineRefusal as refusal:
            raise (InvalidInput if refusal.code == "invalid" else Unavailable)(str(refusal)) from refusal
        except EngineGone as gone:
            raise Unavailable(str(gone)) from gone

    def _follow(self, job: dict[str, Any]) -> dict[str, Any]:
        try:
            while job["state"] not in FINISHED:
                time.sleep(_POLL_S)
                job = self._link.call("GET", f"/v1/jobs/{job['id']}")
                self._line.report(job["step"] or "waiting", job["done"], job["total"])
        except KeyboardInterrupt:
            self._link.call("POST", f"/v1/jobs/{job['id']}/cancel", {})
            raise
        if job["state"] == "done":
            return dict(job["result"])
        raise (Cancelled if job["state"] == "cancelled" else StylusError)(job["error"])


class _Here:
    def __init__(self, folder: Path, settings: Settings, progress: Progress) -> None:
        self._stylus = open_stylus(folder, settings)
        self._progress = progress
        try:
            self._stylus.prepare(progress)
        except BaseException:
            self.close()
            raise

    def call(self, name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        return perform(self._stylus, name, payload, self._progress)

    def close(self) -> None:
        self._stylus.close()


@contextlib.contextmanager
def session(folder: Path, settings: Settings, what: str, wait_s: float) -> Iterator[Session]:
    """Attached to a running engine, or here with the folder held, so that two processes never write at once."""
    line = Line()
    with contextlib.ExitStack() as stack:
        stack.callback(line.clear)
        make_folder(folder)
        link = _link_or_lock(folder, what, wait_s, stack)
        if link is not None:
            logger.info("attached to the engine at %s", link.url)
            yield _Attached(link, line)
        else:
            here = _Here(folder, settings, line)
            stack.callback(here.close)
            yield here


def _link_or_lock(folder: Path, what: str, wait_s: float, stack: contextlib.ExitStack) -> EngineLink | None:
    """Whoever has the folder may be an engine that is just starting: as long as we wait, both ways are tried."""
    until = time.monotonic() + wait_s
    told = False
    while True:
        link = attach(folder)
        if link is not None:
            return link
        try:
            stack.enter_context(rendezvous.hold(folder, rendezvous.ENGINE_LOCK, what))
        except SetupProblem:
            holder = rendezvous.engine_holder(folder)
            if holder is None or time.monotonic() >= until:
                raise
            if not told:
                sys.stderr.write(f"Waiting for {holder.sentence()}, which has the data folder {folder}.\n")
                told = True
            time.sleep(_POLL_S)
        else:
            return None


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreProblem(f"The data folder {folder} cannot be made: {error.strerror}. Name another with --data-dir.") from error

