"""Corrections: adapters that the user rejected, kept or swapped in a plan before using it.

The user's feedback about earlier plans is applied here too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from stylus_ext.core.adapter_type import EMBEDDING
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Candidates, Composition, NearMiss, Pick, Task
from stylus_ext.core.embedding_words import mentions, why_no_word
from stylus_ext.core.entry import Entry
from stylus_ext.core.errors import Note
from stylus_ext.core.family import ANY, UNKNOWN, Compatibility, compatibility
from stylus_ext.core.feedback import Doubt, Feedback, apply_feedback, doubts, explain, known_as
from stylus_ext.core.file_names import why_not
from stylus_ext.core.ports import Composer, Query, Store
from stylus_ext.core.settings import Selection
from stylus_ext.core.tags import ADAPTER_KINDS
from stylus_ext.selection.retrieve.filters import NEVER_USED, incompatible


@dataclass(frozen=True, slots=True)
class KeptPick:
    """An adapter to keep; None leaves weight or task to the plan; `pinned`: in every batch."""

    key: AdapterKey
    weight: float | None = None
    task: int | None = None
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Corrections:
    """`swap` replaces adapters by the next candidate; `only` keeps nothing else."""

    reject: frozenset[AdapterKey] = frozenset()
    swap: frozenset[AdapterKey] = frozenset()
    keep: tuple[KeptPick, ...] = ()
    only: bool = False

    def __bool__(self) -> bool:
        return bool(self.reject or self.swap or self.keep or self.only)

    @property
    def out(self) -> frozenset[AdapterKey]:
        return self.reject | self.swap

    @property
    def kept(self) -> dict[AdapterKey, KeptPick]:
        """Kept picks by key; the first of duplicates counts."""
        first: dict[AdapterKey, KeptPick] = {}
        for kept in self.keep:
            if kept.key not in self.out:
                first.setdefault(kept.key, kept)
        return first

    def known_as(self, names: Mapping[AdapterKey, AdapterKey]) -> Corrections:
        """Return the corrections with all keys replaced by first keys."""
        return replace(
            self,
            reject=frozenset(names.get(key, key) for key in self.reject),
            swap=frozenset(names.get(key, key) for key in self.swap),
            keep=tuple(replace(kept, key=names.get(kept.key, kept.key)) for kept in self.keep),
        )


NO_CORRECTIONS = Corrections()


@dataclass(frozen=True, slots=True)
class PickLimits:
    """Limits of a corrected plan; `adapters` does not count the user's own."""

    adapters: int
    styles: int
    per_task: int

    @classmethod
    def of(cls, selection: Selection, own: int) -> PickLimits:
        return cls(max(0, selection.max_adapters - own), selection.max_styles, selection.per_task)


def corrected(
    composition: Composition,
    corrections: Corrections,
    found: Mapping[AdapterKey, Pick],
    replacements: Sequence[Pick],
    limits: PickLimits,
    text: str,
) -> Composition:
    """Apply corrections. `found` are usable kept picks, `replacements` are for swapped ones."""
    before = {pick.key: pick for pick in composition.picks}
    kept = {key: pick for key, pick in corrections.kept.items() if key in found}
    tasks = composition.tasks or ((Task(text.strip() or text, 0, len(text)),) if kept else ())
    remaining = [before[key] for key in before if key not in corrections.out]
    first = _placed(
        [_with_corrections(before.get(key, found[key]), pick) for key, pick in kept.items()],
        tasks,
        remaining,
    )
    rest = [*remaining, *_swapped_in(before, corrections, replacements)]
    rest = [] if corrections.only else [pick for pick in rest if pick.key not in kept]
    order = {key: place for place, key in enumerate(before)}
    picks = sorted(_within(first, rest, limits), key=lambda pick: order.get(pick.key, len(order)))
    used = {pick.key for pick in picks} | corrections.out
    removed = [
        NearMiss(key, pick.name, "you took it out of this plan", pick.score)
        for key, pick in before.items()
        if key in corrections.out
    ]
    near = [miss for miss in composition.near_misses if miss.key not in used]
    unused = [
        pick for pick in composition.alternatives if pick.key not in used and not corrections.only
    ]
    return Composition(tasks, tuple(picks), (*removed, *near), alternatives=tuple(unused))


