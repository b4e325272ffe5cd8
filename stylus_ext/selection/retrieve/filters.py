"""What may not be found, and why: family, lists, negative prompt, duplicates of one model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from stylus_ext.core.adapter_type import HYPERNETWORK
from stylus_ext.core.card import AdapterCard, AdapterKey, series
from stylus_ext.core.composition import Candidate, NearMiss
from stylus_ext.core.entry import Entry
from stylus_ext.core.family import (
    ANY,
    UNKNOWN,
    Compatibility,
    compatibility,
    display_name,
    is_partial,
    needs,
    partly,
)
from stylus_ext.core.ports import Query
from stylus_ext.core.prompt.parse import Prompt
from stylus_ext.core.prompt.phrases import Veto, vetoed
from stylus_ext.core.prompt.words import content_words, name_phrases, words
from stylus_ext.core.settings import Selection
from stylus_ext.core.weight_formats import FORMATS, cannot_load, not_loadable
from stylus_ext.selection.lexical.attributes import (
    ALWAYS,
    FAMILY,
    FOLDER,
    FORMAT,
    NEGATIVE,
    POOR,
    TAG,
    TYPE,
    labels_of,
    poor,
    tag_label,
)
from stylus_ext.selection.lexical.index import Labels, LexicalIndex, Mask

PARTIAL_FACTOR = 0.85
"""Factor on the score of an adapter that was made for a related base model."""

NEVER_USED = "you set it to Never"
FOR_NEGATIVE = "it is for the negative prompt"
ONLY_ALWAYS = "a hypernetwork is used only if you set it to Always"
NOT_ON_DISK = "no file of it in your LoRA folder"

_EXPLICIT = frozenset(
    """nsfw nude nudity naked nipple areola pussy vagina vaginal penis cock dick cum cumshot sex
    sexual fellatio blowjob handjob anal hentai porn pornographic topless bottomless masturbation
    orgy ahegao genital explicit erotic uncensored bukkake deepthroat paizuri cunnilingus creampie
    futanari bdsm bondage lewd""".split()
)


def is_explicit(prompt: Prompt) -> bool:
    return not _EXPLICIT.isdisjoint(words(prompt.text))


@dataclass(frozen=True, slots=True)
class Lists:
    """The user's allow and deny lists. A folder stands for everything inside it."""

    allow_folders: tuple[str, ...] = ()
    deny_folders: tuple[str, ...] = ()
    allow_tags: tuple[str, ...] = ()
    deny_tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, limits: Selection) -> Lists:
        return cls(limits.allow_folders, limits.deny_folders, limits.allow_tags, limits.deny_tags)

    def __bool__(self) -> bool:
        return any((self.allow_folders, self.deny_folders, self.allow_tags, self.deny_tags))

    def reason(self, entry: Entry) -> str:
        """Why an entry may not be chosen; empty if it may."""
        mine = labels_of(entry)
        folders = [name for name in mine if name[0] == FOLDER]
        denied = _matching(self.deny_tags, TAG, mine)
        if folders and len(_matching(self.deny_folders, FOLDER, mine)) == len(folders):
            return f"in the folder '{folders[0][1:] or '.'}', which your settings exclude"
        if denied:
            return f"tagged '{denied[0][1:]}', which your settings exclude"
        if self.allow_folders and not _matching(self.allow_folders, FOLDER, mine):
            return f"not in {_either(self.allow_folders)}, the only folders your settings allow"
        if self.allow_tags and not _matching(self.allow_tags, TAG, mine):
            return f"not tagged {_either(self.allow_tags)}, the only tags your settings allow"
        return ""


@lru_cache(maxsize=2)
def open_rows(lists: Lists, labels: Labels) -> Mask:
    """Which rows may be chosen."""
    opened = ~labels.rows_with(_matching(lists.deny_tags, TAG, labels.names))
    denied = _matching(lists.deny_folders, FOLDER, labels.names)
    if denied:  # a copy in another folder may be chosen
        others = {name for name in labels.names if name[0] == FOLDER}.difference(denied)
        opened &= ~labels.rows_with(denied) | labels.rows_with(others)
    if lists.allow_folders:
        opened &= labels.rows_with(_matching(lists.allow_folders, FOLDER, labels.names))
    if lists.allow_tags:
        opened &= labels.rows_with(_matching(lists.allow_tags, TAG, labels.names))
    return opened


def _matching(written: Sequence[str], label_type: str, names: Iterable[str]) -> list[str]:
    """The labels of one type that match one of the patterns."""
    patterns = [_pattern(text, label_type) for text in written]
    return [
        name
        for name in names
        if name[0] == label_type and any(pattern.fullmatch(name, 1) for pattern in patterns)
    ]


@lru_cache(maxsize=256)
def _pattern(written: str, label_type: str) -> re.Pattern[str]:
    """Only `*` and `?` are special: brackets are common in folder names."""
    if label_type == TAG:
        return re.compile(_glob(tag_label(written)[1:]), re.DOTALL)
    folder = written.replace("\\", "/").strip("/").casefold().removeprefix("./")
    return re.compile("" if folder in {"", "."} else rf"(?:{_glob(folder)})(?:/.*)?", re.DOTALL)


