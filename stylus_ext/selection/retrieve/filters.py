"""What may be found at all: arrays of yes and no before anything is scored, and reasons in words
for what is refused after.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import Entry
from stylus_ext.core.family import (
    ANY,
    UNKNOWN,
    Compatibility,
    compatibility,
    display_name,
    is_partial,
    partly,
)
from stylus_ext.core.ports import Query
from stylus_ext.core.prompt.parse import Prompt
from stylus_ext.core.prompt.phrases import Veto, vetoed
from stylus_ext.core.prompt.words import content_words, name_phrases, words
from stylus_ext.core.settings import Selection
from stylus_ext.selection.lexical import facts as fact
from stylus_ext.selection.lexical.facts import FOLDER, TAG, Labels, labels_of, poor, tag_label
from stylus_ext.selection.lexical.index import LexicalIndex


@dataclass(frozen=True, slots=True)
class Lists:
    """What is allowed alone, where anything is, and what is denied. A folder stands for all that
    lies inside it.
    """

    allow_folders: tuple[str, ...] = ()
    deny_folders: tuple[str, ...] = ()
    allow_tags: tuple[str, ...] = ()
    deny_tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, limits: Selection) -> Lists:
        return cls(limits.allow_folders, limits.deny_folders, limits.allow_tags, limits.deny_tags)

    def __bool__(self) -> bool:
        return any((self.allow_folders, self.deny_folders, self.allow_tags, self.deny_tags))

    def open(self, labels: Labels) -> NDArray[np.bool_]:
        """Which rows may be chosen."""
        return _open(self, labels)

    def reason(self, entry: Entry) -> str:
        """Why an entry may not be chosen; empty where the lists leave it."""
        mine = labels_of(entry)
        folders, denied = (
            [name for name in mine if name[0] == FOLDER],
            _matching(self.deny_tags, TAG, mine),
        )
        if folders and len(_matching(self.deny_folders, FOLDER, mine)) == len(folders):
            return f"it lies in the folder {_said(folders[0])}, which you left out"
        if denied:
            return f"it is tagged {_said(denied[0])}, which you left out"
        if self.allow_folders and not _matching(self.allow_folders, FOLDER, mine):
            return (
                f"it does not lie in {_either(self.allow_folders)}, and you choose from there alone"
            )
        if self.allow_tags and not _matching(self.allow_tags, TAG, mine):
            return f"it is not tagged {_either(self.allow_tags)}, and you choose from those alone"
        return ""


@lru_cache(maxsize=2)
def _open(lists: Lists, labels: Labels) -> NDArray[np.bool_]:
    places = {name: code for code, name in enumerate(labels.names)}

    def having(names: Iterable[str]) -> NDArray[np.bool_]:
        return labels.holders([places[name] for name in names])

    opened = ~having(_matching(lists.deny_tags, TAG, labels.names))
    denied = _matching(lists.deny_folders, FOLDER, labels.names)
    if denied:  # a copy in another folder may be chosen
        opened &= ~having(denied) | having(
            {name for name in labels.names if name[0] == FOLDER}.difference(denied)
        )
    if lists.allow_folders:
        opened &= having(_matching(lists.allow_folders, FOLDER, labels.names))
    if lists.allow_tags:
        opened &= having(_matching(lists.allow_tags, TAG, labels.names))
    return opened


def _matching(written: Sequence[str], sign: str, names: Iterable[str]) -> list[str]:
    """Of these labels the tags, or folders, that one of the patterns fits."""
    patterns = [_pattern(text, sign) for text in written]
    return [
        name
        for name in names
        if name[0] == sign and any(pattern.fullmatch(name, 1) for pattern in patterns)
    ]


@lru_cache(maxsize=256)
def _pattern(written: str, sign: str) -> re.Pattern[str]:
    """`*` and `?` stand for any text and any sign; brackets, which folders like to have, for
    themselves.
    """
    if sign == TAG:
        return re.compile(_glob(tag_label(written)[1:]), re.DOTALL)
    folder = written.replace("\\", "/").strip("/").casefold().removeprefix("./")
    return re.compile("" if folder in {"", "."} else rf"(?:{_glob(folder)})(?:/.*)?", re.DOTALL)


def _glob(text: str) -> str:
    return re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")


def _said(label: str) -> str:
    return f"'{label[1:] or '.'}'"


def _either(patterns: Sequence[str]) -> str:
    return " or ".join(f"'{pattern}'" for pattern in patterns[:3]) + (
        " or the like" if len(patterns) > 3 else ""  # noqa: PLR2004
    )


_MEDIUM = frozenset(
    "style art artwork painting drawing illustration look effect filter aesthetic rendering render".split()  # noqa: E501
)
"""What else may stand behind the word for a style."""


def forbidden(veto: Veto, entry: Entry, called: bool) -> str:
    """The phrase that speaks against it, as words; empty where none does."""
    if not veto:
        return ""
    identities = set(_identities(entry))
    tags = {tuple(content_words(text)) for text in (*entry.triggers, *entry.card.tags)}
    for phrase in sorted(veto):
        said = set(phrase)
        if phrase in identities or any(
            len(words) > 1 and said.issuperset(words) for words in identities
        ):
            return " ".join(phrase)
        if not called and (phrase in tags or _speaks_of(entry, said, tags)):
            return " ".join(phrase)
    return ""


def _identities(entry: Entry) -> tuple[tuple[str, ...], ...]:
    name = tuple(content_words(entry.card.name))
    first = tuple(content_words(next(iter(entry.triggers), "").split(",")[0]))
    return tuple(words for words in (name, *name_phrases(entry.card.name)[:1], first) if words)


def _speaks_of(entry: Entry, said: set[str], tags: set[tuple[str, ...]]) -> bool:
    """Every word of the phrase is one of the name, or of a tag that says no more than the
    phrase.
    """
    if entry.kind in {"character", "person"}:
        return False
    named = {word for phrase in name_phrases(entry.card.name) for word in phrase}
    mine = named.union(*(tag for tag in tags if said.issuperset(tag)))
    if mine.issuperset(said):
        return True
    telling = said - _MEDIUM
    return entry.kind == "style" and bool(telling) and mine.issuperset(telling)


PARTLY = 0.85
"""Factor on the score of an adapter that was made for a relative of the model."""

_EXPLICIT = frozenset(
    """nsfw nude nudity naked nipple areola pussy vagina vaginal penis cock dick cum cumshot sex
    sexual fellatio blowjob handjob
    anal hentai porn pornographic topless bottomless masturbation orgy ahegao genital explicit
    erotic uncensored bukkake
    deepthroat paizuri cunnilingus creampie futanari bdsm bondage lewd""".split()
)


@dataclass(frozen=True, slots=True)
class Gate:
    """`open` has a value for each row of the lexical index; the veto and the user's word are asked
    entry by entry.
    """

    open: NDArray[np.bool_]
    family: str
    families: frozenset[str] | None
    explicit: bool
    veto: Veto
    lists: Lists
    prune: bool
    only: frozenset[AdapterKey] | None

    @classmethod
    def of(cls, query: Query, index: LexicalIndex) -> Gate:
        facts, limits = index.facts, query.limits
        families = (
            None
            if limits.family == ANY
            else _fitting(limits.family, facts.family_names, limits.partial)
        )
        lists = Lists.of(limits)
        opened = index.alive.copy()
        if limits.prune:
            opened &= ~facts.has(fact.POOR)
        if lists:
            opened &= lists.open(index.labels)
        opened |= index.alive & facts.has(
            fact.ALWAYS
        )  # the user's word about one adapter counts more than what holds for many
        if families is not None:
            opened &= facts.of_families(families)
        if query.only is not None:
            among = np.zeros(len(opened), dtype=bool)
            among[[index.rows[str(key)] for key in query.only if str(key) in index.rows]] = True
            opened &= among
        explicit = limits.nsfw or is_explicit(query.prompt)
        return cls(
            opened,
            limits.family,
            families,
            explicit,
            vetoed(query.negative),
            lists,
            limits.prune,
            query.only,
        )

    def refusal(self, entry: Entry, called: bool = False) -> str:
        """Why an entry that was found is not offered; empty where nothing speaks against it.
        `called`: by name or trigger word.
        """
        card = entry.card
        if entry.edits.state == "never":
            return "you said that it shall never be used"
        if entry.edits.state != "always":
            if card.nsfw and not self.explicit:
                return "it is not safe for work, and the prompt does not ask for that"
            phrase = forbidden(self.veto, entry, called)
            if phrase:
                return f"the negative prompt forbids it: '{phrase}'"
        return ""

    def factor(self, entry: Entry) -> float:
        return PARTLY if is_partial(entry.family, self.family) else 1.0

    def misfit(self, entry: Entry) -> str:
        """Why an entry outside the gate is outside of it."""
        if self.families is not None and entry.family not in self.families:
            if entry.family == UNKNOWN:
                return (
                    "nobody says for which base model it was made, and you generate with"
                    f" {display_name(self.family)}"
                )
            if is_partial(entry.family, self.family):
                return (
                    f"{partly(entry.family, self.family)}: such adapters are left out unless the"
                    " setting 'partial' allows them"
                )
            return (
                f"it was made for {display_name(entry.family)}, which does not work with"
                f" {display_name(self.family)}"
            )
        if self.only is not None and entry.key not in self.only:
            return "no file of it is in your LoRA folder"
        if entry.edits.state == "always":
            return ""
        return self.lists.reason(entry) or (poor(entry) if self.prune else "")


def is_explicit(prompt: Prompt) -> bool:
    return not _EXPLICIT.isdisjoint(words(prompt.text))


def _fitting(family: str, names: tuple[str, ...], partial: bool) -> frozenset[str]:
    return frozenset(
        name
        for name in names
        if compatibility(name, family) is Compatibility.FULL
        or (partial and is_partial(name, family))
    )
