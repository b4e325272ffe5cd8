"""Trigger words: which of an adapter's a prompt needs.

A group is one way to call the adapter. The phrase that calls it has coined words, or those of its
name. The rest of a group mostly tells what the example pictures show, and is not written.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from stylus_ext.core.prompt.insert import is_harmless
from stylus_ext.core.prompt.parse import Prompt, parse_prompt
from stylus_ext.core.prompt.phrases import WEAK, WEAK_VERBS, pieces
from stylus_ext.core.prompt.words import STOP, common_words, content_words, words

_MOST_GROUPS = 64
_MOST_WORDS = 8
"""A longer phrase is a sentence."""

_CHARACTERS = frozenset({"character", "person"})
_CLOTHES = frozenset(
    """apron armor armour bikini blazer blouse bodysuit boots bra cape cardigan cloak coat collar
    corset costume dress gloves gown hakama hat hoodie jacket jeans jumpsuit kimono leotard
    miniskirt outfit overalls pantyhose pants robe sandals scarf shirt shoes shorts skirt sleeves
    sneakers socks stockings suit sweater swimsuit sundress tank thighhighs tie tights top trousers
    tunic tuxedo uniform vest yukata""".split()
)
_LOOKS = """
    hair eyes pupils skin face bangs ponytail twintails braid bun ahoge horns ears tail wings halo
    tattoo scar freckles beard mustache breasts cleavage navel midriff lips makeup lipstick nails
    headwear headband hairband hairpin hairclip hairbow ribbon bow bowtie necktie ornament earrings
    necklace choker jewelry bracelet ring glasses goggles mask crown tiara belt buckle bag armband
    wristband legwear footwear headphones headset underwear panties garter sideburns eyebrows
    eyelashes fang teeth tongue background viewer focus view angle shot body standing sitting lying
    kneeling holding smile smiling grin blush frown closed open looking pose monochrome greyscale
    grayscale solo outdoors indoors scenery simple portrait screencap male female girl boy woman man
    sidelocks sleeveless strapless bare thighs legs arms hands feet hood capelet detached
    facial mark silhouette ascot frills lace pleated strap zipper buttons pocket medallion brooch
    pendant cosplay
"""


def _vocabulary(texts: Collection[str]) -> frozenset[str]:
    return frozenset(word for text in texts for word in words(text))


_CLOTHES_WORDS = _vocabulary(_CLOTHES)
_LOOK_WORDS = _CLOTHES_WORDS | _vocabulary(_LOOKS.split())
_COLOURS = frozenset(
    """black white gray red green blue yellow orange purple pink brown blonde silver gold golden
    aqua teal violet""".split()
)
_NO_MEANING = STOP | WEAK | WEAK_VERBS | {"style", "anime", "art", "girl", "boy", "woman", "man"}
"""Words that may stand in a prompt and in a trigger without meaning the same."""

_NOT_SHARED = _NO_MEANING | _COLOURS | _LOOK_WORDS

_PLACEHOLDER = frozenset(
    """character char name series franchise copyright artist your trigger triggerword keyword prompt
    insert here anything placeholder subject optional description tag number""".split()
)
_ABOUT_TRAINING = frozenset(
    """trained dataset epoch caption captioned lora locon lycori checkpoint weight
    strength trigger prompt keyword recommended recommend suggest tagged delete""".split()
)
_ABOUT_USE = re.compile(
    r"^\s*(?:tags?|variant|note|example|e\.g)\s*[:=]|\b(?:or|and/or) |^\s*(?:none|n/a)\s*$"
    r"|\btraining (?:data|set|images?|pictures?)",
    re.IGNORECASE,
)
_JSON_PIECE = re.compile(r'^\s*[{\[]*\s*"[^"]*"\s*:')
_IN_A_NAME = re.compile(r"(?<=\w )\(([^():\\]+)\)")
_UNESCAPED = re.compile(r"(?<!\\)([()\[\]])")


@dataclass(frozen=True, slots=True)
class _Phrase:
    """A phrase of a trigger group. `named` is how many of its words are of the adapter's name."""

    text: str
    words: tuple[str, ...]
    named: int
    is_coined: bool
    is_look: bool


def fitting_triggers(
    groups: Sequence[str], prompt: Prompt, kind: str, name: str = ""
) -> tuple[str, ...]:
    """Return the words that call the adapter, of the group nearest to the prompt.

    Nothing if the prompt has or contradicts them. `name` is that of the adapter.
    """
    own = frozenset(content_words(name)) - _NO_MEANING
    read = [found for group in groups[:_MOST_GROUPS] if (found := _phrases(group, own, kind))]
    if not read:
        return ()
    present = _content(prompt.text)
    code, first = _code_word(read[0]), _caller(read[0])
    calls = [phrase for group in read for phrase in _calls(group)]
    if not first.is_look:
        calls.append(first)
    standing = [phrase for phrase in calls if _stands_in(phrase.words, present)]
    wanted: list[_Phrase] = []
    if not standing:
        best = _caller(_nearest(read, frozenset(present), kind))
        is_caller = best.is_coined or best.named or kind not in _CHARACTERS
        if is_caller and not _stands_in(best.words, present) and not _contradicts(best, prompt):
            wanted = [best]
    if kind == "style" and code and all(len(phrase.words) > 1 for phrase in (*standing, *wanted)):
        wanted.insert(0, code)
    return _written(phrase.text for phrase in wanted)