def _glob(text: str) -> str:
    return re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")


def _either(patterns: Sequence[str]) -> str:
    more = " or others" if len(patterns) > 3 else ""  # noqa: PLR2004
    return " or ".join(f"'{pattern}'" for pattern in patterns[:3]) + more


_MEDIUM = frozenset(
    ("style", "art", "artwork", "painting", "drawing", "illustration", "look", "effect", "filter")
    + ("aesthetic", "rendering", "render")
)
"""Words that may follow the name of a style."""


def forbidden(veto: Veto, entry: Entry, is_named: bool) -> str:
    """The phrase of the negative prompt that excludes an entry; empty if none does."""
    if not veto:
        return ""
    identities = _identities(entry)
    tags = {tuple(content_words(text)) for text in (*entry.triggers, *entry.card.tags)}
    for phrase in sorted(veto):
        named = set(phrase)
        if phrase in identities or any(
            len(identity) > 1 and named.issuperset(identity) for identity in identities
        ):
            return " ".join(phrase)
        if not is_named and (phrase in tags or _describes(entry, named, tags)):
            return " ".join(phrase)
    return ""


def _identities(entry: Entry) -> set[tuple[str, ...]]:
    name = tuple(content_words(entry.card.name))
    trigger = tuple(content_words(next(iter(entry.triggers), "").split(",")[0]))
    return {phrase for phrase in (name, *name_phrases(entry.card.name)[:1], trigger) if phrase}


def _describes(entry: Entry, phrase: set[str], tags: set[tuple[str, ...]]) -> bool:
    """Whether every word of a phrase is in the name, or in a tag without other words."""
    if entry.kind in {"character", "person"}:
        return False
    name = {word for part in name_phrases(entry.card.name) for word in part}
    mine = name.union(*(tag for tag in tags if phrase.issuperset(tag)))
    if mine.issuperset(phrase):
        return True
    subject = phrase - _MEDIUM
    return entry.kind == "style" and bool(subject) and mine.issuperset(subject)


@dataclass(frozen=True, slots=True)
class Gate:
    """What may be found for one query. `open` has a value for each row of the lexical index."""

    open: Mask
    family: str
    families: frozenset[str] | None
    explicit: bool
    veto: Veto
    lists: Lists
    prune: bool
    only: frozenset[AdapterKey] | None
    loads: frozenset[str] | None = None

    @classmethod
    def of(cls, query: Query, index: LexicalIndex) -> Gate:
        limits, labels = query.limits, index.labels
        families = None if limits.family == ANY else _compatible(limits, labels.families)
        lists = Lists.of(limits)
        opened = index.alive.copy()
        if limits.prune:
            opened &= ~index.has(POOR)
        if lists:
            opened &= open_rows(lists, labels)
        hypernetworks = labels.rows_with([TYPE + HYPERNETWORK])
        opened &= ~hypernetworks
        opened |= index.alive & index.has(ALWAYS)  # a setting of one entry outweighs a rule
        opened &= ~labels.rows_with([NEGATIVE])
        if families is not None:
            unknown = hypernetworks & labels.rows_with([FAMILY + UNKNOWN])  # nothing states it
            opened &= labels.rows_with(FAMILY + family for family in families) | unknown
        unsupported = not_loadable(FORMATS, loads_of(limits))
        opened &= ~labels.rows_with(FORMAT + name for name in unsupported)
        if query.only is not None:
            among = np.zeros_like(opened)
            among[[index.rows[str(key)] for key in query.only if str(key) in index.rows]] = True
            opened &= among
        explicit, veto = limits.nsfw or is_explicit(query.prompt), vetoed(query.negative)
        return cls(
            opened,
            limits.family,
            families,
            explicit,
            veto,
            lists,
            limits.prune,
            query.only,
            loads_of(limits),
        )

    def refusal(self, entry: Entry, is_named: bool = False) -> str:
        """Why an entry that was found is not offered; empty if it is.

        `is_named`: the prompt has its name or trigger.
        """
        if entry.edits.state == "never":
            return NEVER_USED
        if entry.edits.state == "always":
            return ""
        if entry.card.nsfw and not self.explicit:
            return "marked NSFW, which you did not ask for"
        phrase = forbidden(self.veto, entry, is_named)
        return f'your negative prompt excludes "{phrase}"' if phrase else ""

    def factor(self, entry: Entry) -> float:
        return PARTIAL_FACTOR if is_partial(entry.family, self.family) else 1.0

    def misfit(self, entry: Entry) -> str:
        """Why the row of an entry is not open; empty if it is."""
        is_always = entry.edits.state == "always"
        if entry.card.negative:
            return "" if is_always else FOR_NEGATIVE
        is_stated = entry.family != UNKNOWN or entry.card.type != HYPERNETWORK
        if self.families is not None and entry.family not in self.families and is_stated:
            return self._other_family(entry.family)
        if self.only is not None and entry.key not in self.only:
            return NOT_ON_DISK
        missing = not_loadable(entry.formats, self.loads)
        if missing or is_always:
            return cannot_load(missing) if missing else ""
        by_type = ONLY_ALWAYS if entry.card.type == HYPERNETWORK else ""
        return by_type or self.lists.reason(entry) or (poor(entry) if self.prune else "")

    def _other_family(self, family: str) -> str:
        if family == UNKNOWN:
            return needs(UNKNOWN)
        if is_partial(family, self.family):
            return f"{partly(family, self.family)} (`--partial` allows it)"
        return f"{incompatible(family, self.family)} (try `--family {family}`)"


