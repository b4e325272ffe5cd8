"""What the engine and the current user allow: downloads and paid composers.

The host is imported inside functions, so that a planner can be made without one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from stylus_ext.core.errors import Note, StylusError
from stylus_ext.core.plan import MissingFile
from stylus_ext.core.settings import COMPOSERS, Settings
from stylus_ext.host.engine.setup_state import EngineState
from stylus_ext.host.fetching import FINISHED, FetchOutcome, FetchUi, fetch
from stylus_ext.host.guard import RERANK, RequestKind

if TYPE_CHECKING:
    from stylus_ext.host.planner import Planner


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


class DownloadPermissions:
    """Download state of one planner; `line` is shown in the panel while files arrive."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self._answer: tuple[int, str] | None = None
        self._begun: set[str] = set()
        self.line = ""

    def why_not(self, p: Any, waits: bool) -> str:
        """Reason against downloads for this picture, or empty; waits for the engine."""
        from stylus_ext.host import compat, options

        timeouts = options.timeouts()
        refusal = compat.refusal(p)
        if refusal:
            return refusal
        self._planner.ready(timeouts.ready_s if waits else timeouts.cold_s)
        return self.barred()

    def barred(self) -> str:
        """The engine's reason against downloads, asked once per engine."""
        report = self._planner.engine.report()
        if report.state is EngineState.REMOTE:
            return SHARED
        if self._answer is None or self._answer[0] != report.pid:
            try:
                status = self._planner.client.status()
            except StylusError as error:
                return f"The engine does not say whether it may fetch anything: {error}"
            self._answer = report.pid, _read(status.get("capabilities"))
        return self._answer[1]

    def shown(self) -> bool | None:
        """Whether the panel shows the switch; None if unknown yet."""
        state = self._planner.engine.report().state
        return not self.barred() if state in (EngineState.READY, EngineState.REMOTE) else None

    def fetch(self, files: Sequence[MissingFile], folders: Sequence[str]) -> FetchOutcome:
        from stylus_ext.host import compat, options

        compat.forget_skip()
        ui = FetchUi(
            self._say,
            self._planner.interrupted,
            compat.skipped,
            60.0 * float(options.own("fetch_minutes")),
        )
        return fetch(self._planner.client, files, folders, ui)

    def begun(self, job_id: str) -> None:
        """Register a download that no generation waits for."""
        self._begun.add(job_id)

    def take_in(self) -> None:
        """Make finished downloads known to the host, before the next picture."""
        from stylus_ext.host import compat

        for job_id in sorted(self._begun):
            try:
                job = self._planner.client.job(job_id)
            except StylusError:  # its engine is gone, and with it the job
                self._begun.discard(job_id)
                continue
            if job["state"] in FINISHED:
                self._begun.discard(job_id)
                compat.list_anew(file["stem"] for file in (job["result"] or {}).get("fetched", ()))

    def _say(self, text: str | None) -> None:
        self.line = text or ""
        self._planner.say(text)


def _read(capabilities: object) -> str:
    known = capabilities if isinstance(capabilities, Mapping) else {}
    if "fetch" not in (known.get("operations") or ()):
        return TOO_OLD
    return "" if known.get("downloads") is True else SWITCHED_OFF


RULES, HYBRID = "rules", "hybrid"


@dataclass(frozen=True, slots=True)
class ComposerOffer:
    """Available composers; `free` cost nothing."""

    composers: tuple[str, ...] = (RULES,)
    free: tuple[str, ...] = (RULES,)
    rerank_free: bool = False


class ComposerPermissions:
    """Composer choice of one planner; asked once per engine, which changes with the settings."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self._answer: tuple[tuple[int, str], ComposerOffer] | None = None

    def offer(self) -> ComposerOffer:
        """Available composers; only the rules if the engine cannot be asked."""
        report = self._planner.engine.report()
        which = (report.pid, report.url)
        if self._answer is None or self._answer[0] != which:
            try:
                self._answer = which, read(self._planner.client.status())
            except StylusError:
                return ComposerOffer()
        return self._answer[1]

    def shown(self) -> tuple[str, ...] | None:
        """The panel's choices; None if unknown yet."""
        state = self._planner.engine.report().state
        return self.offer().composers if state in (EngineState.READY, EngineState.REMOTE) else None

    def kind(self, composer: str) -> RequestKind:
        """Kind of access that planning needs; the engine is asked only if it may cost money."""
        from stylus_ext.host import options

        reranks = options.read_settings().selection.policy == RERANK
        if composer == RULES and not reranks:
            return RequestKind.PLAN
        offer = self.offer()
        return (
            RequestKind.PLAN
            if composer in offer.free and (offer.rerank_free or not reranks)
            else RequestKind.SPEND
        )

    def allowed(self, p: Any, settings: Settings, ready_s: float) -> tuple[Settings, list[Note]]:
        """Return the settings, limited to free services if this user may not spend; waits for the
        engine.
        """
        selection = settings.selection
        if selection.composer == RULES and selection.policy != RERANK:
            return settings, []
        self._planner.ready(ready_s)
        offer = self.offer()
        composes, ranks = (
            selection.composer in offer.free,
            selection.policy != RERANK or offer.rerank_free,
        )
        if composes and ranks:
            return settings, []
        from stylus_ext.host import compat

        refusal = compat.refusal(p, "spend")
        if not refusal:
            return settings, []
        free = replace(
            selection,
            composer=selection.composer if composes else RULES,
            policy=selection.policy if ranks else HYBRID,
        )
        sentences = [] if composes else ["The rules compose in place of the language model."]
        sentences += [] if ranks else ["The candidates were not reranked."]
        return replace(settings, selection=free), [
            Note("no_spending", f"{' '.join(sentences)} {refusal}")
        ]


def read(status: Mapping[str, Any]) -> ComposerOffer:
    """Read the engine's status; without prices only the rules are free."""
    capabilities = status.get("capabilities")
    fields = capabilities if isinstance(capabilities, Mapping) else {}
    policies = fields.get("free_policies")
    return ComposerOffer(
        _named(fields.get("composers")),
        _named(fields.get("free_composers")),
        isinstance(policies, list) and RERANK in policies,
    )


def _named(names: object) -> tuple[str, ...]:
    rows = names if isinstance(names, list) else []
    return (RULES, *(name for name in COMPOSERS if name != RULES and name in rows))
