"""What may be found at all: arrays of yes and no before anything is scored, and reasons in words
for what is refused after.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stylus_ext.backends.retrievers import facts as fact
from stylus_ext.backends.retrievers.lexical import LexicalIndex
from stylus_ext.backends.retrievers.lists import Lists
from stylus_ext.backends.retrievers.quality import poor
from stylus_ext.backends.retrievers.vetoes import forbidden
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.description import Entry
from stylus_ext.core.family import (
    ANY,
    UNKNOWN,
    Compatibility,
    compatibility,
    is_partial,
    partly,
    spoken,
)
from stylus_ext.core.ports import Query
from stylus_ext.core.prompt.parse import Prompt
from stylus_ext.core.prompt.veto import Veto, vetoed
from stylus_ext.core.prompt.words import words

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
                    f" {spoken(self.family)}"
                )
            if is_partial(entry.family, self.family):
                return (
                    f"{partly(entry.family, self.family)}: such adapters are left out unless the"
                    " setting 'partial' allows them"
                )
            return (
                f"it was made for {spoken(entry.family)}, which does not work with"
                f" {spoken(self.family)}"
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
