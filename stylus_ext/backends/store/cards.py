"""What the sources state, as rows. In: cards. Out: rows by first key, source and what the card is
about; and the cards again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from stylus_ext.backends.store import aliases, codec
from stylus_ext.backends.store.codec import to_column
from stylus_ext.backends.store.entries import sound
from stylus_ext.core.card import AdapterCard


def keep(connection: sqlite3.Connection, card: AdapterCard) -> str:
    """As it is, under the first key of its names, which from now on lead there with all that waited
    under them.
    """
    names = names_of(card)
    first = aliases.owner(connection, names)
    aliases.adopt(connection, first, names)
    connection.execute(
        "INSERT OR REPLACE INTO cards (key, source, about, card) VALUES (?, ?, ?, ?)",
        (first, to_column(card.source), _about(card), codec.card_text(card)),
    )
    return first


def stated(
    connection: sqlite3.Connection, firsts: Iterable[str]
) -> dict[str, tuple[AdapterCard, ...]]:
    found: dict[str, tuple[AdapterCard, ...]] = {}
    for some, marks in aliases.chunks(firsts):
        held = connection.execute(
            f"SELECT key, card FROM cards WHERE key IN ({marks}) ORDER BY key, source, about",  # noqa: S608
            some,
        ).fetchall()
        with sound():
            for first, card in held:
                found[first] = (*found.get(first, ()), codec.card_of(codec.load(card)))
    return found


def names_stated(connection: sqlite3.Connection, first: str) -> set[str]:
    """Every name that what is kept under a first key vouches for."""
    return {name for card in stated(connection, [first]).get(first, ()) for name in names_of(card)}


def names_of(card: AdapterCard) -> list[str]:
    return [to_column(str(key)) for key in (card.key, *card.equivalents)]


def _about(card: AdapterCard) -> str:
    """One source may speak of several files, or listed versions, that are one adapter; the user's
    pictures speak once.
    """
    if card.source == "pictures":
        return ""
    names = names_of(card)
    return next((name for name in names if name.startswith("path:")), names[0])
