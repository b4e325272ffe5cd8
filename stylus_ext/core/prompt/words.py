"""Words for matching prompts, names, triggers and cards.

Lower case, NFKC, no accents on Latin letters, singular, American spelling. Underscores, hyphens and
brackets separate words; `x-men` gives `x`, `man` and, since one side is short, `xmen`. Digits stay
with their letters (`2b`). Chinese, Japanese and Thai text becomes pairs of characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

from stylus_ext.core.entry import Entry

SHORT_SIDE = 3  # of a hyphenated word, for the joined form: spider-man, t-shirt, but not blue-eyed
LONGEST_PLURAL = 32

_STOP = """
    a an and are as at be been being but by do does for from had has have he her hers him his how i
    if in into is it its just me my near no nor not of off on onto or our out over own s she so some
    such t than that the their them then there these they this those through to too under up upon
    very was we were what when where which while who whom whose why with within without you your
"""
STOP = frozenset(_STOP.split())

_COMMON_WORDS = Path(__file__).resolve().parents[2] / "data" / "common_words.txt"


@cache
def common_words() -> dict[str, int]:
    """Common English words, singular, with their rank."""
    return {word: rank for rank, word in enumerate(_COMMON_WORDS.read_text("ascii").split())}


# Han, kana and Thai: the scripts that are written without spaces.
_UNSPACED = "\u0e00-\u0e7f\u3005\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # noqa: E501
_ASCII_WORD = re.compile(r"[a-z0-9]+")
_ANY_WORD = re.compile(rf"([{_UNSPACED}]+)|((?:[^\W_{_UNSPACED}]|(?<=\w)[\u0300-\u036f])+)")
_HYPHENATED = re.compile(r"(?<![^\W_])([^\W_]+)-([^\W_]+)")
_OWNER = re.compile(r"(?<=\w)'s\b")
_WITHIN = re.compile(r"(?<=\w)'(?=\w)")
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2019\u2018\u02bc\u00b4`", "'"))
_HYPHENS = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-")
_LATIN = {
    ord(a): b for a, b in zip("øłđæœıðþ", ("o", "l", "d", "ae", "oe", "i", "d", "th"), strict=True)
}
_ACCENTED = re.compile(r"([a-z])[\u0300-\u036f]+")

_PLURALS = """
    men:man women:woman children:child feet:foot teeth:tooth mice:mouse geese:goose wolves:wolf
    elves:elf leaves:leaf knives:knife dwarves:dwarf shelves:shelf thieves:thief scarves:scarf
    halves:half hooves:hoof movies:movie cookies:cookie zombies:zombie selfies:selfie hoodies:hoodie
    pixies:pixie genies:genie brownies:brownie rookies:rookie ties:tie pies:pie shoes:shoe toes:toe
    canoes:canoe snowshoes:snowshoe horseshoes:horseshoe headaches:headache buses:bus lenses:lens
    viruses:virus series:series species:species canvas:canvas atlas:atlas christmas:christmas
    lens:lens chaos:chaos cosmos:cosmos texas:texas thomas:thomas james:james always:always
    does:does aries:aries pegasus:pegasus mars:mars news:news glasses:glasses eyeglasses:glasses
    sunglasses:sunglasses
"""
_SPELLINGS = """
    colour:color coloured:colored colouring:coloring colourful:colorful watercolour:watercolor
    armour:armor armoured:armored harbour:harbor neighbour:neighbor neighbourhood:neighborhood
    favourite:favorite grey:gray greyscale:grayscale centre:center theatre:theater fibre:fiber
    sceptre:scepter sombre:somber lustre:luster jewellery:jewelry moustache:mustache pyjama:pajama
    pyjamas:pajama pajamas:pajama aluminium:aluminum plough:plow tyre:tire cosy:cozy mould:mold
    smoulder:smolder sabre:saber calibre:caliber catalogue:catalog aeroplane:airplane doughnut:donut
    yoghurt:yogurt whisky:whiskey axe:ax storey:story kerb:curb manoeuvre:maneuver
    traveller:traveler jeweller:jeweler marvellous:marvelous woollen:woolen sulphur:sulfur
    vapour:vapor parlour:parlor splendour:splendor glamour:glamor behaviour:behavior labour:labor
    rumour:rumor humour:humor honour:honor odour:odor
