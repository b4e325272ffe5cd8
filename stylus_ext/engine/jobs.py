"""Background jobs with state, progress, result and cancel."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from stylus_ext.core.errors import Cancelled, InvalidInput, StylusError, Unavailable
from stylus_ext.core.ports import Progress

logger = logging.getLogger(__name__)

Work = Callable[[Progress], dict[str, Any]]
FINISHED = frozenset({"done", "failed", "cancelled"})
_REMEMBERED = 100
_MOST_WAITING = 100
_LOG_LINES = 100


@dataclass(slots=True)
class Job:
    """One job and its progress; its worker writes, any thread reads."""

    id: str
    name: str
    work: Work | None
    state: str = "waiting"
    step: str = ""
    done: int = 0
    total: int | None = None
    result: dict[str, Any] | None = None
    error: str = ""
    started: float = 0.0
    step_started: float = 0.0
    log: list[dict[str, Any]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def report(self, step: str, done: int, total: int | None = None) -> None:
        """The worker's progress; raises `Cancelled` after a cancel."""
        if self.stop.is_set():
            raise Cancelled(self._stopped())
        with self.lock:
            if step != self.step:
                self.step_started = time.monotonic()
                after_s = round(self.step_started - self.started, 1)
                self.log.append({"after_s": after_s, "text": step})
                del self.log[:-_LOG_LINES]
            self.step, self.done, self.total = step, done, total

    def as_json(self) -> dict[str, Any]:
        with self.lock:
            return {
                "id": self.id,
                "name": self.name,
                "state": self.state,
                "step": self.step,
                "done": self.done,
                "total": self.total,
                "eta_s": self._eta(),
                "result": self.result,
                "error": self.error,
                "log": list(self.log),
            }

    def cancel(self) -> None:
        """Ends a waiting job now, a running one at its next report."""
        self.stop.set()
        with self.lock:
            if self.state == "waiting":
                self._end("cancelled", error=self._stopped())

    def run(self) -> None:
        """Does the work in this thread; never raises an `Exception`."""
        with self.lock:
            work = self.work
            if self.state in FINISHED or work is None:
                return
            self.state = "running"
            self.started = self.step_started = time.monotonic()
        result: dict[str, Any] | None = None
        state, error = "done", ""
        try:
            result = work(self)
        except Cancelled as problem:
            state, error = "cancelled", str(problem)
        except StylusError as problem:
            state, error = "failed", str(problem)
        except Exception as problem:  # the worker thread must outlive the job
            logger.exception("job %s failed", self.name)
            state = "failed"
            error = (
                f"{self.name} failed unexpectedly ({type(problem).__name__}). See the engine's log."
            )
        with self.lock:
            self._end(state, result, error)
        seconds = time.monotonic() - self.started
        logger.info("job %s: %s after %.1f s. %s", self.name, self.state, seconds, self.error)

    def _end(self, state: str, result: dict[str, Any] | None = None, error: str = "") -> None:
        self.state, self.result, self.error = state, result, error
        self.work = None  # releases its request, which may be large

    def _stopped(self) -> str:
        return f"{self.name} was stopped, as you asked; what was finished stays."

    def _eta(self) -> float | None:
        if self.state != "running" or not self.total or not 0 < self.done <= self.total:
            return None
        seconds = time.monotonic() - self.step_started
        return round(seconds * (self.total - self.done) / self.done, 1)


class Jobs:
    """Runs jobs one after another, since they change the catalogue; concurrent ones get a thread
    of their own.
    """

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._concurrent: list[threading.Thread] = []
        self._worker = threading.Thread(target=self._run, name="stylus-jobs", daemon=True)
        self._worker.start()

    def start(self, name: str, work: Work, *, concurrent: bool = False) -> Job:
        job = Job(secrets.token_hex(8), name, work)
        with self._lock:
            if self._closed:
                raise Unavailable("The engine is stopping and takes no more jobs.")
            finished = [other.id for other in self._jobs.values() if other.state in FINISHED]
            if len(self._jobs) - len(finished) >= _MOST_WAITING:
                raise Unavailable(f"{_MOST_WAITING} jobs are waiting. Try again later.")
            for old in finished[: max(0, len(self._jobs) + 1 - _REMEMBERED)]:
                del self._jobs[old]
            self._jobs[job.id] = job
            if concurrent:
                thread = threading.Thread(target=job.run, name=f"stylus-{name}", daemon=True)
                running = [other for other in self._concurrent if other.is_alive()]
                self._concurrent = [*running, thread]
                thread.start()
            else:
                self._queue.put(job)
        return job

    def get(self, job_id: str) -> Job:
        with self._lock:
            if job_id not in self._jobs:
                raise InvalidInput(f"There is no job {job_id[:40]!r}.")
            return self._jobs[job_id]

    def all(self) -> list[Job]:
        with self._lock:
            return list(self._jobs.values())

    def cancel(self, job_id: str) -> Job:
        job = self.get(job_id)
        job.cancel()
        return job

    def close(self, wait_s: float = 10.0) -> bool:
        """Cancels every job and waits for the running ones; returns whether all have ended."""
        with self._lock:
            self._closed = True
        for job in self.all():
            job.cancel()
        self._queue.put(None)
        until = time.monotonic() + wait_s
        threads = [self._worker, *self._concurrent]
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            job.run()
