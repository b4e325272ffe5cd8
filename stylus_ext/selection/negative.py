"""The embedding for the negative prompt: at most one, and only one that the user always wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from stylus_ext.core.adapter_type import EMBEDDING
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition, NearMiss, Pick, Task
from stylus_ext.core.embedding_words import mentions, why_no_word
from stylus_ext.core.entry import Entry
from stylus_ext.core.family import ANY, UNKNOWN, Compatibility, compatibility
from stylus_ext.core.ports import Filter, Store
from stylus_ext.core.prompt.insert import insert
from stylus_ext.core.prompt.parse import Prompt
from stylus_ext.core.prompt.phrases import is_embedding_name, phrases
from stylus_ext.selection.correct import Corrections
from stylus_ext.selection.plan_tags import stem_of

ALWAYS = "always"
_MOST = 200


@dataclass(frozen=True, slots=True)
class NegativeEmbeddings:
    """What may be added to a negative prompt, for a plan of `family`.

    `loaded` are the embeddings that the WebUI reports as loaded: those fit its checkpoint.
    `stem` gives the file name of an entry, `unavailable` the reason why it cannot be used.
    """

    store: Store
    family: str
    loaded: Mapping[AdapterKey, str]
    stem: Callable[[Entry], str]
    unavailable: Callable[[Entry], str]

    def added_to(
        self, composition: Composition, prompt: Prompt, negative: Prompt, wanted: Corrections
    ) -> Composition:
        """The composition with one more pick, unless the user wrote an embedding already."""
        found = self.store.search("", Filter(state=ALWAYS, type=EMBEDDING), limit=_MOST).entries
        stems = {*self.loaded.values(), *map(self.stem, found)}
        is_written = any(mentions(negative.text, stem) for stem in stems)
        is_named = any(is_embedding_name(piece.text) for piece in phrases(negative))
        entry = next(self._usable(found, negative, wanted), None)
        if is_written or is_named or entry is None:
            return composition
        tasks = composition.tasks
        tasks = tasks or (Task(prompt.text.strip() or prompt.text, 0, len(prompt.text)),)
        pick = self._pick(entry, tasks[0].start, wanted)
        return replace(composition, tasks=tasks, picks=(*composition.picks, pick))

    def _usable(
        self, found: Sequence[Entry], negative: Prompt, wanted: Corrections
    ) -> Iterator[Entry]:
        """The best first: made for the very family, then by downloads and name."""
        kept = wanted.kept

        def place(entry: Entry) -> tuple[bool, bool, int, str, AdapterKey]:
            card = entry.card
            other = entry.family != self.family
            return entry.key not in kept, other, -(card.downloads or 0), card.name, entry.key

        for entry in sorted(found, key=place):
            if wanted.only and entry.key not in kept:
                continue
            if entry.key in wanted.out or not entry.card.negative or not self._fits(entry):
                continue
            stem, last = self.stem(entry), negative.segments[-1].index
            why_not = self.unavailable(entry) or why_no_word(stem)
            if not why_not and not insert(negative, {last: stem}).refused:
                yield entry

    def _fits(self, entry: Entry) -> bool:
        if entry.family == UNKNOWN:
            return entry.key in self.loaded
        if self.family == ANY:
            return True
        return compatibility(entry.family, self.family) is Compatibility.FULL

    def _pick(self, entry: Entry, task: int, wanted: Corrections) -> Pick:
        kept = wanted.kept.get(entry.key)
        weight = None if kept is None else kept.weight
        return Pick(
            entry.key,
            task,
            entry.card.name,
            (entry.weight or 1.0) if weight is None else weight,
            "you always want it in the negative prompt",
            score=1.0,
            pinned=True,
            user_weight=weight is not None,
            asked_for=True,
            type=EMBEDDING,
            negative=True,
        )


def without_unwritable(
    store: Store,
    composition: Composition,
    prompt: Prompt,
    on_disk: Mapping[AdapterKey, str] | None,
) -> Composition:
    """The composition without the embeddings for whose words the prompt has no place."""
    keys = [pick.key for pick in composition.all_picks if pick.type == EMBEDDING]
    if not keys:
        return composition
    words = {key: stem_of(entry, on_disk) for key, entry in store.read(keys).items()}
    segments = {task.start: task.segment for task in composition.tasks}
    out = {
        pick.key
        for pick in composition.all_picks
        if pick.key in words and insert(prompt, {segments[pick.task]: words[pick.key]}).refused
    }
    picks, alternatives = (
        tuple(pick for pick in part if pick.key not in out)
        for part in (composition.picks, composition.alternatives)
    )
    misses = tuple(
        NearMiss(pick.key, pick.name, "the prompt has no place for its word", pick.score)
        for pick in composition.picks
        if pick.key in out
    )
    return replace(
        composition,
        picks=picks,
        alternatives=alternatives,
        near_misses=(*misses, *composition.near_misses),
    )
