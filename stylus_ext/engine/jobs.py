"""Long work in the background: a job has a state, its progress, a result or an error, and can be
cancelled.
"""

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
_LOGGED = 100


@dataclass(slots=True)
class Job:
    """Seen from several threads: the worker writes, everybody reads; `as_json` is a consistent
    picture.
    """

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
    guard: threading.Lock = field(default_factory=threading.Lock)

    def report(self, step: str, done: int, total: int | None = None) -> None:
        """The progress of the worker; the place where a cancel takes effect."""
        if self.stop.is_set():
            raise Cancelled(self._stopped())
        with self.guard:
            if step != self.step:
                self.step_started = time.monotonic()
                self._note(step)
            self.step, self.done, self.total = step, done, total

    def as_json(self) -> dict[str, Any]:
        with self.guard:
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

    def _note(self, text: str) -> None:
        """What it came to, and when; of very many the latest."""
        self.log.append({"after_s": round(self.step_started - self.started, 1), "text": text})
        del self.log[:-_LOGGED]

    def cancel(self) -> None:
        """One that waits ends here and now, one that runs at its next report."""
        self.stop.set()
        with self.guard:
            if self.state == "waiting":
                self._end("cancelled", error=self._stopped())

    def run(self) -> None:
        """In the worker's thread; returns however the work ends."""
        with self.guard:
            work = self.work
            if self.state in FINISHED or work is None:
                return
            self.state = "running"
            self.started = self.step_started = time.monotonic()
        ended: dict[str, Any]
        try:
            ended = {"state": "done", "result": work(self)}
        except Cancelled as error:
            ended = {"state": "cancelled", "error": str(error)}
        except StylusError as error:
            ended = {"state": "failed", "error": str(error)}
        except Exception as error:  # the worker must outlive a job; the job says what happened
            logger.exception("job %s failed", self.name)
            said = (
                f"{self.name} failed unexpectedly ({type(error).__name__}); the engine's log has"
                " the details."
            )
            ended = {"state": "failed", "error": said}
        with self.guard:
            self._end(**ended)
        logger.info(
            "job %s: %s after %.1f s. %s",
            self.name,
            self.state,
            time.monotonic() - self.started,
            self.error,
        )

    def _end(self, state: str, result: dict[str, Any] | None = None, error: str = "") -> None:
        self.state, self.result, self.error = state, result, error
        self.work = None  # with what it was asked, which may be large

    def _stopped(self) -> str:
        return f"{self.name} was stopped, as you asked; what was finished stays."

    def _eta(self) -> float | None:
        if self.state != "running" or not self.total or not 0 < self.done <= self.total:
            return None
        return round(
            (time.monotonic() - self.step_started) * (self.total - self.done) / self.done, 1
        )


class Jobs:
    """One worker: jobs change the catalogue, so they run one after another, in the order in which
    they were asked for.

    What somebody waits for in front of a picture runs beside them, in a thread of its own.
    """

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._guard = threading.Lock()
        self._closed = False
        self._beside: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._run, name="stylus-jobs", daemon=True)
        self._thread.start()

    def start(self, name: str, work: Work, *, beside: bool = False) -> Job:
        job = Job(secrets.token_hex(8), name, work)
        with self._guard:
            if self._closed:
                raise Unavailable("The engine is stopping, so it takes no more work.")
            finished = [each.id for each in self._jobs.values() if each.state in FINISHED]
            if len(self._jobs) - len(finished) >= _MOST_WAITING:
                raise Unavailable(
                    f"{_MOST_WAITING} jobs are waiting already; try again when some of them are"
                    " done."
                )
            for old in finished[: max(0, len(self._jobs) + 1 - _REMEMBERED)]:
                del self._jobs[old]
            self._jobs[job.id] = job
            if beside:
                self._beside = [thread for thread in self._beside if thread.is_alive()]
                self._beside.append(
                    threading.Thread(target=job.run, name=f"stylus-{name}", daemon=True)
                )
                self._beside[-1].start()
            else:
                self._queue.put(job)
        return job

    def get(self, job_id: str) -> Job:
        with self._guard:
            if job_id not in self._jobs:
                raise InvalidInput(f"There is no job {job_id[:40]!r} any more.")
            return self._jobs[job_id]

    def all(self) -> list[Job]:
        with self._guard:
            return list(self._jobs.values())

    def cancel(self, job_id: str) -> Job:
        job = self.get(job_id)
        job.cancel()
        return job

    def close(self, wait_s: float = 10.0) -> bool:
        """Asks every job to stop and waits for the one that runs; whether it has ended."""
        with self._guard:
            self._closed = True
        for job in self.all():
            job.cancel()
        self._queue.put(None)
        until = time.monotonic() + wait_s
        threads = [self._thread, *self._beside]
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            job.run()
