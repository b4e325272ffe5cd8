"""Preview state per browser tab: preview, corrections, lock, sent prompt, last pictures.

Held in memory, so a page reload finds it again by the page's name.
"""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stylus_ext.core.embedding_words import weight_in
from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.lru import LruCache
from stylus_ext.core.plan import Plan
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.tags import ADAPTER_KINDS

if TYPE_CHECKING:
    from stylus_ext.host.infotext import AppliedGeneration

MOST = 200
_MOST_EARLIER = 20
Fingerprint = frozenset[tuple[str, Any]]
"""What a preview was made for; numbers are equal however JSON writes them."""
_SESSION_ID = re.compile(r"[\w-]{16,64}\.(txt2img|img2img)")

CORRECTED = Note("corrected", "Stylus used your corrected preview.")
LOCKED = Note("locked", "Stylus used the locked set.")


@dataclass(slots=True)
class PromptCorrections:
    """Corrections of the plan for one prompt and family, in click order."""

    prompt: str = ""
    negative: str = ""
    family: str = ""
    reject: list[str] = field(default_factory=list)
    swap: list[str] = field(default_factory=list)
    keep: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.reject or self.swap or self.keep)

    def payload(self) -> dict[str, Any]:
        kept = [{"key": key, **correction} for key, correction in self.keep.items()]
        return {"reject": list(self.reject), "swap": list(self.swap), "keep": kept, "only": False}

    def drop(self, key: str) -> None:
        """Drop earlier corrections of this adapter."""
        self.keep.pop(key, None)
        for gone in (self.reject, self.swap):
            if key in gone:
                gone.remove(key)


@dataclass(frozen=True, slots=True)
class PickLock:
    """A locked set: name and weight by key."""

    family: str
    picks: Mapping[str, tuple[str, float]]

    def payload(self) -> dict[str, Any]:
        kept = [
            {"key": key, "weight": weight, "pinned": True}
            for key, (_, weight) in self.picks.items()
        ]
        return {"reject": [], "swap": [], "keep": kept, "only": True}


