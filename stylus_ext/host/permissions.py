"""What the engine and the current user allow: downloads and paid composers.

The host is imported inside functions, so that a planner can be made without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from stylus_ext.core.errors import Note, StylusError
from stylus_ext.core.settings import COMPOSERS, Settings
from stylus_ext.host.engine.setup_state import ANSWERING, EngineState
from stylus_ext.host.guard import RERANK, RequestKind

if TYPE_CHECKING:
    from stylus_ext.host.planner import Planner

RULES, HYBRID = "rules", "hybrid"
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


@dataclass(frozen=True, slots=True)
class EngineOffer:
    """Available composers, of which `free` cost nothing; `barred` is a reason against downloads."""

    composers: tuple[str, ...] = (RULES,)
    free: tuple[str, ...] = (RULES,)
    rerank_free: bool = False
    barred: str = TOO_OLD


class Permissions:
    """Permissions of one planner; each engine is asked once, and changes with the settings."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self._known: tuple[tuple[int, str], EngineOffer] | None = None

    def _known_offer(self) -> EngineOffer:
        """The engine's offer; raises StylusError if it cannot be asked."""
        report = self._planner.engine.report()
        engine = (report.pid, report.url)
        if self._known is None or self._known[0] != engine:
            self._known = engine, read_offer(self._planner.client.status())
        return self._known[1]

    def offer(self) -> EngineOffer:
        """The engine's offer; only the rules if it cannot be asked."""
        try:
            return self._known_offer()
        except StylusError:
            return EngineOffer()

    def barred(self) -> str:
        """The engine's reason against downloads, or empty."""
        if self._planner.engine.report().state is EngineState.REMOTE:
            return SHARED
        try:
            return self._known_offer().barred
        except StylusError as error:
            return f"The engine does not say whether it may fetch anything: {error}"

    def shown(self) -> tuple[bool, tuple[str, ...]] | None:
        """Whether the panel shows downloads, and its composers; None until the engine answers."""
        if self._planner.engine.report().state not in ANSWERING:
            return None
        return not self.barred(), self.offer().composers

    def downloads_refused(self, p: Any, timeout_s: float) -> str:
        """Reason against downloads for this picture, or empty; waits for the engine."""
        from stylus_ext.host import compat

        refusal = compat.refusal(p)
        if refusal:
            return refusal
        self._planner.ready(timeout_s)
        return self.barred()

    def kind(self, composer: str) -> RequestKind:
        """Kind of access that planning needs; the engine is asked only if it may cost money."""
        from stylus_ext.host import options

        reranks = options.read_settings().selection.policy == RERANK
        if composer == RULES and not reranks:
            return RequestKind.PLAN
        offer = self.offer()
        free = composer in offer.free and (offer.rerank_free or not reranks)
        return RequestKind.PLAN if free else RequestKind.SPEND

    def allowed(self, p: Any, settings: Settings, ready_s: float) -> tuple[Settings, list[Note]]:
        """The settings, limited to free services if this user may not spend; waits for the
        engine.
        """
        self._planner.ready(ready_s)
        selection, offer = settings.selection, self.offer()
        composes = selection.composer in offer.free
        ranks = selection.policy != RERANK or offer.rerank_free
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
        note = Note("no_spending", f"{' '.join(sentences)} {refusal}")
        return replace(settings, selection=free), [note]


def read_offer(status: Mapping[str, Any]) -> EngineOffer:
    """Read the engine's status; without prices only the rules are free."""
    capabilities = status.get("capabilities")
    fields = capabilities if isinstance(capabilities, Mapping) else {}
    policies = fields.get("free_policies")
    barred = "" if fields.get("downloads") is True else SWITCHED_OFF
    return EngineOffer(
        _known_composers(fields.get("composers")),
        _known_composers(fields.get("free_composers")),
        isinstance(policies, list) and RERANK in policies,
        barred if "fetch" in (fields.get("operations") or ()) else TOO_OLD,
    )


def _known_composers(names: object) -> tuple[str, ...]:
    rows = names if isinstance(names, list) else []
    return (RULES, *(name for name in COMPOSERS if name != RULES and name in rows))
