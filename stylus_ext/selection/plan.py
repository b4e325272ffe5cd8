"""Plan a prompt: prompt -> candidates -> composition -> masks -> tags. Any failure leaves the
prompt as it was, with a note.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Candidates, Composition, NearMiss, Tag
from stylus_ext.core.corrections import NO_CORRECTIONS, Corrections
from stylus_ext.core.entry import Entry
from stylus_ext.core.errors import Cancelled, DeadlineExceeded, InvalidInput, Note, StylusError
from stylus_ext.core.family import ANY, is_partial, parse_family, partly
from stylus_ext.core.fetching import FetchPolicy
from stylus_ext.core.lru import LruCache
from stylus_ext.core.masks import choose_masks
from stylus_ext.core.naming import NO_TAG_NAMES, TagNames, stem_for, why_not
from stylus_ext.core.plan import MissingFile, Outcome, Plan, unchanged
from stylus_ext.core.ports import Composer, PlanContext, Query, Retriever, Store
from stylus_ext.core.prompt.parse import Prompt, parse_prompt
from stylus_ext.core.settings import Selection, Settings
from stylus_ext.core.tags import TagInputs, fitting_triggers, write_tags
from stylus_ext.selection.correct import CorrectionContext, correct

logger = logging.getLogger(__name__)


def remarks(prompt: Prompt, composition: Composition, by_hand: bool = False) -> Iterable[Note]:
    """`by_hand`: the user corrected the plan."""
    if prompt.unresolved:
        yield Note(
            "unresolved",
            "The prompt has wildcards or variants in it; they were not resolved for this plan.",
        )
    if by_hand and not composition.picks:
        yield Note(
            "none_left",
            "After your corrections no adapter is left in this plan, so the prompt stays as it"
            " was.",
        )
    elif composition.picks or not prompt.text.strip():
        return
    elif any(task.taken_by for task in composition.tasks):
        yield Note(
            "nothing_more",
            "Beside the LoRAs that you wrote into it, nothing in the catalogue fits this prompt.",
        )
    else:
        yield Note(
            "nothing_fits", "Nothing in the catalogue fits this prompt, so it was left as it was."
        )


def relatives(family: str, entries: Mapping[AdapterKey, Entry]) -> Iterable[Note]:
    for entry in entries.values():
        if is_partial(entry.family, family):
            yield Note(
                "partly_compatible",
                f"{entry.card.name} was {partly(entry.family, family)}: it may do less there, or"
                " something else.",
            )


def family_of_plan(settings: Settings, entries: Mapping[AdapterKey, Entry]) -> str:
    """The one asked for, else that of the strongest pick."""
    if settings.selection.family != ANY:
        return settings.selection.family
    return next((entry.family for entry in entries.values()), ANY)


MOST_BATCHES = 1000
MOST_CHARACTERS = 100_000
_CACHED = 256
_MOST_TOLD = 3
_PASSING = frozenset({"no_encoder", "chat_failed"})


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What is to be planned. `seeds` are the first image seeds of the batches; `on_disk` None takes
    the whole catalogue, else these adapters alone, by the stem under which the host knows each;
    with `reach` also what may be fetched.
    """

    prompt: str
    negative_prompt: str = ""
    seeds: tuple[int, ...] = (0,)
    batch_size: int = 1
    settings: Settings = field(default_factory=Settings)
    on_disk: Mapping[AdapterKey, str] | None = None
    reach: FetchPolicy | None = None
    corrections: Corrections = NO_CORRECTIONS

    def __post_init__(self) -> None:
        if not 1 <= len(self.seeds) <= MOST_BATCHES:
            raise InvalidInput(
                f"A plan is made for 1 to {MOST_BATCHES} batches, not for {len(self.seeds)}."
            )
        if self.batch_size < 1:
            raise InvalidInput(f"A batch has at least one picture, not {self.batch_size}.")
        if max(len(self.prompt), len(self.negative_prompt)) > MOST_CHARACTERS:
            raise InvalidInput(f"A prompt of more than {MOST_CHARACTERS:,} characters is not read.")