@dataclass(frozen=True, slots=True)
class Sent:
    """The prompt box before and after tags were written into it."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class EarlierPreview:
    """A preview that is shown again when its prompt and settings are put back."""

    request: Any
    plan: Plan | None
    view: dict[str, Any] | None
    family: str
    seen_family: str


@dataclass
class PreviewSession:
    """State of one tab: last request, view, last generation with seeds.

    `previewed` is the family that the shown preview was planned for, `seen_family` that of the
    checkpoint at that time, and `family` that of the last plan.

    `numbers` continue after a restart, since pages may outlive it.
    """

    request: Any = None
    plan: Plan | None = None
    view: dict[str, Any] | None = None
    words: PromptCorrections = field(default_factory=PromptCorrections)
    lock: PickLock | None = None
    sent: Sent | None = None
    made: tuple[AppliedGeneration, tuple[int, ...]] | None = None
    family: str = ""
    previewed: str = ""
    seen_family: str = ""
    earlier: LruCache[Fingerprint, EarlierPreview] = field(
        default_factory=lambda: LruCache(_MOST_EARLIER)
    )
    corrected: LruCache[tuple[str, str, str], PromptCorrections] = field(
        default_factory=lambda: LruCache(_MOST_EARLIER)
    )
    anew_noted: bool = False
    guard: threading.RLock = field(default_factory=threading.RLock)
    numbers: Iterator[int] = field(
        default_factory=lambda: itertools.count(time.time_ns() // 1_000_000)
    )

    def used(self) -> tuple[UsedAdapters, ...]:
        """The adapters of the last pictures."""
        if self.made is None or self.made[0].lost:
            return ()
        work, seeds = self.made
        images = enumerate(seeds[: len(work.texts.positive)])
        return tuple(_used(work, image, seed) for image, seed in images)

    def turn_to(self, prompt: str, negative: str, family: str) -> None:
        """Show the corrections of another prompt or family, and keep the present ones."""
        self.anew_noted = False
        words, wanted = self.words, (prompt, negative, family)
        before = (words.prompt, words.negative, words.family)
        if before == wanted:
            return
        if words:
            self.corrected[before] = words
        self.words = self.corrected.pop(wanted, PromptCorrections(*wanted))

    def keep(self, made_for: Fingerprint) -> None:
        """Keep the shown preview."""
        preview = EarlierPreview(
            self.request, self.plan, self.view, self.previewed, self.seen_family
        )
        self.earlier[made_for] = preview

    def recall(self, made_for: Fingerprint) -> bool:
        """Show an earlier preview with its corrections; False if there is none."""
        found = self.earlier.get(made_for)
        if found is None:
            return False
        self.request, self.plan, self.view = found.request, found.plan, found.view
        self.family = self.previewed = found.family
        self.seen_family = found.seen_family
        self.turn_to(found.request.prompt, found.request.negative, found.family)
        return True

    def corrections(
        self, prompt: str, negative: str, family: str, differs: str = ""
    ) -> tuple[dict[str, Any] | None, list[Note]]:
        """Corrections for this prompt, with a note.

        `differs` names another reason why the shown preview does not match.
        """
        with self.guard:
            notes: list[Note] = []
            if self.lock is not None and family and self.lock.family not in (family, ""):
                notes.append(
                    Note(
                        "lock_off",
                        "The locked set was made for another base model, so it was unlocked.",
                    )
                )
                self.lock = None
            if self.lock is not None:
                return self.lock.payload(), [*notes, LOCKED]
            notes += self._planned_anew(prompt, negative, family, differs)
            wanted = (prompt, negative, family)
            words = self.words
            if (words.prompt, words.negative, words.family) != wanted:
                words = self.corrected.get(wanted) or PromptCorrections()
            return (words.payload(), [*notes, CORRECTED]) if words else (None, notes)

    def _planned_anew(self, prompt: str, negative: str, family: str, differs: str) -> list[Note]:
        """A note, once for each preview, that it is not what is used."""
        shown = self.request
        if shown is None or self.anew_noted:
            return []
        if self.sent is not None and prompt == self.sent.after:
            return []
        if (shown.prompt, shown.negative) != (prompt, negative):
            differs = "another prompt"
        elif self.previewed != family:
            differs = "another base model"
        if not differs:
            return []
        self.anew_noted = True
        text = f"The preview is for {differs}, so LoRAs were chosen anew."
        return [Note("planned_anew", text)]


class PreviewSessions:
    """All sessions; too many drop the longest unused one."""

    def __init__(self, most: int = MOST) -> None:
        self._sessions = LruCache[str, PreviewSession](most)
        self._guard = threading.Lock()

    def at(self, session_id: str) -> PreviewSession:
        """The session of a page, created on first use."""
        if _SESSION_ID.fullmatch(session_id) is None:
            raise InvalidInput(
                "The page did not say which of its tabs this is for; please reload it."
            )
        with self._guard:
            return self._sessions.setdefault(session_id, PreviewSession())

    def of(self, session_id: str) -> PreviewSession | None:
        """The session of a generation, or None for callers without a page."""
        return self.at(session_id) if _SESSION_ID.fullmatch(session_id) else None


@dataclass(frozen=True, slots=True)
class UsedTag:
    """A tag as written; `key` and `name` are empty for the user's own."""

    stem: str
    weight: float
    key: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class UsedAdapters:
    """One picture: seed, prompt before Stylus, tags, adapters off by its mask."""

    seed: int
    prompt: str
    tags: tuple[UsedTag, ...]
    off: tuple[str, ...] = ()


def _used(work: AppliedGeneration, image: int, seed: int) -> UsedAdapters:
    text = work.texts.positive[image]
    missing = work.not_loaded.get(image, frozenset())
    tags = tuple(
        UsedTag(
            tag.name, 1.0 if tag.weight is None else tag.weight, *work.named.get(tag.name, ("", ""))
        )
        for tag in parse_prompt(text).user_tags
        if tag.kind in ADAPTER_KINDS and tag.name not in missing
    )
    if image >= len(work.pictures):
        return UsedAdapters(seed, text, tags)
    picture = work.pictures[image]
    tagged = {tag.stem for tag in tags} | missing
    tags += tuple(  # embeddings are words, not tags
        UsedTag(stem, weight_in(f"{text}\n{work.texts.negative[image]}", stem), *work.named[stem])
        for stem in picture.on
        if stem in work.named and stem not in tagged
    )
    return UsedAdapters(
        seed,
        picture.prompt,
        tags,
        tuple(work.named.get(stem, ("", stem))[1] for stem in picture.off),
    )
