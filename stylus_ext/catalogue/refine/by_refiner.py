"""Entries as one refiner describes them, to compare refiners on the same catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

from stylus_ext.catalogue.refine.captions import described
from stylus_ext.catalogue.refine.rules import CardRefiner
from stylus_ext.core.captions import Captions
from stylus_ext.core.entry import BY_CAPTIONS, BY_RULES, Description, Entry
from stylus_ext.core.refining import NotRefined

RefinerName = Literal["none", "rules", "captions", "published", "llm"]
REFINERS: tuple[RefinerName, ...] = get_args(RefinerName)
"""`none` leaves the name alone; `published` are the paper's texts, `llm` a language model's."""
_BY_SOURCE: dict[str, RefinerName] = {
    BY_RULES: "rules",
    BY_CAPTIONS: "captions",
    "stylusdocs": "published",
    "chat": "llm",
}


def refiner_of(description: Description) -> RefinerName:
    """The refiner that made a description, whatever its model."""
    return _BY_SOURCE.get(description.source.partition(":")[0], "rules")


def described_by(refiner: RefinerName, entry: Entry, captions: Sequence[Captions] = ()) -> Entry:
    """The entry without the user's text, as this refiner describes it.

    Where it has made no description the rules do, as in use. `captions` are those of its pictures.
    """
    plain = replace(entry, edits=replace(entry.edits, text=None))
    rules = CardRefiner().refine(entry.card)
    if refiner == "none":
        return replace(plain, description=replace(rules, text=""))
    if refiner == "captions" and captions:
        try:
            return replace(plain, description=described(rules, entry.card, captions))
        except NotRefined:
            return replace(plain, description=rules)
    if refiner != "rules" and refiner_of(entry.description) == refiner:
        return plain
    return replace(plain, description=rules)