class Deadline:
    """The time that one plan may take; asked between the steps."""

    def __init__(self, seconds: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = None if seconds is None else clock() + seconds

    def left(self) -> float | None:
        return None if self._end is None else max(0.0, self._end - self._clock())

    def check(self, step: str) -> None:
        if self._end is not None and self._clock() > self._end:
            raise DeadlineExceeded(f"The time for this plan was over before {step}.")


class PlanPrompt:
    """The use case; it remembers what it composed, by prompt, catalogue and settings. `vectors`
    names the state of the index, `names` tells how tags may call these adapters, or all that are on
    disk.
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
            _CACHED
        )
        self._guard = Lock()

    def __call__(self, request: PlanRequest, deadline: Deadline | None = None) -> Plan:
        try:
            return self._plan(request, deadline or Deadline(None))
        except (Cancelled, InvalidInput):
            raise
        except StylusError as error:
            logger.warning("no plan: %s", error)
            outcome = Outcome.LATE if isinstance(error, DeadlineExceeded) else Outcome.FAILED
            note = Note(outcome.value, f"The prompt was left as it was: {error}")
            return unchanged(
                request.prompt,
                request.negative_prompt,
                request.seeds[0],
                len(request.seeds),
                note,
                outcome,
            )

    def _plan(self, request: PlanRequest, deadline: Deadline) -> Plan:
        settings = replace(request.settings, selection=_checked(request.settings))
        prompt, negative = parse_prompt(request.prompt), parse_prompt(request.negative_prompt)
        only = (
            None
            if request.on_disk is None or request.reach is not None
            else frozenset(request.on_disk)
        )
        query = Query(
            prompt,
            negative,
            settings.selection,
            only,
            terms=PlanContext(request.seeds[0], deadline.left),
        )
        composition, confidence, notes = self._compose(query, request, deadline)
        if request.corrections and request.prompt.strip():
            composition, told = correct(
                self._store, self._around(query, request), composition, request.corrections
            )
            notes = [*notes, *told]
        entries = self._store.read(pick.key for pick in composition.picks)
        tags = {
            pick.key: _tag(entries[pick.key], pick.kind, prompt, settings, request.on_disk)
            for pick in composition.picks
        }
        composition = _weighted(composition, settings.weights.default_weight)
        masks = choose_masks(
            composition, settings.diversity.scheme, request.seeds, request.batch_size
        )
        sheet = TagInputs(prompt, negative, composition, tags, settings)
        written = {mask: write_tags(sheet, mask) for mask in dict.fromkeys(masks)}
        family = family_of_plan(settings, entries)
        notes = [*notes, *(note for mask in dict.fromkeys(masks) for note in written[mask].notes)]
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
                _missing(entries[key], tag) for key, tag in tags.items() if not tag.on_disk
            ),
            notes=tuple(
                dict.fromkeys(
                    [
                        *notes,
                        *remarks(prompt, composition, bool(request.corrections)),
                        *relatives(family, entries),
                    ]
                )
            ),
            family=family,
            confidence=confidence,
            catalogue=f"{self._store.identity}:{self._store.revision}",
            repeatable=_PASSING.isdisjoint(note.code for note in notes),
        )

    def _compose(
        self, query: Query, request: PlanRequest, deadline: Deadline
    ) -> tuple[Composition, float, Sequence[Note]]:
        if not query.prompt.text.strip():
            return (
                Composition(),
                0.0,
                [Note("empty", "The prompt is empty, so there is nothing to choose for.")],
            )
        state = (self._store.identity, self._store.revision, self._vectors())
        known = None if request.reach is None else (request.reach, frozenset(request.on_disk or ()))
        question = (
            query.prompt.text,
            query.negative.text,
            query.limits,
            query.only,
            known,
            _seed_of(query),
            *state,
        )
        with self._guard:
            if question in self._composed:
                return self._composed[question]
        if query.prompt.user_tags:
            query = replace(query, names=self._names(query.only).called_by(request.on_disk or {}))
        candidates = _reachable(self._retrievers(query.limits.policy).find(query), request)
        deadline.check("the composition")
        composition, notes = self._sayable(query, candidates, request.on_disk)
        told = (*candidates.notes, *composition.notes)
        composition = replace(composition, notes=())
        deadline.check("the tags were written")
        if not notes and not any(note.code in _PASSING for note in told):
            with self._guard:
                self._composed[question] = (composition, candidates.confidence, told)
        return composition, candidates.confidence, [*told, *notes]

    def _around(self, query: Query, request: PlanRequest) -> CorrectionContext:
        on_disk, reach = request.on_disk, request.reach

        def away(entry: Entry) -> str:
            if on_disk is None or entry.key in on_disk:
                return ""
            return (
                "no file of it is in your LoRA folder"
                if reach is None
                else reach.why_not(entry.key, entry.card.remote)
            )

        return CorrectionContext(
            query,
            lambda entry: _stem(entry, on_disk),
            away,
            lambda: _reachable(self._retrievers(query.limits.policy).find(query), request),
            self._composers(query.limits.composer),
        )

    def _sayable(
        self, query: Query, candidates: Candidates, on_disk: Mapping[AdapterKey, str] | None
    ) -> tuple[Composition, list[Note]]:
        """Composes until every pick has a name that the host can read."""
        composer = self._composers(query.limits.composer)
        notes: list[Note] = []
        while True:
            composition = composer.compose(query, candidates)
            entries = {candidate.key: candidate.entry for candidate in candidates.found}
            reasons = {
                pick.key: why_not(_stem(entries[pick.key], on_disk)) for pick in composition.picks
            }
            unsayable = {key: reason for key, reason in reasons.items() if reason is not None}
            if not unsayable:
                return composition, notes
            notes += [Note("bad_name", reason) for reason in unsayable.values()]
            candidates = replace(
                candidates,
                found=tuple(
                    candidate for candidate in candidates.found if candidate.key not in unsayable
                ),
                refused=(
                    *(
                        NearMiss(key, entries[key].card.name, reason)
                        for key, reason in unsayable.items()
                    ),
                    *candidates.refused,
                ),
            )


def _reachable(candidates: Candidates, request: PlanRequest) -> Candidates:
    """Without those that are not on disk and cannot be fetched; the best of them are told."""
    reach, on_disk = request.reach, request.on_disk
    if reach is None or on_disk is None:
        return candidates
    away = [one for one in candidates.found if one.key not in on_disk]
    reasons = {
        one.key: reason for one in away if (reason := reach.why_not(one.key, one.entry.card.remote))
    }
    told = [one for one in away if one.key in reasons][:_MOST_TOLD]
    return replace(
        candidates,
        found=tuple(one for one in candidates.found if one.key not in reasons),
        refused=(
            *(NearMiss(one.key, one.entry.card.name, reasons[one.key], one.score) for one in told),
            *candidates.refused,
        ),
    )


def _seed_of(query: Query) -> int | None:
    """The rules do not look at it."""
    return None if query.limits.composer == "rules" else query.terms.seed


def _checked(settings: Settings) -> Selection:
    return replace(settings.selection, family=parse_family(settings.selection.family))


def _stem(entry: Entry, on_disk: Mapping[AdapterKey, str] | None) -> str:
    """As the host lists it, else as it lies on disk, else as it would be saved."""
    if on_disk is not None and entry.key in on_disk:
        return on_disk[entry.key]
    if entry.stem is not None:
        return entry.stem
    remote = entry.card.remote
    return stem_for(remote.name if remote else "", entry.card.name, ())


def _tag(
    entry: Entry,
    kind: str,
    prompt: Prompt,
    settings: Settings,
    on_disk: Mapping[AdapterKey, str] | None,
) -> Tag:
    triggers = fitting_triggers(entry.triggers, prompt, kind) if settings.text.triggers else ()
    there = entry.stem is not None if on_disk is None else entry.key in on_disk
    return Tag(entry.key, _stem(entry, on_disk), there, triggers, entry.card.negative_text)


def _weighted(composition: Composition, default: float) -> Composition:
    picks = tuple(
        replace(pick, weight=default) if pick.weight is None else pick for pick in composition.picks
    )
    return replace(composition, picks=picks)


def _missing(entry: Entry, tag: Tag) -> MissingFile:
    remote = entry.card.remote
    return MissingFile(
        entry.key,
        entry.card.name,
        f"{tag.stem}.safetensors",
        remote.size if remote else 0,
        remote.sha256 if remote else None,
    )
