"""Who composes, as one WebUI sees it: what its engine offers, what of that costs money, and whether
whoever asks may spend it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from stylus_ext.core.errors import Note, StylusError
from stylus_ext.core.settings import COMPOSERS, Settings
from stylus_ext.environment.problems import EngineGone, EngineRefusal
from stylus_ext.host.engine_report import EngineState
from stylus_ext.host.guard import RERANK, Kind

if TYPE_CHECKING:
    from stylus_ext.host.desk import Desk

RULES, HYBRID = "rules", "hybrid"
_TROUBLE = (StylusError, EngineGone, EngineRefusal)


@dataclass(frozen=True, slots=True)
class Offer:
    """By name; `free` are those for which nobody pays."""

    composers: tuple[str, ...] = (RULES,)
    free: tuple[str, ...] = (RULES,)
    rerank_free: bool = False


class Composing:
    """Of one desk; an engine is asked once, since it starts again when its settings change."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._said: tuple[tuple[int, str], Offer] | None = None

    def offer(self) -> Offer:
        """An engine that cannot be asked offers the rules alone."""
        report = self._desk.engine.report()
        which = (report.pid, report.url)
        if self._said is None or self._said[0] != which:
            try:
                self._said = which, read(self._desk.client.status())
            except _TROUBLE:
                return Offer()
        return self._said[1]

    def shown(self) -> tuple[str, ...] | None:
        """The panel's choices; None while nobody can tell."""
        state = self._desk.engine.report().state
        return self.offer().composers if state in (EngineState.READY, EngineState.REMOTE) else None

    def kind(self, composer: str) -> Kind:
        """What planning with it, and with the policy of the settings page, asks of the guard; the
        engine is asked only where either may cost.
        """
        from stylus_ext.host import options

        reranks = options.read_settings().selection.policy == RERANK
        if composer == RULES and not reranks:
            return Kind.PLAN
        offer = self.offer()
        return (
            Kind.PLAN
            if composer in offer.free and (offer.rerank_free or not reranks)
            else Kind.SPEND
        )

    def allowed(self, p: Any, settings: Settings, ready_s: float) -> tuple[Settings, list[Note]]:
        """As they are, or with what is free, where whoever wants this picture may spend nothing.
        Waits for the engine, which alone knows.
        """
        selection = settings.selection
        if selection.composer == RULES and selection.policy != RERANK:
            return settings, []
        self._desk.ready(ready_s)
        offer = self.offer()
        composes, ranks = (
            selection.composer in offer.free,
            selection.policy != RERANK or offer.rerank_free,
        )
        if composes and ranks:
            return settings, []
        from stylus_ext.host import compat_downloads

        refusal = compat_downloads.refusal(p, "spend")
        if not refusal:
            return settings, []
        free = replace(
            selection,
            composer=selection.composer if composes else RULES,
            policy=selection.policy if ranks else HYBRID,
        )
        said = [] if composes else ["The rules compose in place of the language model."]
        said += [] if ranks else ["The candidates were not reranked."]
        return replace(settings, selection=free), [
            Note("no_spending", f"{' '.join(said)} {refusal}")
        ]


def read(status: Mapping[str, Any]) -> Offer:
    """What an engine's status says; one that says nothing of prices has no composer but the rules
    for free.
    """
    said = status.get("capabilities")
    known = said if isinstance(said, Mapping) else {}
    policies = known.get("free_policies")
    return Offer(
        _named(known.get("composers")),
        _named(known.get("free_composers")),
        isinstance(policies, list) and RERANK in policies,
    )


def _named(said: object) -> tuple[str, ...]:
    rows = said if isinstance(said, list) else []
    return (RULES, *(name for name in COMPOSERS if name != RULES and name in rows))
