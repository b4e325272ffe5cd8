"""An entry and what the negative prompt forbids in, the phrase that forbids the entry out.

Its own name and first trigger word are what it is, and always count. What its card says besides, a
tag or a word of its name, counts unless the prompt calls it by name: who writes a character and
forbids the look that its card is tagged with wants the character.
"""

from __future__ import annotations

from stylus_ext.core.description import Entry
from stylus_ext.core.prompt.calling import name_phrases
from stylus_ext.core.prompt.veto import Veto
from stylus_ext.core.prompt.words import content_words

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
