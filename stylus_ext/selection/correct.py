"""Apply the user's corrections to a composition, and feedback about earlier plans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Candidates, Composition, Pick
from stylus_ext.core.corrections import Corrections, KeptPick, PickLimits, corrected
from stylus_ext.core.entry import Entry
from stylus_ext.core.errors import Note
from stylus_ext.core.family import ANY, UNKNOWN, Compatibility, compatibility
from stylus_ext.core.feedback import Doubt, Feedback, doubted, doubts, explain, known_as
from stylus_ext.core.naming import why_not
from stylus_ext.core.ports import Composer, Query, Store
from stylus_ext.core.tags import ADAPTER_KINDS
from stylus_ext.selection.retrieve.filters import NEVER_USED, incompatible

KEPT = "you keep it"
_WRITTEN = "you wrote it into the prompt"


@dataclass(frozen=True, slots=True)
class CorrectionContext:
    """What corrections depend on. `stem` gives the file name of an entry, `unavailable` the reason
    why it cannot be used; `find` and `composer` find other candidates.
    """

    query: Query
    stem: Callable[[Entry], str]
    unavailable: Callable[[Entry], str]
    find: Callable[[], Candidates]
    composer: Composer


def correct(
    store: Store, context: CorrectionContext, composition: Composition, wanted: Corrections
) -> tuple[Composition, list[Note]]:
    corrections = wanted.known_as(store.resolve([*wanted.out, *(kept.key for kept in wanted.keep)]))
    query, kept = context.query, corrections.kept
    entries = store.read(kept)
    reasons = {key: _against(context, entries.get(key)) for key in kept}
    usable = {key: _pick(entries[key], kept[key], composition) for key in kept if not reasons[key]}
    own = {tag.name for tag in query.prompt.user_tags if tag.kind in ADAPTER_KINDS}
    result = corrected(
        composition,
        corrections,
        usable,
        _replacements(context, composition, corrections),
        PickLimits.of(query.limits, len(own)),
        query.prompt.text,
    )
    notes = [
        _left_out(entries[key].card.name if key in entries else str(key), reason)
        for key, reason in reasons.items()
        if reason not in ("", _WRITTEN)
    ]
    picked = {pick.key for pick in result.picks}
    notes += [
        _left_out(pick.name, "the limit of adapters is reached")
        for key, pick in usable.items()
        if key not in picked
    ]
    return result, [*notes, *_not_replaced(composition, corrections, result)]


def _left_out(name: str, reason: str) -> Note:
    return Note("kept_left_out", f"{name}, which you keep, was left out: {reason}.")


def _against(context: CorrectionContext, entry: Entry | None) -> str:
    """Why an adapter that the user keeps cannot be used; the first reason that holds."""
    if entry is None:
        return "it is no longer in the catalogue"
    if entry.edits.state == "never":
        return NEVER_USED
    family = context.query.limits.family
    if (
        ANY not in (family, entry.family)
        and entry.family != UNKNOWN
        and compatibility(entry.family, family) is Compatibility.NONE
    ):
        return incompatible(entry.family, family)
    stem = context.stem(entry)
    names = {tag.name for tag in context.query.prompt.user_tags}
    if stem in names or not names.isdisjoint(file.stem for file in entry.files):
        return _WRITTEN
    return context.unavailable(entry) or why_not(stem) or ""


def _pick(entry: Entry, kept: KeptPick, composition: Composition) -> Pick:
    """A pick that the composition does not have yet; a near miss keeps its score."""
    near = next((miss for miss in composition.near_misses if miss.key == entry.key), None)
    return Pick(
        entry.key,
        -1 if kept.task is None else kept.task,
        entry.card.name,
        entry.weight,
        KEPT,
        entry.kind,
        0.0 if near is None else near.score,
        pinned=kept.pinned or entry.edits.state == "always",
    )


def _replacements(
    context: CorrectionContext, composition: Composition, corrections: Corrections
) -> Sequence[Pick]:
    """What would be picked without the swapped adapters; also uncertain ones, since the user asks
    for another.
    """
    swapped = any(pick.key in corrections.swap for pick in composition.picks)
    if corrections.only or not swapped:
        return ()
    query = replace(context.query, limits=replace(context.query.limits, strictness=0.0))
    candidates = context.find()
    rest = tuple(each for each in candidates.found if each.key not in corrections.out)
    return context.composer.compose(query, replace(candidates, found=rest)).picks


def _not_replaced(
    before: Composition, corrections: Corrections, after: Composition
) -> Iterable[Note]:
    replaced = {pick.task for pick in after.picks} if corrections.swap else set()
    texts = {task.start: task.text for task in before.tasks}
    for pick in before.picks:
        if pick.key in corrections.swap and pick.task not in replaced:
            text = f"No other adapter fits '{texts[pick.task]}' in place of {pick.name}."
            yield Note("nothing_else", text)


class FeedbackComposer:
    """Implements `Composer`: applies the user's feedback to any other composer."""

    def __init__(self, composer: Composer, store: Store, feedback: Feedback) -> None:
        self._composer, self._store, self._feedback = composer, store, feedback
        self.name = composer.name

    def compose(self, query: Query, candidates: Candidates) -> Composition:
        verdicts = self._feedback.all()
        if not verdicts:
            return self._composer.compose(query, candidates)
        keys = self._store.resolve(verdict.key for verdict in verdicts)
        found = doubts(known_as(verdicts, keys), query.prompt.text)
        return _explained(self._composer.compose(query, doubted(candidates, found)), found)


def _explained(composition: Composition, found: Mapping[AdapterKey, Doubt]) -> Composition:
    """Add the feedback to the reasons."""
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
