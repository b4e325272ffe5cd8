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

from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.lru import LruCache
from stylus_ext.core.plan import Plan
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.tags import ADAPTER_KINDS

if TYPE_CHECKING:
    from stylus_ext.host.infotext import AppliedGeneration

MOST = 200
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


@dataclass
class PreviewSession:
    """State of one tab: last request, view, last generation with seeds.

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

    def corrections(
        self, prompt: str, negative: str, family: str
    ) -> tuple[dict[str, Any] | None, list[Note]]:
        """Corrections for this prompt, with a note; outdated ones are dropped."""
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
            if not self.words:
                return None, notes
            words = self.words
            if (words.prompt, words.negative, words.family) == (prompt, negative, family):
                return words.payload(), [*notes, CORRECTED]
            what = "prompt" if words.family == family else "base model"
            self.words = PromptCorrections()
            notes.append(
                Note(
                    "corrections_dropped",
                    f"Your corrections were for another {what}, so they were dropped.",
                )
            )
            return None, notes


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
    tags = tuple(
        UsedTag(
            tag.name, 1.0 if tag.weight is None else tag.weight, *work.named.get(tag.name, ("", ""))
        )
        for tag in parse_prompt(text).user_tags
        if tag.kind in ADAPTER_KINDS
    )
    if image >= len(work.pictures):
        return UsedAdapters(seed, text, tags)
    picture = work.pictures[image]
    return UsedAdapters(
        seed,
        picture.prompt,
        tags,
        tuple(work.named.get(stem, ("", stem))[1] for stem in picture.off),
    )
