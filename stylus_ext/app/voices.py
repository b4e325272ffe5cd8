"""Who speaks of what: the names that a card states, the file it was read from, and which cards
speak of one adapter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import PurePath

from stylus_ext.core.card import AdapterCard, AdapterKey, LocalFile


def names(card: AdapterCard) -> tuple[AdapterKey, ...]:
    return (card.key, *card.equivalents)


def path_name(card: AdapterCard) -> AdapterKey | None:
    """The key of the file that a local card was read from."""
    return (
        next((key for key in names(card) if key.scheme == "path"), None)
        if card.source == "local"
        else None
    )


def tells_of(name: AdapterKey | None, path: str) -> bool:
    """Whether a path key, which is relative to its folder, may be that of a file."""
    return name is not None and f"/{PurePath(path).as_posix()}".endswith(f"/{name.value}")


def local_card(cards: Iterable[AdapterCard], path: str) -> AdapterCard | None:
    """The card that was read from this file; one that names no file speaks of whatever file there
    is.
    """
    local = [card for card in cards if card.source == "local"]
    fitting = [card for card in local if tells_of(path_name(card), path)] or [
        card for card in local if path_name(card) is None
    ]
    return max(fitting, key=lambda card: len(str(path_name(card))), default=None)


def speaking(cards: Sequence[AdapterCard], files: Iterable[LocalFile]) -> Sequence[AdapterCard]:
    """Without the cards of files that are not there, unless nobody else speaks."""
    paths = [file.path for file in files]
    present = [
        card
        for card in cards
        if (name := path_name(card)) is None or any(tells_of(name, path) for path in paths)
    ]
    return present or cards


def groups(cards: Iterable[AdapterCard]) -> list[list[AdapterCard]]:
    """Cards that have a name in common, or are joined by others that have, belong together."""
    found: dict[AdapterKey, list[AdapterCard]] = {}
    for card in cards:
        known = {id(group): group for key in names(card) if (group := found.get(key)) is not None}
        together = [*chain.from_iterable(known.values()), card]
        found.update((key, together) for one in together for key in names(one))
    return list({id(group): group for group in found.values()}.values())


def under(first: AdapterKey, card: AdapterCard) -> AdapterCard:
    """The card under its first key; the key it came with becomes an equivalent."""
    if card.key == first:
        return card
    return replace(
        card, key=first, equivalents=tuple(sorted({card.key, *card.equivalents} - {first}))
    )
