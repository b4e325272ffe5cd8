"""Downloads as one WebUI sees them: whether its engine and the one who asks may fetch, what comes
just now, and what came unasked.

The host is imported where it is asked: a desk can be made without one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stylus_ext.core.errors import StylusError
from stylus_ext.core.plan import MissingFile
from stylus_ext.environment.problems import EngineGone, EngineRefusal
from stylus_ext.host.engine_report import EngineState
from stylus_ext.host.fetching import FINISHED, Came, Hall, fetch

if TYPE_CHECKING:
    from stylus_ext.host.desk import Desk

SWITCHED_OFF = (
    "Downloads are switched off: the settings page has them under Stylus, or `downloads` in the"
    " engine's settings.json."
)
SHARED = (
    "The shared engine does not see this WebUI's LoRA folder, so it can fetch nothing into it; an"
    " engine of its own can."
)
NOT_SEEN = (
    "This engine is shared and does not see this machine's files. Run `python install.py index`"
    " where the engine runs."
)
TOO_OLD = "The engine that runs is too old to fetch anything: please restart the WebUI fully."
_TROUBLE = (StylusError, EngineGone, EngineRefusal)


class Downloads:
    """Of one desk. `line` is what the panel shows while files come."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._said: tuple[int, str] | None = None
        self._begun: set[str] = set()
        self.line = ""

    def why_not(self, p: Any, waits: bool) -> str:
        """A sentence, or nothing: for whoever wants this picture. Waits for the engine, which alone
        knows what it may.
        """
        from stylus_ext.host import compat_downloads, options

        patience = options.patience()
        refusal = compat_downloads.refusal(p)
        if refusal:
            return refusal
        self._desk.ready(patience.ready_s if waits else patience.cold_s)
        return self.barred()

    def barred(self) -> str:
        """What speaks against downloads with the engine that is there now; it is asked once."""
        report = self._desk.engine.report()
        if report.state is EngineState.REMOTE:
            return SHARED
        if self._said is None or self._said[0] != report.pid:
            try:
                said = self._desk.client.status()
            except _TROUBLE as error:
                return f"The engine does not say whether it may fetch anything: {error}"
            self._said = report.pid, _read(said.get("capabilities"))
        return self._said[1]

    def shown(self) -> bool | None:
        """Whether the panel has the switch; None while nobody can tell."""
        state = self._desk.engine.report().state
        return not self.barred() if state in (EngineState.READY, EngineState.REMOTE) else None

    def fetch(self, files: Sequence[MissingFile], folders: Sequence[str]) -> Came:
        from stylus_ext.host import compat_downloads, options

        compat_downloads.forget_skip()
        hall = Hall(
            self._say,
            self._desk.interrupted,
            compat_downloads.skipped,
            60.0 * float(options.own("fetch_minutes")),
        )
        return fetch(self._desk.client, files, folders, hall)

    def begun(self, job_id: str) -> None:
        """A fetch that no generation waits for."""
        self._begun.add(job_id)

    def take_in(self) -> None:
        """What such fetches brought, made known to the host where it is made: before the next
        picture.
        """
        from stylus_ext.host import compat_downloads

        for job_id in sorted(self._begun):
            try:
                job = self._desk.client.job(job_id)
            except _TROUBLE:  # its engine is gone, and with it the job
                self._begun.discard(job_id)
                continue
            if job["state"] in FINISHED:
                self._begun.discard(job_id)
                compat_downloads.list_anew(
                    one["stem"] for one in (job["result"] or {}).get("fetched", ())
                )

    def _say(self, text: str | None) -> None:
        self.line = text or ""
        self._desk.say(text)


def _read(capabilities: object) -> str:
    known = capabilities if isinstance(capabilities, Mapping) else {}
    if "fetch" not in (known.get("operations") or ()):
        return TOO_OLD
    return "" if known.get("downloads") is True else SWITCHED_OFF
