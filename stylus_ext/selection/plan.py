"""Plan a prompt: prompt -> candidates -> composition -> masks -> tags; or leave it unchanged."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Candidates, Composition, Mask, NearMiss
from stylus_ext.core.entry import Entry
from stylus_ext.core.errors import Cancelled, DeadlineExceeded, InvalidInput, Note, StylusError
from stylus_ext.core.family import ANY, family_in_prompt, parse_family
from stylus_ext.core.fetching import FetchPolicy
from stylus_ext.core.file_names import NO_TAG_NAMES, TagNames
from stylus_ext.core.lru import LruCache
from stylus_ext.core.masks import choose_masks
from stylus_ext.core.plan import Outcome, Plan, unchanged
from stylus_ext.core.ports import Composer, PlanContext, Query, Retriever, Store
from stylus_ext.core.prompt.parse import Prompt, parse_prompt
from stylus_ext.core.schedules import HostSteps, pick_schedules
from stylus_ext.core.settings import Selection, Settings
from stylus_ext.core.tags import (
    ADAPTER_KINDS,
    TagInputs,
    default_weight,
    own_weight,
    without_excess,
    write_tags,
)
from stylus_ext.selection.correct import NO_CORRECTIONS, CorrectionContext, Corrections, correct
from stylus_ext.selection.negative import ALWAYS, NegativeEmbeddings, without_unwritable
from stylus_ext.selection.plan_tags import (
    bad_name,
    missing_file,
    own_tag_notes,
    pick_notes,
    stem_of,
    tag_of,
)
from stylus_ext.selection.retrieve.filters import NOT_ON_DISK, loads_of

logger = logging.getLogger(__name__)


MOST_BATCHES = 1000
MOST_CHARACTERS = 100_000
_PLANS_KEPT = 256
_MAX_REPORTED = 3
_PASSING = frozenset({"no_encoder", "chat_failed"})
"""Notes about a temporary problem: a plan with one of them is not cached."""

_NOTES = {
    code: Note(code, text)
    for code, text in (
        ("empty", "The prompt is empty, so nothing was selected."),
        ("unresolved", "Wildcards and variants in the prompt were not resolved for this plan."),
        ("none_left", "Your corrections leave no adapter in this plan; the prompt is unchanged."),
        ("nothing_more", "No LoRA here fits besides your own."),
    )
}


def plan_notes(prompt: Prompt, composition: Composition, is_corrected: bool) -> Iterable[Note]:
    if prompt.unresolved:
        yield _NOTES["unresolved"]
    if is_corrected and not composition.picks:
        yield _NOTES["none_left"]
    elif not composition.picks and prompt.text.strip():
        is_served = any(task.taken_by for task in composition.tasks)
        yield _NOTES["nothing_more"] if is_served else _nothing_fits(composition)


def _nothing_fits(composition: Composition) -> Note:
    text = "No LoRA here fits, so your prompt is unchanged."
    closest = ", ".join(miss.name for miss in composition.near_misses[:_MAX_REPORTED])
    return Note("nothing_fits", f"{text} Closest: {closest}." if closest else text)


def family_of_plan(settings: Settings, entries: Mapping[AdapterKey, Entry]) -> str:
    """The family that is set, else that of the strongest pick."""
    if settings.selection.family != ANY:
        return settings.selection.family
    return next((entry.family for entry in entries.values()), ANY)


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What to plan. `seeds` are the first image seeds of the batches.

    `on_disk` names the adapters that may be used, with the stem by which the host knows each; None
    allows the whole catalogue. `loaded` are the embeddings among them that the host has loaded.
    `reach` also allows adapters that may be fetched.
    """

    prompt: str
    negative_prompt: str = ""
    seeds: tuple[int, ...] = (0,)
    batch_size: int = 1
    settings: Settings = field(default_factory=Settings)
    on_disk: Mapping[AdapterKey, str] | None = None
    loaded: Mapping[AdapterKey, str] = field(default_factory=dict)
    reach: FetchPolicy | None = None
    corrections: Corrections = NO_CORRECTIONS
    host_steps: HostSteps | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.seeds) <= MOST_BATCHES:
            raise InvalidInput(f"A plan needs 1 to {MOST_BATCHES} batches; got {len(self.seeds)}.")
        if self.batch_size < 1:
            raise InvalidInput(f"A batch needs at least one picture; got {self.batch_size}.")
        if max(len(self.prompt), len(self.negative_prompt)) > MOST_CHARACTERS:
            raise InvalidInput(f"A prompt may have at most {MOST_CHARACTERS:,} characters.")


