"""In: an adapter's groups of trigger words and the prompt. Out: those words that identify it and
that the prompt lacks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from stylus_ext.core.prompt.insert import is_harmless
from stylus_ext.core.prompt.parse import Prompt, parse_prompt
from stylus_ext.core.prompt.pieces import pieces
from stylus_ext.core.prompt.words import content_words, words

MOST_OF_A_CHARACTER = 6
MOST_OF_OTHERS = 2
"""The first words of a group call the adapter; what follows is mostly what the showcase happened to
wear.
"""

_CHARACTERS = frozenset({"character", "person"})
_CLOTHES = frozenset(
    """apron armor armour bikini blazer blouse bodysuit boots bra cape cardigan cloak coat collar
    corset costume dress
    gloves gown hakama hat hoodie jacket jeans jumpsuit kimono leotard miniskirt outfit overalls
    pantyhose pants robe
    sandals scarf shirt shoes shorts skirt sleeves sneakers socks stockings suit sweater swimsuit
    sundress tank thighhighs
    tie tights top trousers tunic tuxedo uniform vest yukata""".split()
)
_CLOTHES_WORDS = frozenset(word for item in _CLOTHES for word in words(item))
_IN_A_NAME = re.compile(r"(?<=\w )\(([^():\\]+)\)")
_UNESCAPED = re.compile(r"(?<!\\)([()\[\]])")


def fitting_triggers(groups: Sequence[str], prompt: Prompt, kind: str) -> tuple[str, ...]:
    """The group that has most in common with the prompt, without what the prompt has already or
    contradicts.
    """
    if not groups:
        return ()
    present = words(prompt.text)
    known = set(present)
    best = max(groups, key=lambda group: len(known & set(content_words(group))))
    missing = [text for text in _identifying(best, kind) if not _stands_in(words(text), present)]
    fitting = (_escaped(text) for text in missing if not _contradicts(text, prompt, known))
    return tuple(text for text in fitting if is_harmless(text))


def _identifying(group: str, kind: str) -> list[str]:
    """Counts, quality words and networks are no phrases of content; of the rest the first ones
    count.
    """
    read = parse_prompt(
        _IN_A_NAME.sub(r"\\(\1\\)", group)
    )  # "saber (fate)" is a name, not attention
    texts = [piece.text for piece in pieces(read) if piece.role == "content"]
    return list(dict.fromkeys(texts))[
        : MOST_OF_A_CHARACTER if kind in _CHARACTERS else MOST_OF_OTHERS
    ]


def _stands_in(part: Sequence[str], whole: Sequence[str]) -> bool:
    size = len(part)
    return any(whole[at : at + size] == part for at in range(len(whole) - size + 1))


def _contradicts(trigger: str, prompt: Prompt, known: set[str]) -> bool:
    """Other clothes than the prompt's, or the same thing with another look: "blue hair" where the
    prompt says "red hair".
    """
    own = words(trigger)
    if _CLOTHES_WORDS & set(own) and _CLOTHES_WORDS & known:
        return True
    head = own[-1] if own else ""
    return len(own) > 1 and any(
        _other_look(words(piece.text), own, head) for piece in pieces(prompt)
    )


def _other_look(said: Sequence[str], own: Sequence[str], head: str) -> bool:
    if head not in said[1:]:
        return False
    return said[said.index(head, 1) - 1] != own[-2]


def _escaped(text: str) -> str:
    """Brackets of a name would be read as attention."""
    return _UNESCAPED.sub(r"\\\1", text)
