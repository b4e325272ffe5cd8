"""Applies what the user said of a plan: a composition and corrections go in, the corrected
composition and notes come out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Candidates, Composition, Pick
from stylus_ext.core.corrections import Corrections, KeptPick, PickLimits, corrected
from stylus_ext.core.entry import Entry
from stylus_ext.core.errors import Note
from stylus_ext.core.family import ANY, UNKNOWN, Compatibility, compatibility, display_name
from stylus_ext.core.feedback import Doubt, Feedback, doubted, doubts, explain, known_as
from stylus_ext.core.naming import why_not
from stylus_ext.core.ports import Composer, Query, Store
from stylus_ext.core.tags import ADAPTER_KINDS

KEPT = "you keep it"
_OWN = "you wrote it into the prompt yourself"


@dataclass(frozen=True, slots=True)
class CorrectionContext:
    """What a correction looks at: the question, whether and under which name an adapter can be
    used, and who would find another.
    """

    query: Query
    stem: Callable[[Entry], str]
    away: Callable[[Entry], str]
    find: Callable[[], Candidates]
    composer: Composer


def correct(
    store: Store, around: CorrectionContext, composition: Composition, wanted: Corrections
) -> tuple[Composition, list[Note]]:
    said = wanted.known_as(store.resolve([*wanted.out, *(kept.key for kept in wanted.keep)]))
    query = around.query
    entries = store.read(said.kept)
    reasons = {key: _against(around, entries.get(key)) for key in said.kept}
    found = {
        key: _pick(entries[key], said.kept[key], composition)
        for key in said.kept
        if not reasons[key]
    }
    own = {tag.name for tag in query.prompt.user_tags if tag.kind in ADAPTER_KINDS}
    limits = PickLimits.of(query.limits, len(own))
    now = corrected(
        composition, said, found, _others(around, composition, said), limits, query.prompt.text
    )
    notes = [
        _left_out(entries.get(key), key, reason)
        for key, reason in reasons.items()
        if reason not in ("", _OWN)
    ]
    return now, [*notes, *_crowded_out(found, now), *_nothing_else(composition, said, now)]


def _against(around: CorrectionContext, entry: Entry | None) -> str:
    """Why a kept one cannot be used; the first reason that holds."""
    if entry is None:
        return "it is not in the catalogue any more"
    if entry.edits.state == "never":
        return "you said that it shall never be used"
    family = around.query.limits.family
    if (
        ANY not in (family, entry.family)
        and entry.family != UNKNOWN
        and compatibility(entry.family, family) is Compatibility.NONE
    ):
        made_for = display_name(entry.family)
        return f"it was made for {made_for}, which does not work with {display_name(family)}"
    stem = around.stem(entry)
    names = {tag.name for tag in around.query.prompt.user_tags}
    if stem in names or not names.isdisjoint(file.stem for file in entry.files):
        return _OWN
    return around.away(entry) or why_not(stem) or ""


def _pick(entry: Entry, said: KeptPick, composition: Composition) -> Pick:
    """For one that the plan has not; what it found of a near miss is not lost."""
    near = next((miss for miss in composition.near_misses if miss.key == entry.key), None)
    start = said.task if said.task is not None else -1
    return Pick(
        entry.key,
        start,
        entry.card.name,
        entry.weight,
        KEPT,
        entry.kind,
        0.0 if near is None else near.score,
        pinned=said.pinned or entry.edits.state == "always",
    )


def _others(
    around: CorrectionContext, composition: Composition, said: Corrections
) -> Sequence[Pick]:
    """What would have been chosen without those that were swapped; less sure ones too, since
    somebody asks for another.
    """
    if not said.swap or said.only or not any(pick.key in said.swap for pick in composition.picks):
        return ()
    query = replace(around.query, limits=replace(around.query.limits, strictness=0.0))
    candidates = around.find()
    rest = tuple(candidate for candidate in candidates.found if candidate.key not in said.out)
    return around.composer.compose(query, replace(candidates, found=rest)).picks


def _left_out(entry: Entry | None, key: AdapterKey, reason: str) -> Note:
    return Note(
        "kept_left_out",
        f"{entry.card.name if entry else key} was left out though you keep it: {reason}.",
    )


def _crowded_out(found: Mapping[AdapterKey, Pick], now: Composition) -> Iterable[Note]:
    there = {pick.key for pick in now.picks}
    for key, pick in found.items():
        if key not in there:
            yield Note(
                "kept_left_out",
                f"{pick.name} was left out though you keep it: no more adapters are allowed for one"
                " picture.",
            )


def _nothing_else(before: Composition, said: Corrections, now: Composition) -> Iterable[Note]:
    new = {pick.task for pick in now.picks} if said.swap else set()
    texts = {task.start: task.text for task in before.tasks}
    for pick in before.picks:
        if pick.key in said.swap and pick.task not in new:
            yield Note(
                "nothing_else",
                f"Nothing else was found for '{texts[pick.task]}' in the place of {pick.name}.",
            )


class FeedbackComposer:
    """Implements `Composer` around any other."""

    def __init__(self, composer: Composer, store: Store, verdicts: Feedback) -> None:
        self._composer, self._store, self._verdicts = composer, store, verdicts
        self.name = composer.name

    def compose(self, query: Query, candidates: Candidates) -> Composition:
        said = self._verdicts.all()
        if not said:
            return self._composer.compose(query, candidates)
        found = doubts(
            known_as(said, self._store.resolve(verdict.key for verdict in said)), query.prompt.text
        )
        return _told(self._composer.compose(query, doubted(candidates, found)), found)


def _told(composition: Composition, found: Mapping[AdapterKey, Doubt]) -> Composition:
    return replace(
        composition,
        picks=tuple(
            replace(pick, reason=explain(pick.reason, found.get(pick.key)))
            for pick in composition.picks
        ),
        near_misses=tuple(
            replace(miss, reason=explain(miss.reason, found.get(miss.key)))
            for miss in composition.near_misses
        ),
    )
