"""Work in the WebUI's process that runs only while the WebUI is idle.

The work is a generator. Each `Step` that it yields is run while no picture is made or waits, under
the host's queue lock; its result is sent back, its error raised at the `yield`. The code between
two steps runs without the lock. So a picture of the user's waits for one step at most.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cache
from typing import Any

from stylus_ext.core.errors import Cancelled, InvalidInput, StylusError, Unavailable

logger = logging.getLogger(__name__)

REST_S = 0.2
QUIET_S = 3.0
FINISHED = frozenset({"done", "failed", "cancelled"})
WAITING = "Waiting until the WebUI is idle"
_REMEMBERED = 10


@dataclass(frozen=True, slots=True)
class Step:
    """One short call of the host.

    `counts` is added to the progress. A step that goes through the WebUI's own API, which takes
    the queue lock itself, has `holds_queue` False.
    """

    call: Callable[[], Any]
    text: str = ""
    counts: int = 1
    holds_queue: bool = True


Steps = Generator[Step, Any, "dict[str, Any] | None"]


class HostQueue:
    """The host's queue: `modules.call_queue`, `progress` and `shared.state`, alike in all hosts."""

    def is_busy(self) -> bool:
        """True while a picture is made or waits."""
        from modules import progress, shared

        return bool(
            getattr(shared.state, "job", "")
            or getattr(progress, "current_task", None)
            or getattr(progress, "pending_tasks", None)
        )

    def take(self) -> bool:
        """Take the lock if nothing holds it."""
        from modules import call_queue

        return bool(call_queue.queue_lock.acquire(False))

    def release(self) -> None:
        from modules import call_queue

        call_queue.queue_lock.release()


class Work:
    """One piece of work and its progress, in the fields of the engine's jobs."""

    def __init__(self, name: str, steps: Steps, total: int | None) -> None:
        self.id, self.name, self.steps = secrets.token_hex(8), name, steps
        self.state, self.text, self.error = "waiting", "", ""
        self.done, self.total = 0, total
        self.result: dict[str, Any] | None = None
        self.stop = threading.Event()
        self.ended = threading.Event()
        self.spent_s = 0.0

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "step": WAITING if self.state == "waiting" else self.text,
            "done": self.done,
            "total": self.total,
            "eta_s": self._eta(),
            "result": self.result,
            "error": self.error,
            "log": [],
        }

    def _eta(self) -> float | None:
        if self.state != "running" or not self.total or not 0 < self.done <= self.total:
            return None
        return round(self.spent_s * (self.total - self.done) / self.done, 1)


class IdleWork:
    """Runs one piece of work at a time in a thread; its errors end the work only.

    `quiet_s` is how long the WebUI must have been idle before the first step, and before the first
    step after a picture; `rest_s` is the pause between steps, in which others get the lock.
    """

    def __init__(
        self, queue: HostQueue | None = None, *, rest_s: float = REST_S, quiet_s: float = QUIET_S
    ) -> None:
        self._queue = queue or HostQueue()
        self._rest_s, self._quiet_s = rest_s, quiet_s
        self._lock = threading.Lock()
        self._all: deque[Work] = deque(maxlen=_REMEMBERED)

    def start(self, name: str, steps: Steps, total: int | None = None) -> Work:
        """Start work; refused while other work has not ended."""
        with self._lock:
            if self._all and not self._all[-1].ended.is_set():
                raise Unavailable(
                    f"{self._all[-1].name} is at work. Cancel it or wait until it is done."
                )
            work = Work(name, steps, total)
            self._all.append(work)
        threading.Thread(target=self._run, args=(work,), name=f"stylus-{name}", daemon=True).start()
        return work

    def get(self, work_id: str) -> Work:
        with self._lock:
            found = next((work for work in self._all if work.id == work_id), None)
        if found is None:
            raise InvalidInput(f"There is no job {work_id[:40]!r}.")
        return found

    def all(self) -> list[Work]:
        """The last pieces of work, oldest first."""
        with self._lock:
            return list(self._all)

    def cancel(self, work_id: str) -> Work:
        """Stop before the next step; a step that runs is finished."""
        work = self.get(work_id)
        work.stop.set()
        return work

    def _run(self, work: Work) -> None:
        began = time.monotonic()
        state, error = "failed", f"{work.name} stopped unexpectedly. See the WebUI's log."
        try:
            work.result = self._all_steps(work)
            state, error = "done", ""
        except Cancelled as problem:
            state, error = "cancelled", str(problem)
        except StylusError as problem:
            error = str(problem)
        except Exception as problem:  # the WebUI must outlive the work
            logger.exception("%s failed", work.name)
            error = f"{work.name} failed ({type(problem).__name__}). See the WebUI's log."
        finally:
            work.state, work.error = state, error
            work.ended.set()
            seconds = time.monotonic() - began
            logger.info("%s: %s after %.1f s. %s", work.name, state, seconds, error)

    def _all_steps(self, work: Work) -> dict[str, Any] | None:
        try:
            step = next(work.steps)
            while True:
                try:
                    result = self._when_idle(work, step)
                except Cancelled:
                    raise
                except Exception as problem:  # noqa: BLE001  # the work decides what it means
                    step = work.steps.throw(problem)
                else:
                    work.done += step.counts
                    step = work.steps.send(result)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        finally:
            work.steps.close()

    def _when_idle(self, work: Work, step: Step) -> Any:
        """Run a step as soon as nothing of the user's is made or waits."""
        work.text = step.text or work.text
        pause = self._rest_s if work.spent_s else self._quiet_s
        while True:
            if self._paused(work, pause) and self._take(step):
                break
            work.state, pause = "waiting", self._quiet_s
        work.state, began = "running", time.monotonic()
        try:
            return step.call()
        finally:
            if step.holds_queue:
                self._queue.release()
            work.spent_s += time.monotonic() - began

    def _paused(self, work: Work, seconds: float) -> bool:
        """Wait; False if the WebUI was busy meanwhile."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if work.stop.wait(min(left, max(self._rest_s, 0.01))):
                break
            if self._queue.is_busy():
                work.stop.wait(max(self._rest_s, 0.01))
                return False
        if work.stop.is_set():
            raise Cancelled(f"{work.name} was stopped, as you asked; what was finished stays.")
        return True

    def _take(self, step: Step) -> bool:
        """Claim the queue; False if the user was faster, even while it was claimed."""
        if self._queue.is_busy() or not self._queue.take():
            return False
        if self._queue.is_busy():
            self._queue.release()
            return False
        if not step.holds_queue:
            self._queue.release()
        return True


@cache
def idle_work() -> IdleWork:
    """The one of this WebUI; survives "Reload UI" as the extension's modules do."""
    return IdleWork()
