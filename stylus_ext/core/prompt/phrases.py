"""Splits a prompt into phrases and recognises boilerplate: quality words, counts, negatives.

Phrases are compared by their words, so "Best-Quality" equals "best quality".
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from stylus_ext.core.prompt import parse as kinds
from stylus_ext.core.prompt.parse import Prompt, Token, structure
from stylus_ext.core.prompt.words import content_words, words

STOP = frozenset(
    """a about above across after against all along also although am among an and another any
    anybody anyone anything are around as at be because been before behind being below beneath
    beside besides between beyond both but by can could did do does down during each either else
    every everyone everything few for from had has have he her hers herself him himself his how i
    if in inside into is it its itself just like many may me might mine more most much must my near
    neither no nobody none nor not nothing of off on once one onto or other others our ours out
    over own past per she should since so some somebody someone something such than that the their
    theirs them themselves then there these they this those though through throughout to toward
    towards too under underneath until up upon us very via was we were what when where whereas
    which while who whom whose why will with within without would yet you your yours""".split()
)
"""Articles, pronouns, prepositions, conjunctions, auxiliaries."""

WEAK = frozenset(
    """two three four five six seven eight nine ten eleven twelve dozen dozens hundred several
    various different multiple numerous single couple couples pair pairs group groups bunch bunches
    lots set sets piece pieces kind kinds type types row rows number variety bit assortment
    collection herd flock stack pile half part parts whole large big huge tiny small medium long
    short nice good great new next front middle side sides top bottom back left right edge end
    center centre close full ready able available empty similar same various together apart away
    ahead alone aside around back nearby far here outside inside again already almost always even
    ever only really quite still well picture photo photograph image view shot scene background
    foreground sort way thing things stuff someone person is's s t d ll re ve m""".split()
)
"""Counts, sizes, places and the words about the picture itself."""

WEAK_VERBS = frozenset(
    """stand stands stood standing sit sits sat sitting lay lays laid lie lies lying laying placed
    put puts putting set hold holds held wear wears worn wearing look looks looked looking show
    shows showed shown showing seen see sees seeing get gets getting got go goes going went gone
    take takes taken took make makes made making come comes coming came has having use uses used
    using doing done try tries trying contain contains containing contained include includes
    including featuring features feature consist consists consisting fill fills filled cover covers
    covered lead leads leading prepare prepares preparing prepared begin begins start starts hang
    hangs hung hanging lean leans leaned rest rests resting pose poses posed posing dressed walk
    walks walked ride rides rode play plays played eat eats ate fly flies flew drive drives drove
    run runs ran jump jumps jumped talk talks talked surround surrounds surrounded attach attached
    made mounted located situated displayed arranged depicted pictured parked work works worked
    turn turns turned watch watches watched wait waits waited travel travels traveled traveling
    topped lined pull pulls pulled carry carries carried reach reaches throw throws swing swings
    swung swims float floats move moves moved bring brings give gives given stare stares share
    shares enjoy enjoys enjoying appear appears approach approaches pass passes passing passed face
    faces faced let lets keep keeps keeping want wants""".split()
)
"""Verbs that say that something is there, or that it does what such things do. An -ing form that
says more stays in its run.
"""


WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
ONLY_SPACE = re.compile(r"[^\S\r\n]*")
_BREAKS = STOP | WEAK | WEAK_VERBS
MOST_WORDS = 5


def runs(text: str) -> Iterator[tuple[int, int]]:
    """Yield runs of consecutive content words, separated by spaces only."""
    start = end = -1
    count = 0
    for match in WORD.finditer(text):
        weak = is_weak(match.group())
        joined = (
            start >= 0
            and not weak
            and count < MOST_WORDS
            and ONLY_SPACE.fullmatch(text, end, match.start())
        )
        if start >= 0 and not joined:
            yield start, end
            start = -1
        if weak:
            continue
        if start < 0:
            start, count = match.start(), 0
        end = match.end()
        count += 1
    if start >= 0:
        yield start, end