class Deadline:
    """The time that one plan may take; checked between the steps."""

    def __init__(self, seconds: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = None if seconds is None else clock() + seconds

    def left(self) -> float | None:
        return None if self._end is None else max(0.0, self._end - self._clock())

    def check(self, step: str) -> None:
        if self._end is not None and self._clock() > self._end:
            raise DeadlineExceeded(f"The plan took too long; stopped before {step}.")


class PlanPrompt:
    """Plans prompts. Compositions are cached by prompt, catalogue and settings.

    `vectors` identifies the state of the vector index; `names` gives the names by which tags may
    refer to these adapters, or to all on disk.
    """

    def __init__(
        self,
        store: Store,
        retrievers: Callable[[str], Retriever],
        composers: Callable[[str], Composer],
        vectors: Callable[[], str] = lambda: "",
        names: Callable[[frozenset[AdapterKey] | None], TagNames] = lambda _: NO_TAG_NAMES,
    ) -> None:
        self._store = store
        self._retrievers = retrievers
        self._composers = composers
        self._vectors = vectors
        self._names = names
        self._composed = LruCache[tuple[object, ...], tuple[Composition, float, tuple[Note, ...]]](
            _PLANS_KEPT
        )
        self._guard = Lock()

    def __call__(self, request: PlanRequest, deadline: Deadline | None = None) -> Plan:
        try:
            return self._plan(request, deadline or Deadline(None))
        except (Cancelled, InvalidInput):
            raise
        except StylusError as error:
            logger.warning("No plan: %s", error)
            outcome = Outcome.LATE if isinstance(error, DeadlineExceeded) else Outcome.FAILED
            note = Note(outcome.value, f"The prompt is unchanged: {error}")
            texts, seeds = (request.prompt, request.negative_prompt), request.seeds
            return unchanged(*texts, seeds[0], len(seeds), note, outcome)

    def _plan(self, request: PlanRequest, deadline: Deadline) -> Plan:
        selection = request.settings.selection
        family = parse_family(selection.family)
        if family == ANY:
            family = family_in_prompt(request.prompt) or ANY
        selection = replace(selection, family=family)
        settings = replace(request.settings, selection=selection)
        prompt, negative = parse_prompt(request.prompt), parse_prompt(request.negative_prompt)
        is_limited = request.on_disk is not None and request.reach is None
        only = frozenset(request.on_disk or ()) if is_limited else None
        context = PlanContext(request.seeds[0], deadline.left)
        query = Query(prompt, negative, settings.selection, only, context=context)
        composition, confidence, notes = self._compose(query, request, deadline)
        if request.corrections and request.prompt.strip():
            basis = self._correction_context(query, request)
            composition, corrected = correct(self._store, basis, composition, request.corrections)
            notes = [*notes, *corrected]
        own = own_weight(prompt.user_tags)
        composition = without_unwritable(self._store, composition, prompt, request.on_disk)
        composition, excess_notes = without_excess(
            _weighted(composition, settings), settings.weights, own
        )
        masks = choose_masks(
            composition, settings.diversity.scheme, request.seeds, request.batch_size
        )
        positive = _used(composition, masks)
        composition, masks = self._with_negative(positive, masks, request, settings)
        entries = self._store.read(pick.key for pick in composition.all_picks)
        composition = _with_tools(composition, entries)
        tags = {
            pick.key: tag_of(entries[pick.key], pick.kind, prompt, settings, request.on_disk)
            for pick in composition.all_picks
        }
        inputs = TagInputs(prompt, negative, composition, tags, settings)
        written = {mask: write_tags(inputs, mask) for mask in masks}
        schedules = tuple(pick_schedules([inputs], mask, request.host_steps) for mask in masks)
        family = family_of_plan(settings, entries)
        notes = [*notes, *excess_notes]
        notes += (note for texts in written.values() for note in texts.notes)
        is_repeatable = _PASSING.isdisjoint(note.code for note in notes)
        notes += plan_notes(prompt, positive, bool(request.corrections))
        notes += pick_notes(family, composition, entries)
        notes += self._not_loadable(prompt, settings.selection)
        return Plan(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            seed=request.seeds[0],
            composition=composition,
            masks=masks,
            prompts=tuple(written[mask].prompt for mask in masks),
            negative_prompts=tuple(written[mask].negative_prompt for mask in masks),
            tags=tuple(tags.values()),
            missing=tuple(
                missing_file(entries[key], tag) for key, tag in tags.items() if not tag.on_disk
            ),
            notes=tuple(dict.fromkeys(notes)),
            family=family,
            confidence=confidence,
            catalogue=f"{self._store.identity}:{self._store.revision}",
            repeatable=is_repeatable,
            schedules=schedules if any(schedules) else (),
        )

    def _compose(
        self, query: Query, request: PlanRequest, deadline: Deadline
    ) -> tuple[Composition, float, Sequence[Note]]:
        if not query.prompt.text.strip():
            return Composition(), 0.0, [_NOTES["empty"]]
        reach = None if request.reach is None else (request.reach, frozenset(request.on_disk or ()))
        key = (
            query.prompt.text,
            query.negative.text,
            query.limits,
            query.only,
            reach,
            None if query.limits.composer == "rules" else query.context.seed,
            self._store.identity,
            self._store.revision,
            self._vectors(),
        )
        with self._guard:
            if key in self._composed:
                return self._composed[key]
        if query.prompt.user_tags:
            query = replace(query, names=self._names(query.only).called_by(request.on_disk or {}))
        candidates = reachable(self._retrievers(query.limits.policy).find(query), request)
        deadline.check("composing")
        composition, name_notes = self._compose_with_valid_names(query, candidates, request.on_disk)
        notes = (*candidates.notes, *composition.notes)
        composition = replace(composition, notes=())
        deadline.check("writing the tags")
        if not name_notes and _PASSING.isdisjoint(note.code for note in notes):
            with self._guard:
                self._composed[key] = (composition, candidates.confidence, notes)
        return composition, candidates.confidence, [*notes, *name_notes]

    def _not_loadable(self, prompt: Prompt, limits: Selection) -> Iterator[Note]:
        """Notes on adapters of the user's own tags that the WebUI cannot load."""
        tags = [tag for tag in prompt.user_tags if tag.kind in ADAPTER_KINDS]
        keys = {tag: self._names(None).key(tag.name) for tag in tags}
        return own_tag_notes(keys, self._store, loads_of(limits))

    def _with_negative(
        self,
        composition: Composition,
        masks: tuple[Mask, ...],
        request: PlanRequest,
        settings: Settings,
    ) -> tuple[Composition, tuple[Mask, ...]]:
        """Add the embedding for the negative prompt, in all masks (option)."""
        if settings.selection.negative_embedding != ALWAYS or not request.prompt.strip():
            return composition, masks
        picked = self._store.read(pick.key for pick in composition.picks)
        found = NegativeEmbeddings(
            self._store,
            family_of_plan(settings, picked),
            request.loaded,
            lambda entry: stem_of(entry, request.on_disk),
            lambda entry: _unavailable(entry, request),
        ).added_to(
            composition,
            parse_prompt(request.prompt),
            parse_prompt(request.negative_prompt),
            request.corrections,
        )
        added = frozenset(pick.key for pick in found.picks if pick.negative)
        return found, tuple(replace(mask, on=mask.on | added) for mask in masks)

    def _correction_context(self, query: Query, request: PlanRequest) -> CorrectionContext:
        return CorrectionContext(
            query,
            lambda entry: stem_of(entry, request.on_disk),
            lambda entry: _unavailable(entry, request),
            lambda: reachable(self._retrievers(query.limits.policy).find(query), request),
            self._composers(query.limits.composer),
        )

    def _compose_with_valid_names(
        self, query: Query, candidates: Candidates, on_disk: Mapping[AdapterKey, str] | None
    ) -> tuple[Composition, list[Note]]:
        """Compose again without the picks whose file name cannot be written as a tag."""
        composer = self._composers(query.limits.composer)
        notes: list[Note] = []
        while True:
            composition = composer.compose(query, candidates)
            entries = {candidate.key: candidate.entry for candidate in candidates.found}
            reasons = {
                pick.key: bad_name(entries[pick.key], on_disk) for pick in composition.all_picks
            }
            invalid = {key: reason for key, reason in reasons.items() if reason is not None}
            if not invalid:
                return composition, notes
            notes += [Note("bad_name", reason) for reason in invalid.values()]
            candidates = replace(
                candidates,
                found=tuple(
                    candidate for candidate in candidates.found if candidate.key not in invalid
                ),
                refused=(
                    *(NearMiss(key, entries[key].card.name, why) for key, why in invalid.items()),
                    *candidates.refused,
                ),
            )


def _unavailable(entry: Entry, request: PlanRequest) -> str:
    on_disk, reach = request.on_disk, request.reach
    if on_disk is None or entry.key in on_disk:
        return ""
    return NOT_ON_DISK if reach is None else reach.why_not(entry.key, entry.card.remote)


def _weighted(composition: Composition, settings: Settings) -> Composition:
    """The composition with the default weight where none is known."""
    picks, alternatives = (
        tuple(
            replace(pick, weight=default_weight(pick, settings.weights))
            if pick.weight is None
            else pick
            for pick in part
        )
        for part in (composition.picks, composition.alternatives)
    )
    return replace(composition, picks=picks, alternatives=alternatives)


def _with_tools(composition: Composition, entries: Mapping[AdapterKey, Entry]) -> Composition:
    """The composition with the picks marked that are tools."""
    picks, alternatives = (
        tuple(replace(pick, tool=entries[pick.key].description.is_tool) for pick in part)
        for part in (composition.picks, composition.alternatives)
    )
    return replace(composition, picks=picks, alternatives=alternatives)


def _used(composition: Composition, masks: Iterable[Mask]) -> Composition:
    """The composition without alternatives that no batch has."""
    on = frozenset[AdapterKey]().union(*(mask.on for mask in masks))
    used = tuple(pick for pick in composition.alternatives if pick.key in on)
    return replace(composition, alternatives=used)


def reachable(candidates: Candidates, request: PlanRequest) -> Candidates:
    """Without adapters that are neither on disk nor can be fetched; the best are near misses."""
    reach, on_disk = request.reach, request.on_disk
    if reach is None or on_disk is None:
        return candidates
    reasons = {
        candidate.key: reason
        for candidate in candidates.found
        if candidate.key not in on_disk
        and (reason := reach.why_not(candidate.key, candidate.entry.card.remote))
    }
    misses = [
        NearMiss(
            candidate.key,
            candidate.entry.card.name,
            reasons[candidate.key],
            candidate.evidence.sure,
        )
        for candidate in candidates.found
        if candidate.key in reasons
    ]
    return replace(
        candidates,
        found=tuple(candidate for candidate in candidates.found if candidate.key not in reasons),
        refused=(*misses[:_MAX_REPORTED], *candidates.refused),
    )
