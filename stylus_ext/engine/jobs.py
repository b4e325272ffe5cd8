"""Long work in the background: a job has a state, its progress, a result or an error, and can be cancelled."""

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

from stylus_ext.core.errors import Cancelled, InvalidInput, StylusError
from stylus_ext.core.ports import Progress

logger = logging.getLogger(__name__)

Work = Callable[[Progress], dict[str, Any]]
_REMEMBERED = 100
FINISHED = frozenset({"done", "failed", "cancelled"})


@dataclass(slots=True)
class Job:
    """Seen from several threads: the worker writes, everybody reads; `as_json` is a consistent picture."""

    id: str
    name: str
    work: Work
    state: str = "waiting"
    step: str = ""
    done: int = 0
    total: int | None = None
    result: dict[str, Any] | None = None
    error: str = ""
    started: float = 0.0
    step_started: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def report(self, step: str, done: int, total: int | None = None) -> None:
        """The progress of the worker; the place where a cancel takes effect."""
        if self.stop.is_set():
            raise Cancelled(f"{self.name} was stopped, as you asked; what was finished stays.")
        with self.guard:
            if step != self.step:
                self.step_started = time.monotonic()
            self.step, self.done, self.total = step, done, total

    def as_json(self) -> dict[str, Any]:
        with self.guard:
            return {
                "id": self.id, "name": self.name, "state": self.state, "step": self.step, "done": self.done, "total": self.total,
                "eta_s": self._eta(), "result": self.result, "error": self.error,
            }

    def _eta(self) -> float | None:
        if self.state != "running" or not self.total or not 0 < self.done <= self.total:
            return None
        return round((time.monotonic() - self.step_started) * (self.total - self.done) / self.done, 1)

    def end(self, state: str, result: dict[str, Any] | None = None, error: str = "") -> None:
        with self.guard:
            self.state, self.result, self.error = state, result, error


class Jobs:
    """One worker: jobs change the catalogue, so they run one after another, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="stylus-jobs", daemon=True)
        self._thread.start()

    def start(self, name: str, work: Work) -> Job:
        job = Job(secrets.token_hex(8), name, work)
        with self._guard:
            self._jobs[job.id] = job
            finished = [each.id for each in self._jobs.values() if each.state in FINISHED]
            for old in finished[: max(0, len(self._jobs) - _REMEMBERED)]:
                del self._jobs[old]
        self._queue.put(job)
        return job

    def get(self, job_id: str) -> Job:
        with self._guard:
            if job_id not in self._jobs:
                raise InvalidInput(f"There is no job {job_id!r} any more.")
            return self._jobs[job_id]

    def all(self) -> list[Job]:
        with self._guard:
            return list(self._jobs.values())

    def cancel(self, job_id: str) -> Job:
        job = self.get(job_id)
        job.stop.set()
        return job

    def close(self, wait_s: float = 10.0) -> None:
        """Asks every job to stop and waits for the one that runs."""
        for job in self.all():
            job.stop.set()
        self._queue.put(None)
        self._thread.join(wait_s)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            _perform(job)


def _perform(job: Job) -> None:
    if job.stop.is_set():
        job.end("cancelled")
        return
    job.started = job.step_started = time.monotonic()
    job.state = "running"
    try:
        result = job.work(job)
    except Cancelled as error:
        job.end("cancelled", error=str(error))
    except StylusError as error:
        job.end("failed", error=str(error))
    except Exception as error:  # the worker must outlive a job; the job says what happened
        logger.exception("job %s failed", job.name)
        job.end("failed", error=f"{job.name} failed unexpectedly ({type(error).__name__}); the engine's log has the details.")
    else:
        job.end("done", result)
    logger.info("job %s: %s after %.1f s", job.name, job.state, time.monotonic() - job.started)