def is_weak(word: str) -> bool:
    plain = folded(word)
    return plain in _BREAKS or plain.isdigit() or not plain


def folded(word: str) -> str:
    return word.lower().replace("’", "'").removesuffix("'s")


# A phrase of these words alone says how good the picture shall be, and nothing about what is in it.
_QUALITY_WORDS = """
    masterpiece masterwork quality best high highest higher good great amazing awesome stunning
    gorgeous perfect ultra hyper super extremely extreme incredibly incredible insanely insane
    highly very much most more really finely fine detail detailed details intricate intricately
    elaborate hyperdetailed ultradetailed superdetailed sharp sharpness crisp highres absurdres
    lowres hires hires res resolution definition hd uhd fhd qhd fullhd hdr 2k 4k 8k 12k 16k 32k 64k
    aesthetic pixel ultrahd hq unreal professional award winning award-winning rendering official
    wallpaper cg unity dslr trending artstation artstationhq artstationhd deviantart pixiv cgsociety
    featured flickr raw photo photograph top rated newest recent mid early old year level
    ultra-detailed clear clean beautiful well composed
"""
# None of these makes stock by itself: "photo", "beautiful", "clear sky" may be what the user wants.
_ONLY_WITH_OTHERS = """
    photo photograph wallpaper beautiful gorgeous perfect good great clear clean old early pixel
    unreal rendering unity professional official newest recent year mid level well composed top fine
    sharp most much more raw deviantart pixiv flickr featured award winning high super
"""
_QUALITY_PHRASES = """
    detailed background, detailed face, detailed eyes, beautiful detailed eyes, beautiful eyes,
    perfect eyes, perfect face, beautiful face, detailed skin, high detailed skin, skin texture,
    realistic skin texture, sharp focus, film grain, fujifilm xt3, fujifilm xt-3, unreal engine,
    unreal engine 5, octane render, ray tracing, best shadow, best shadows, cinematic composition,
    perfect composition, good composition, dynamic composition, rule of thirds, extremely detailed
    cg unity 8k wallpaper, an extremely delicate and beautiful, extremely delicate and beautiful,
    very aesthetic, aesthetic, raw photo, high budget, no text, no watermark, perfect anatomy, good
    anatomy, perfect hands, good hands, detailed hands, five fingers, perfect lighting, best
    illumination, top quality, work of art, safe, sfw, general, sensitive, questionable, explicit,
    photo, photograph, image, picture, commercial, photo of, a photo, a photo of, an image of, a
    picture of, image of, picture of, a photograph of, photograph of, the image is, newest, recent,
    award-winning, award winning
"""
_QUALITY_FORM = re.compile(
    r"(?:score|rating|source|year|quality|safety)(?:_|\s?:\s?)\w[\w\s+]*|score [4-9](?:"
    r" up)?|\d{1,2}\s?k"
    r"|\d{3,5}\s?[x×]\s?\d{3,5}|(?:year )?20[12]\d|iso\s?\d+|f\s?/?\s?\d(?:\.\d+)?|\d+\s?mm"
)
_ONE = r"(?:1|one|single)"
_MANY = r"(?:\d+\+?|two|three|four|five|six|several|multiple|many)"
_PEOPLE = r"(?:girl|boy|other|woman|man|female|male|person|guy|lady|human|character)s?"
_COUNT_FORM = re.compile(
    rf"(?:{_ONE}|{_MANY})[\s_-]*(?:{_PEOPLE}|women|men|people)|solo|solo[\s_](?:female|male|focus)|no[\s_]humans?"
    rf"|(?:group|crowd) of people|people|(?:a|the)?\s*(?:girl|boy|woman|man|person)"
)