def chosen_triggers(groups: Sequence[str], prompt: Prompt) -> tuple[str, ...]:
    """Return the missing phrases of the group nearest to the prompt, where the user wrote the
    groups: nothing in them is there by accident.
    """
    present = _content(prompt.text)
    known = frozenset(present)
    best = max(groups, default="", key=lambda group: len(known.intersection(_content(group))))
    return _written(text for text in _texts(best) if not _stands_in(_content(text), present))


def _written(texts: Iterable[str]) -> tuple[str, ...]:
    escaped = dict.fromkeys(_UNESCAPED.sub(r"\\\1", text) for text in texts)
    return tuple(text for text in escaped if is_harmless(text))


def _phrases(group: str, own: frozenset[str], kind: str) -> list[_Phrase]:
    """The content phrases of a group, without placeholders, sentences, counts and networks."""
    found = []
    stated = ",".join(part for part in group.split(",") if not is_json_piece(part))
    for text in _texts(stated):
        content = _content(text)
        if not _is_trigger(text, content):
            continue
        is_look = kind != "clothing" and not _LOOK_WORDS.isdisjoint(content)
        is_coined = not is_look and any(map(_is_coined, content))
        found.append(_Phrase(text, content, len(own.intersection(content)), is_coined, is_look))
    return found


def _texts(group: str) -> list[str]:
    # "saber (fate)" is a name, not attention
    read = parse_prompt(_IN_A_NAME.sub(r"\\(\1\\)", group))
    texts = dict.fromkeys(piece.text for piece in pieces(read) if piece.role == "content")
    return [text for text in texts if not ("<" in text and ">" in text)]  # could become a tag


def is_json_piece(text: str) -> bool:
    """Whether a text begins like a field of JSON, such as `"id": "12`."""
    return _JSON_PIECE.match(text) is not None


def _content(text: str) -> tuple[str, ...]:
    """Content words in their order; the parts of a hyphenated word are words."""
    return tuple(content_words(text.replace("-", " ")))


def _is_trigger(text: str, content: Sequence[str]) -> bool:
    return (
        any(len(word) > 1 and not word.isdigit() for word in content)
        and len(text.split()) <= _MOST_WORDS
        and not _PLACEHOLDER.issuperset(content)
        and _ABOUT_TRAINING.isdisjoint(content)
        and not _ABOUT_USE.search(text)
    )


def _is_coined(word: str) -> bool:
    return not any(word in known for known in (common_words(), _LOOK_WORDS, _COLOURS, _NO_MEANING))


def _caller(group: Sequence[_Phrase]) -> _Phrase:
    """The phrase that calls the adapter: the first if coined, else the one nearest to the name."""
    if group[0].is_coined:
        return group[0]
    named = max(group, key=lambda phrase: phrase.named)
    return named if named.named else next((each for each in group if not each.is_look), group[0])


def _calls(group: Sequence[_Phrase]) -> Iterator[_Phrase]:
    """The phrases of a group that call the adapter each by itself."""
    caller = _caller(group)
    if caller.is_coined or caller.named:
        yield caller
    yield from (each for each in group if each.named > 1 or (each.named and each.is_coined))


def _nearest(
    read: Sequence[Sequence[_Phrase]], known: frozenset[str], kind: str
) -> Sequence[_Phrase]:
    """Of the groups that call the adapter the one that shares most words with the prompt.

    These are the named ones if there are any. The words that call the outfits of one adapter are
    often everyday words.
    """
    named = [group for group in read if any(phrase.named for phrase in group)]
    if named and read[0][0].is_coined and named[0] is not read[0]:
        named.insert(0, read[0])
    coined = [group for group in read if any(phrase.is_coined for phrase in group)]
    first = _caller(read[0])
    calling = named or (coined if coined and (first.is_coined or first.is_look) else read)

    def shared(group: Sequence[_Phrase]) -> int:
        words = _caller(group).words if named and kind != "clothing" else _words(group)
        return len(known.intersection(words) - _NOT_SHARED)

    return max([*calling, *read] if kind == "clothing" else calling, key=shared)


def _words(group: Sequence[_Phrase]) -> set[str]:
    return {word for phrase in group for word in phrase.words}


def _code_word(group: Sequence[_Phrase]) -> _Phrase | None:
    """The first phrase of a card, if it is one coined word: it is meant for every prompt."""
    return group[0] if group[0].is_coined and len(group[0].words) == 1 else None


def stands_together(phrase: str, text: str) -> bool:
    """Whether the content words of a phrase follow each other in a text."""
    part = _content(phrase)
    return bool(part) and _stands_in(part, _content(text))


def _stands_in(part: Sequence[str], whole: Sequence[str]) -> bool:
    size = len(part)
    return any(whole[at : at + size] == part for at in range(len(whole) - size + 1))


def _contradicts(phrase: _Phrase, prompt: Prompt) -> bool:
    """True for another look: "blue hair" where the prompt says "red hair"."""
    if phrase.is_coined or len(phrase.words) == 1:
        return False
    own = words(phrase.text.replace("-", " "))
    return any(_other_look(words(piece.text), own) for piece in pieces(prompt))


def _other_look(content: Sequence[str], own: Sequence[str]) -> bool:
    """Whether a piece of the prompt has the last word behind another attribute."""
    head, attribute = own[-1], own[-2]
    if head not in content[1:] or attribute in _NO_MEANING:
        return False
    return content[content.index(head, 1) - 1] not in {attribute, *_NO_MEANING}
