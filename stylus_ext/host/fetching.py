"""Fetches what a plan lacks while somebody waits for the picture: files and folders go in, what did
not come and why comes out.

The engine fetches; here it is followed, told to the user, and stopped as soon as nobody waits any
more.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from stylus_ext.core.errors import Cancelled, EngineGone, StylusError
from stylus_ext.core.fetching import MB, in_mb
from stylus_ext.core.generation import joined
from stylus_ext.core.plan import MissingFile

logger = logging.getLogger(__name__)


_SLICE_S = 0.02
_LOOK_EVERY_S = 0.1
_LONGEST_TEXT = 2000
FINISHED = frozenset({"done", "failed", "cancelled"})


class FetchApi(Protocol):
    """The engine's jobs, as `engine_client` asks for them."""

    def begin(self, name: str, payload: Mapping[str, Any]) -> str: ...
    def job(self, job_id: str) -> dict[str, Any]: ...
    def cancel(self, job_id: str) -> dict[str, Any]: ...


class FetchStopped(Cancelled):
    """The user stopped the generation while its files came."""


@dataclass(frozen=True, slots=True)
class FetchOutcome:
    """By key the stem of what lies in the folders now, what of it is new as sentences, and by key
    why the others do not.
    """

    stems: Mapping[str, str] = field(default_factory=dict)
    messages: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FetchUi:
    """Where the user waits: what is shown to him, and his buttons. `longest_s` 0 waits until it is
    there.
    """

    say: Callable[[str | None], None]
    interrupted: Callable[[], bool]
    skipped: Callable[[], bool]
    longest_s: float = 0.0


def fetch(
    client: FetchApi, files: Sequence[MissingFile], folders: Sequence[str], ui: FetchUi
) -> FetchOutcome:
    """What does not come is in the answer; only the end of the whole generation is raised."""
    job = _HostFetch(
        client, {"keys": [str(file.key) for file in files], "lora_dirs": list(folders)}
    )
    named = _named(files)
    began = time.monotonic()
    logger.info("fetching %s", named)
    ui.say(f"Stylus: fetching {named}")
    threading.Thread(target=job.run, name="stylus-fetch", daemon=True).start()
    try:
        while not job.over.wait(_SLICE_S):
            if ui.interrupted():
                raise FetchStopped(
                    f"Stylus was interrupted while it fetched {named}; what had come is kept to go"
                    " on with."
                )
            if ui.skipped():
                return _none(
                    files,
                    "was not fetched, since you skipped it; what had come is kept to go on with",
                )
            if ui.longest_s and time.monotonic() >= began + ui.longest_s:
                return _none(
                    files,
                    f"was not there within {ui.longest_s / 60:g} minutes; what has come is kept"
                    " to go on with",
                )
            ui.say(f"Stylus: fetching {named}{_how_far(job.status)}")
    finally:
        job.leave()
        ui.say(None)
    return _came(job, files)


class _HostFetch:
    """One job of the engine, in a thread of its own: an engine that does not answer keeps nobody
    from pressing Interrupt.
    """

    def __init__(self, client: FetchApi, payload: Mapping[str, Any]) -> None:
        self._client, self._payload = client, payload
        self._left = threading.Event()
        self.over = threading.Event()
        self.status: Mapping[str, Any] = {}
        self.problem = ""

    def leave(self) -> None:
        """Nobody waits any more: a job that still runs is stopped, and that is waited for by nobody
        either.
        """
        self._left.set()

    def run(self) -> None:
        try:
            self._follow(self._client.begin("fetch", self._payload))
        except EngineGone as error:
            logger.warning("the engine that fetched is gone: %s", error)
            self.problem = (
                "the engine does not answer any more; what had come is kept to go on with"
            )
        except StylusError as error:
            logger.warning("a fetch was not followed to its end: %s", error)
            self.problem = str(error)
        finally:
            self.over.set()

    def _follow(self, job_id: str) -> None:
        while self.status.get("state") not in FINISHED:
            if self._left.wait(_LOOK_EVERY_S if self.status else 0.0):
                self._client.cancel(job_id)
                return
            self.status = self._client.job(job_id)


def _came(job: _HostFetch, files: Sequence[MissingFile]) -> FetchOutcome:
    result = job.status.get("result")
    if job.problem or job.status.get("state") != "done" or not isinstance(result, Mapping):
        why = job.problem or str(job.status.get("error") or "the engine did not say why")
        return _none(files, f"was not fetched: {why}")
    failed = {str(file["key"]): str(file["text"])[:_LONGEST_TEXT] for file in result["failed"]}
    new = tuple(
        f"{file['stem']} was fetched ({in_mb(file['size'])})."
        for file in result["fetched"]
        if file["new"]
    )
    return FetchOutcome(
        {str(file["key"]): str(file["stem"]) for file in result["fetched"]}, new, failed
    )


def _none(files: Sequence[MissingFile], why: str) -> FetchOutcome:
    ends = "" if why.endswith((".", "?", "!")) else "."
    return FetchOutcome(
        failed={str(file.key): f"{file.name} {why}{ends}"[:_LONGEST_TEXT] for file in files}
    )


def _named(files: Sequence[MissingFile]) -> str:
    """What is missing, and how large it is."""
    return joined([f"{file.name} ({in_mb(file.size)})" for file in files])


def _how_far(job: Mapping[str, Any]) -> str:
    """Of the bytes of all files; what comes before and after has no length."""
    step, done, total = str(job.get("step") or ""), job.get("done") or 0, job.get("total") or 0
    if not step.startswith("Fetching") or not total:
        return f": {step[0].lower()}{step[1:]}" if step else ""
    eta = job.get("eta_s")
    left = "" if eta is None else f", about {max(1, round(eta))} s left"
    return f": {done / MB:,.1f} of {total / MB:,.1f} MB{left}"