def loads_of(limits: Selection) -> frozenset[str] | None:
    """The formats that the WebUI loads; None if that is unknown."""
    return frozenset(limits.formats) or None


def incompatible(adapter_family: str, model_family: str) -> str:
    return f"{needs(adapter_family)}; this plan is for {display_name(model_family)}"


def _compatible(limits: Selection, families: Iterable[str]) -> frozenset[str]:
    return frozenset(
        family
        for family in families
        if compatibility(family, limits.family) is Compatibility.FULL
        or (limits.partial and is_partial(family, limits.family))
    )


MAX_OF_ONE_NAME = 3
AS_GOOD = 0.9
"""Share of the best version's score from which a later version is taken instead."""

_FINISHED = float("inf")
_VERSION = re.compile(
    r"(?:^|[-_. ]|(?<=[a-z])(?=V))(?:v|ver|version)[-_. ]?(\d+(?:[._]\d+)*)", re.IGNORECASE
)
_EPOCH = re.compile(
    r"[-_. ](?:(?:e|ep|epoch|s|step|steps)[-_. ]?(\d+)|(\d{6}))(?=$|[-_. (])", re.IGNORECASE
)


def diverse(ranked: Iterable[Candidate]) -> tuple[list[Candidate], list[NearMiss]]:
    """One version or epoch of each model, and at most three adapters with the same name.

    Adapters that the user always wants stay in any case.
    """
    candidates = list(ranked)
    chosen = _best_versions(candidates)
    kept: list[Candidate] = []
    dropped: list[NearMiss] = []
    by_name: dict[tuple[str, ...], int] = {}
    for candidate in candidates:
        card = candidate.entry.card
        name = next(iter(name_phrases(card.name)), ())
        best = chosen.get(_model(card), candidate)
        pinned = candidate.entry.edits.state == "always"
        reason = ""
        if best.key != candidate.key and not pinned:
            version = best.entry.card.version or best.entry.card.name
            fits = "fits better" if best.score > candidate.score else "is later and fits as well"
            reason = f"the version '{version}' {fits}"
        elif name and by_name.get(name, 0) >= MAX_OF_ONE_NAME and not pinned:
            reason = f"{MAX_OF_ONE_NAME} better ones have the same name"
        if reason:
            dropped.append(NearMiss(candidate.key, card.name, reason, candidate.evidence.sure))
        else:
            kept.append(candidate)
            by_name[name] = by_name.get(name, 0) + 1
    return kept, dropped


def _best_versions(ranked: list[Candidate]) -> dict[str, Candidate]:
    """By model what the user always wants, else the latest version that is about as good."""
    models: dict[str, list[Candidate]] = {}
    for candidate in ranked:
        if model := _model(candidate.entry.card):
            models.setdefault(model, []).append(candidate)
    return {model: _latest(versions) for model, versions in models.items()}


def _latest(versions: list[Candidate]) -> Candidate:
    best = max(versions, key=lambda candidate: candidate.score)
    equals = [
        candidate
        for candidate in versions
        if candidate.entry.family == best.entry.family and candidate.score >= AS_GOOD * best.score
    ] or [best]

    def rank(candidate: Candidate) -> tuple[bool, tuple[tuple[int, ...], float], float, AdapterKey]:
        card = candidate.entry.card
        pinned = candidate.entry.edits.state == "always"
        return pinned, version_and_epoch(card), candidate.score, card.key

    return max(equals, key=rank)


def version_and_epoch(card: AdapterCard) -> tuple[tuple[int, ...], float]:
    """Orders versions: name, name_v2; name-000004, name-000008, then the finished name."""
    text = f"{card.name} {card.version}"
    versions = _VERSION.findall(text) or re.findall(r"^\s*(\d+(?:\.\d+)*)\s*$", card.version)
    epochs = [int(number or steps) for number, steps in _EPOCH.findall(text)]
    version = tuple(int(number) for number in re.split(r"[._]", versions[-1])) if versions else (1,)
    return version, float(epochs[-1]) if epochs else _FINISHED


def _model(card: AdapterCard) -> str:
    """Identifies the model of which a card is one version; empty if unknown.

    Without a model id only the user's own files count by name: epochs of one training are called
    name, name_v2 and name-000004, but the same name from two authors means two models.
    """
    return series(card) if card.model_id is not None or card.source == "local" else ""