# One of these makes a phrase of a negative prompt stock ("mutated hands and fingers"): it asks for
# a sound picture.
_FAULTS = """
    bad badly worst poor poorly deformed deformity deform disfigured mutated mutation mutilated
    malformed misshapen fused missing extra ugly unnatural unrealistic lowres blurry blur blurred
    cropped duplicate duplicated duplication cloned error errored jpeg artifact watermark
    watermarked signature signed username logo lowest deformation imperfect incorrect wrong broken
    asymmetric asymmetrical disconnected amputation morbid distorted distortion disproportionate
    inaccurate unfocused misplaced ambiguous imprecise displeasing unfinished overexposed
    underexposed oversaturated undersaturated overexposure underexposure grainy noisy pixelated
"""
# A phrase of these words alone is stock.
_NEGATIVE_WORDS = """
    hand finger limb arm leg foot feet face eye body head neck ear mouth teeth tooth nose toe skin
    hair anatomy anatomical proportion long many few too much multiple double low normal quality
    detail text letter word caption title subtitle font copyright name date number web address site
    url patreon artist frame border out body cut drawn pixel compression noise gross cross eyed lazy
    crossed digit fewer less more simple background interlocked conjoined siamese twin worse average
    medium weird strange tiling boring tilted oldest early mediocre amateur beginner resolution res
"""
_EMBEDDING = re.compile(
    r"[\w.-]*negative[\w.-]*|easyneg[\w.-]*|ng_?deep[\w.-]*|bad[\w-]*\d[\w.-]*"
    r"|bad(?:hand|prompt|artist|dream|pic|image)[\w.-]*|[\w-]*neg[_-]?v?\d[\w.-]*|unaesthetic[\w.-]*"
)


def is_quality(phrase: str) -> bool:
    """True for quality, score and rating phrases."""
    if _QUALITY_FORM.fullmatch(phrase.strip().casefold()):
        return True
    if tuple(words(phrase)) in _phrases(_QUALITY_PHRASES):
        return True
    key = content_words(phrase)
    return (
        bool(key)
        and not _vocabulary(_ONLY_WITH_OTHERS).issuperset(key)
        and _vocabulary(_QUALITY_WORDS).issuperset(key)
    )


def is_count(phrase: str) -> bool:
    """True for pure counts: 1girl, solo, two people."""
    return _COUNT_FORM.fullmatch(phrase.strip().casefold()) is not None


def is_embedding_name(phrase: str) -> bool:
    """True for names that embeddings for the negative prompt usually have."""
    return _EMBEDDING.fullmatch(phrase.strip().casefold()) is not None


def is_fault(phrase: str) -> bool:
    """True for typical negative-prompt phrases: anatomy, quality, lettering, embedding names."""
    if is_embedding_name(phrase):
        return True
    key = content_words(phrase)
    return not _vocabulary(_FAULTS).isdisjoint(key) or _vocabulary(_NEGATIVE_WORDS).issuperset(key)


@cache
def _vocabulary(text: str) -> frozenset[str]:
    return frozenset(words(text))


@cache
def _phrases(text: str) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(words(phrase)) for phrase in text.split(","))


Role = Literal["content", "boilerplate", "count"]