"""
"""British and American: one word."""

_SPELLED = {
    british: american
    for british, _, american in (pair.partition(":") for pair in _SPELLINGS.split())
}
_IRREGULAR = {
    plural: singular_form
    for plural, _, singular_form in (pair.partition(":") for pair in _PLURALS.split())
} | _SPELLED
_ENDINGS = (
    (("ss", "us", "is"), 0, ""),  # dress, virus, tennis: not a plural
    (("sses", "shes", "ches", "xes", "oes"), 2, ""),
    (("ies",), 3, "y"),
    (("s",), 1, ""),
)
_SHORTEST_PLURAL = 4


def words(text: str) -> list[str]:
    """Words in text order, joined forms last; stop words included."""
    lower = text.lower() if text.isascii() else _fold(text)
    if "'" in lower:
        lower = _WITHIN.sub("", _OWNER.sub("", lower))
    found = _ASCII_WORD.findall(lower) if lower.isascii() else _split(lower)
    if "-" in lower:
        found += [
            a + b
            for a, b in _HYPHENATED.findall(lower)
            if len(a) <= SHORT_SIDE or len(b) <= SHORT_SIDE
        ]
    return [singular(word) if word[-1] == "s" or word in _IRREGULAR else word for word in found]


def content_words(text: str) -> list[str]:
    """Words without stop words."""
    return [word for word in words(text) if word not in STOP]


@lru_cache(maxsize=1 << 16)
def singular(word: str) -> str:
    """English singular, where it is safe."""
    irregular = _IRREGULAR.get(word)
    if irregular is not None:
        return irregular
    if not _SHORTEST_PLURAL <= len(word) <= LONGEST_PLURAL:
        return word
    for endings, cut, instead in _ENDINGS:
        if word.endswith(endings):
            stem = word[: len(word) - cut] + instead
            return _SPELLED.get(stem, stem)
    return word


def _fold(text: str) -> str:
    folded = (
        unicodedata.normalize("NFKC", text).casefold().translate(_APOSTROPHES).translate(_HYPHENS)
    )
    if folded.isascii():
        return folded
    # Accents go from Latin letters only: a kana without its mark, or a Cyrillic letter, would be
    # another letter.
    bare = _ACCENTED.sub(r"\1", unicodedata.normalize("NFD", folded.translate(_LATIN)))
    return unicodedata.normalize("NFC", bare)


def _split(text: str) -> list[str]:
    found: list[str] = []
    for run, word in _ANY_WORD.findall(text):
        if word:
            found.append(word)
        elif len(run) <= 2:  # noqa: PLR2004
            found.append(run)
        else:
            found += [run[at : at + 2] for at in range(len(run) - 1)]
    return found


_PARTS = re.compile(r"[|/\\()\[\]{}【】（）「」:：;,，、+~]|\s[-–—]\s|--+")
_VERSION = re.compile(
    r"v?\d+(\.\d+)*[a-z]?|epoch\d*|e\d+|ver\d*|rev\d*|sd\d*|xl|sdxl|il|noob", re.IGNORECASE
)
_OTHER_SCRIPT = re.compile(r"[^\W\x00-\u024f]{2,}")
"""A name in another script beside the Latin one: カラオケ karaokeroom."""

_COMPOUND = re.compile(r"(?<=[a-z])(?=[A-Z][a-z]|[A-Z]{3,})|(?<=[A-Z])(?=[A-Z][a-z]{2})")
"""The places inside "LunarPunk", "moonLORA" and "ARWKnight" at which a word begins."""

_GENERIC_WORDS = frozenset(
    """lora locon lyco lycori lycoris loha dora loras style styles character characters concept
    embedding model checkpoint version ver update updated new by from the of for trained training
    pony illustrious flux pdxl noobai sdxl beta alpha final test experimental release nsfw sfw
    outfit outfits costume cosplay ai""".split()
)
"""Words of a name that do not occur in prompts."""

MOST_PHRASE_WORDS = 6
MOST_TRIGGERS = 40
MOST_PARTS = 12
MOST_TAGS = 24

_CHARACTERS = frozenset(("character", "person"))


@lru_cache(maxsize=16_384)
def name_phrases(name: str) -> tuple[tuple[str, ...], ...]:
    """Word sets that identify a name: the whole and each of its parts."""
    parts = (
        name,
        *_PARTS.split(name)[:MOST_PARTS],
        *_OTHER_SCRIPT.findall(name)[:MOST_PARTS],
        split_compounds(name),
    )
    phrases = (tuple(dict.fromkeys(_specific(content_words(part)))) for part in parts)
    return tuple(
        dict.fromkeys(phrase for phrase in phrases if 0 < len(phrase) <= MOST_PHRASE_WORDS)
    )


def entry_names(entry: Entry) -> tuple[tuple[str, ...], ...]:
    """Word sets that identify an entry; characters also without their series."""
    if entry.kind not in _CHARACTERS:
        return name_phrases(entry.card.name)
    return _character_names(
        entry.card.name, entry.card.tags[:MOST_TAGS], entry.triggers[:MOST_TRIGGERS]
    )


@lru_cache(maxsize=16_384)
def _character_names(
    name: str, tags: tuple[str, ...], triggers: tuple[str, ...]
) -> tuple[tuple[str, ...], ...]:
    """Names without their series, if a tag names it: "Mira" for "Mira Skyreach Saga"."""
    phrases = name_phrases(name)
    if max(map(len, phrases), default=0) <= 2:  # noqa: PLR2004
        return phrases
    series = {tuple(content_words(tag)) for tag in tags}
    alone = [
        phrase[:end]
        for phrase in phrases
        for end in range(1, len(phrase) - 1)
        if phrase[end:] in series
    ]
    pieces = (
        [piece for trigger in triggers for piece in trigger.split(",")[:MOST_TRIGGERS]]
        if alone
        else []
    )
    squeezed = ["".join(content_words(piece)) for piece in pieces]
    named = (who for who in alone if any("".join(who) in trigger for trigger in squeezed))
    return tuple(dict.fromkeys((*phrases, *named)))


def trigger_phrases(entry: Entry) -> Iterator[tuple[str, ...]]:
    """Yield each trigger phrase, split at commas, as a word set."""
    seen: set[tuple[str, ...]] = set()
    for trigger in entry.triggers[:MOST_TRIGGERS]:
        for piece in trigger.split(",")[:MOST_TRIGGERS]:
            for phrase in spellings(piece):
                if len(phrase) <= MOST_PHRASE_WORDS and phrase not in seen:
                    seen.add(phrase)
                    yield phrase


def spellings(piece: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of a trigger, and those of its parts if it is a compound."""
    for text in (piece, split_compounds(piece)):
        if phrase := tuple(dict.fromkeys(content_words(text))):
            yield phrase


def split_compounds(text: str) -> str:
    """Return "Lunar Punk" for "LunarPunk"; empty if there is no compound."""
    split = _COMPOUND.sub(" ", text)
    return "" if split == text else split


def _specific(words: list[str]) -> list[str]:
    """Drop generic words and versions, unless nothing else is left."""
    return [word for word in words if word not in _GENERIC_WORDS and not _VERSION.fullmatch(word)]