def _with_corrections(pick: Pick, kept: KeptPick) -> Pick:
    known = replace(
        pick,
        pinned=pick.pinned or kept.pinned,
        asked_for=True,
        task=pick.task if kept.task is None else kept.task,
    )
    return known if kept.weight is None else replace(known, weight=kept.weight, user_weight=True)


def _placed(picks: Sequence[Pick], tasks: Sequence[Task], remaining: Iterable[Pick]) -> list[Pick]:
    """Assign picks to their tasks; a pick whose task is gone takes a free task, else the first."""
    starts = [task.start for task in tasks]
    used = Counter(pick.task for pick in (*remaining, *picks) if pick.task in starts)
    placed = []
    for pick in picks:
        start = pick.task
        if start not in starts:
            start = next((free for free in starts if not used[free]), starts[0])
            used[start] += 1
        placed.append(replace(pick, task=start))
    return placed


def _swapped_in(
    before: Mapping[AdapterKey, Pick], corrections: Corrections, replacements: Sequence[Pick]
) -> list[Pick]:
    """Return as many replacements per task as were swapped there."""
    missing = Counter(before[key].task for key in before if key in corrections.swap)
    chosen = []
    for pick in replacements:
        if missing[pick.task] and pick.key not in before and pick.key not in corrections.out:
            missing[pick.task] -= 1
            chosen.append(pick)
    return chosen


def _within(kept: Sequence[Pick], rest: Sequence[Pick], limits: PickLimits) -> list[Pick]:
    """Apply limits: kept picks first; only the user may exceed a task's share."""
    picks: list[Pick] = []
    for number, pick in enumerate((*kept, *rest)):
        styles = sum(other.kind == "style" for other in picks)
        is_full = len(picks) >= limits.adapters or (
            pick.kind == "style" and styles >= limits.styles
        )
        is_task_full = (
            number >= len(kept)
            and not pick.pinned
            and any(other.task == pick.task for other in picks[: len(kept)])
            and sum(other.task == pick.task for other in picks) >= limits.per_task
        )
        if not is_full and not is_task_full:
            picks.append(pick)
    return picks


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
    """Apply the corrections; those of an embedding for the negative prompt are not of a task."""
    corrections = wanted.known_as(store.resolve([*wanted.out, *(kept.key for kept in wanted.keep)]))
    entries = store.read(corrections.kept)
    is_negative = {key for key, entry in entries.items() if entry.card.negative}
    positive = tuple(kept for kept in corrections.keep if kept.key not in is_negative)
    corrections = replace(corrections, keep=positive)
    query, kept = context.query, corrections.kept
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
    if entry.card.type == EMBEDDING:
        names = {stem} if mentions(context.query.prompt.text, stem) else set()
    if stem in names or not names.isdisjoint(file.stem for file in entry.files):
        return _WRITTEN
    is_word = entry.card.type == EMBEDDING
    return context.unavailable(entry) or (why_no_word if is_word else why_not)(stem) or ""


def _pick(entry: Entry, kept: KeptPick, composition: Composition) -> Pick:
    """A pick that the composition does not have yet; a near miss keeps its score."""
    near = next((miss for miss in composition.near_misses if miss.key == entry.key), None)
    least, most = entry.weight_range
    return Pick(
        entry.key,
        -1 if kept.task is None else kept.task,
        entry.card.name,
        entry.weight,
        KEPT,
        entry.kind,
        0.0 if near is None else near.score,
        pinned=kept.pinned or entry.edits.state == "always",
        min_weight=least,
        max_weight=most,
        type=entry.type,
    )


def _replacements(
    context: CorrectionContext, composition: Composition, corrections: Corrections
) -> Sequence[Pick]:
    """Picks without the swapped adapters, also uncertain ones."""
    swapped = any(pick.key in corrections.swap for pick in composition.picks)
    if corrections.only or not swapped:
        return ()
    query = replace(context.query, limits=replace(context.query.limits, strictness=0.0))
    candidates = context.find()
    rest = tuple(
        candidate for candidate in candidates.found if candidate.key not in corrections.out
    )
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
        return _explained(self._composer.compose(query, apply_feedback(candidates, found)), found)


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
