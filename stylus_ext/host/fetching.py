"""Fetches the files that a plan lacks while the user waits for the picture.

The engine fetches; its job is followed, shown, and stopped as soon as the user stops waiting.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stylus_ext.core.errors import Cancelled, EngineGone, StylusError
from stylus_ext.core.fetching import MB, in_mb
from stylus_ext.core.generation import joined
from stylus_ext.core.plan import MissingFile

if TYPE_CHECKING:
    from stylus_ext.host.engine.client import EngineClient
    from stylus_ext.host.planner import Planner

logger = logging.getLogger(__name__)

_SLICE_S = 0.02
_LOOK_EVERY_S = 0.1
_LONGEST_TEXT = 2000
FINISHED = frozenset({"done", "failed", "cancelled"})


class FetchStopped(Cancelled):
    """The user stopped the generation while its files came."""


@dataclass(frozen=True, slots=True)
class FetchOutcome:
    """The files that are in the folders now, sentences on new ones, reasons by key."""

    files: tuple[Mapping[str, Any], ...] = ()
    messages: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FetchUi:
    """The progress line and the buttons of a waiting user; `longest_s` 0 has no timeout."""

    say: Callable[[str | None], None]
    interrupted: Callable[[], bool]
    skipped: Callable[[], bool]
    longest_s: float = 0.0


def fetch(
    client: EngineClient,
    files: Sequence[MissingFile],
    folders: Sequence[str],
    ui: FetchUi,
    others: Mapping[str, Sequence[str]] | None = None,
) -> FetchOutcome:
    """Fetch files; those that do not come have a reason. Raises only if the user interrupts.

    `others` are the folders of other types, by field of the request.
    """
    job = _HostFetch(
        client,
        {"keys": [str(file.key) for file in files], "lora_dirs": list(folders), **(others or {})},
    )
    named = joined([f"{file.name} ({in_mb(file.size)})" for file in files])
    began = time.monotonic()
    logger.info("fetching %s", named)
    ui.say(f"Stylus: fetching {named}")
    threading.Thread(target=job.run, name="stylus-fetch", daemon=True).start()
    try:
        while not job.over.wait(_SLICE_S):
            if ui.interrupted():
                raise FetchStopped(
                    f"Stylus was interrupted while fetching {named}; partial files are kept and"
                    " will resume."
                )
            if ui.skipped():
                return _none(files, "was skipped; the partial file is kept and will resume")
            if ui.longest_s and time.monotonic() >= began + ui.longest_s:
                return _none(
                    files,
                    f"did not arrive within {ui.longest_s / 60:g} minutes; the partial file is kept"
                    " and will resume",
                )
            ui.say(f"Stylus: fetching {named}{_how_far(job.status)}")
    finally:
        job.left.set()
        ui.say(None)
    return _came(job, files)


class _HostFetch:
    """Follows one job in a thread, so that a silent engine does not block Interrupt.

    Setting `left` stops the job without waiting for it.
    """

    def __init__(self, client: EngineClient, payload: Mapping[str, Any]) -> None:
        self._client, self._payload = client, payload
        self.left = threading.Event()
        self.over = threading.Event()
        self.status: Mapping[str, Any] = {}
        self.problem = ""

    def run(self) -> None:
        try:
            self._follow(self._client.begin("fetch", self._payload))
        except EngineGone as error:
            logger.warning("the engine stopped during a download: %s", error)
            self.problem = "the engine stopped answering; the partial file is kept and will resume"
        except StylusError as error:
            logger.warning("a download job could not be followed: %s", error)
            self.problem = str(error)
        finally:
            self.over.set()

    def _follow(self, job_id: str) -> None:
        while self.status.get("state") not in FINISHED:
            if self.left.wait(_LOOK_EVERY_S if self.status else 0.0):
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
    return FetchOutcome(tuple(result["fetched"]), new, failed)


def _none(files: Sequence[MissingFile], why: str) -> FetchOutcome:
    ends = "" if why.endswith((".", "?", "!")) else "."
    return FetchOutcome(
        failed={str(file.key): f"{file.name} {why}{ends}"[:_LONGEST_TEXT] for file in files}
    )


def _how_far(job: Mapping[str, Any]) -> str:
    """Progress in bytes of all files; steps before and after have no length."""
    step, done, total = str(job.get("step") or ""), job.get("done") or 0, job.get("total") or 0
    if not step.startswith("Fetching") or not total:
        return f": {step[0].lower()}{step[1:]}" if step else ""
    eta = job.get("eta_s")
    left = "" if eta is None else f", about {max(1, round(eta))} s left"
    return f": {done / MB:,.1f} of {total / MB:,.1f} MB{left}"


class HostDownloads:
    """Downloads of one planner; `line` is shown in the panel while files arrive."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self.line = ""
        self.begun: set[str] = set()
        """Jobs that no generation waits for."""

    def fetch(self, files: Sequence[MissingFile]) -> FetchOutcome:
        """Fetch files for the picture that is being made."""
        # a planner can be made without the host
        from stylus_ext.host import compat, options, other_adapters

        compat.forget_skip()
        longest_s = 60.0 * float(options.own("fetch_minutes"))
        ui = FetchUi(self._say, self._planner.interrupted, compat.skipped, longest_s)
        client, folders = self._planner.client, compat.lora_folders()
        return fetch(client, files, folders, ui, other_adapters.folders())

    def list_finished(self) -> None:
        """Make the host list the files of finished jobs, before the next picture."""
        from stylus_ext.host import other_adapters

        for job_id in sorted(self.begun):
            try:
                job = self._planner.client.job(job_id)
            except StylusError:  # its engine is gone, and with it the job
                self.begun.discard(job_id)
                continue
            if job["state"] in FINISHED:
                self.begun.discard(job_id)
                other_adapters.list_fetched((job["result"] or {}).get("fetched", ()))

    def _say(self, text: str | None) -> None:
        self.line = text or ""
        self._planner.say(text)