_SEPARATE = frozenset(
    (
        kinds.COMMA,
        kinds.NEWLINE,
        kinds.STOP,
        kinds.BREAK,
        kinds.AND,
        kinds.NETWORK,
        kinds.WILDCARD,
        kinds.COMMENT,
    )
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A phrase without syntax; `start` and `end` are its place in the prompt."""

    text: str
    start: int
    end: int
    segment: int
    weight: float  # the most attention that the host gives to a word of it
    role: Role


def pieces(prompt: Prompt) -> tuple[Piece, ...]:
    """Return content and count phrases, without boilerplate."""
    return tuple(piece for piece in phrases(prompt) if piece.role != "boilerplate")


def phrases(prompt: Prompt) -> tuple[Piece, ...]:
    """Return every phrase with its role; parts of [a|b], {a|b} and [a:b:0.5] are separate."""
    brackets = structure(prompt.tokens)
    found: list[Piece] = []
    held: list[tuple[Token, float]] = []
    segment = 0
    for index, token in enumerate(prompt.tokens):
        if index in brackets.separators or token.kind in _SEPARATE:
            found.extend(_piece(held, segment))
            held = []
            segment += token.kind in {kinds.BREAK, kinds.AND}
        elif (
            index not in brackets.silent
            and token.kind != kinds.ODDS
            and token.start < prompt.segments[segment].end
        ):
            held.append((token, brackets.weights[index]))
    found.extend(_piece(held, segment))
    return tuple(found)


def _piece(held: list[tuple[Token, float]], segment: int) -> Iterator[Piece]:
    """Yield the phrase, if it has a word."""
    visible = [(token, weight) for token, weight in held if not token.text.isspace()]
    if not visible:
        return
    text = " ".join("".join(_plain(token) for token, _ in held).split())
    if not content_words(text):
        return
    first, last = visible[0][0], visible[-1][0]
    start = first.end - len(first.text.lstrip())
    end = last.start + len(last.text.rstrip())
    yield Piece(text, start, end, segment, max(weight for _, weight in visible), _role(text))


def _plain(token: Token) -> str:
    return token.text[1:] if token.kind == kinds.ESCAPE else token.text


def _role(text: str) -> Role:
    if is_count(text):
        return "count"
    return "boilerplate" if is_quality(text) else "content"


EVEN = 0.5
"""The tag-likeness of a prompt that is as much a sentence as a list."""

_BY_PIECES, _BY_LENGTH, _BY_STOP_WORDS, _BASE = 2.0, -1.5, -5.0, 0.9
"""Tells people's prompts from captions, by logarithms of counts."""

MANY_PIECES = 5


def tag_likeness(prompt: Prompt) -> float:
    """How far a prompt is a list of tags: 0 for a sentence, 1 for a list.

    Boilerplate does not count, so that quality words change nothing.
    """
    found = pieces(prompt)
    if not found:
        return 0.0
    written = [WORD.findall(piece.text.lower()) for piece in found]
    lengths = sorted(max(1, len(line)) for line in written)
    stop_words = sum(word in STOP for line in written for word in line) / sum(lengths)
    line = (
        _BASE
        + _BY_PIECES * math.log(min(len(found), MANY_PIECES))
        + _BY_LENGTH * math.log(lengths[len(lengths) // 2])
        + _BY_STOP_WORDS * stop_words
    )
    return 1.0 / (1.0 + math.exp(-line))


Cut = Callable[[str], Iterator[tuple[int, int]]]
"""Finds the tasks of a sentence, as offsets."""

_RATINGS = frozenset(("nsfw", "not safe for work"))
"""Ask for a kind of picture, and no adapter; a negative prompt may still forbid them."""

LONGEST_TAG = 4
"""Words up to which a piece of a tag prompt stays whole."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the prompt that an adapter could serve, as offsets into its text."""

    text: str
    start: int
    end: int
    segment: int = 0


def spans(prompt: Prompt, cut: Cut = runs) -> tuple[Span, ...]:
    """Return the spans of a prompt; `cut` segments sentences, long tags are split by rules."""
    is_tags = tag_likeness(prompt) >= EVEN
    return tuple(
        span
        for piece in pieces(prompt)
        if piece.role == "content" and piece.text.casefold() not in _RATINGS
        for span in _spans_of(prompt.text, piece, runs if is_tags else cut, is_tags)
        if content_words(span.text)
    )


def _spans_of(text: str, piece: Piece, cut: Cut, is_tag: bool) -> Iterator[Span]:
    written = text[piece.start : piece.end]
    has_syntax = " ".join(written.replace("\\", "").split()) != piece.text
    if is_tag and not has_syntax and len(piece.text.split()) <= LONGEST_TAG:
        yield Span(piece.text, piece.start, piece.end, piece.segment)
        return
    for start, end in cut(written):
        yield Span(written[start:end], piece.start + start, piece.start + end, piece.segment)


Veto = frozenset[tuple[str, ...]]

FAINT = 0.5  # a phrase with less attention than this is a nuance, not a veto


def vetoed(negative: Prompt) -> Veto:
    """Return the content of a negative prompt as word tuples, without boilerplate."""
    return frozenset(
        tuple(content_words(piece.text))
        for piece in pieces(negative)
        if piece.role == "content" and piece.weight >= FAINT and not is_fault(piece.text)
    )
