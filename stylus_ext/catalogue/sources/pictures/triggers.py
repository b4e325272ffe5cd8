"""Prompts with and without a LoRA in, its probable trigger words out: what stands in nearly all of
the one and few of the other.

A piece (what stands between commas) or else a single word counts as a trigger of a LoRA when

- the LoRA was used in at least `FEWEST_PROMPTS` different prompts, and at least `FEWEST_OTHERS`
  were written without it,
- the piece stands in at least `SHARE` of the first, and
- its share there is at least `LIFT` times its share of the others, one other being added so that
  nothing is divided by 0.

Every different prompt counts once, however many pictures were made of it. A piece that tells as
much for another LoRA goes to the one whose name resembles it, or to neither. All is counted: the
same pictures teach the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stylus_ext.core.prompt.phrases import is_count, is_quality
from stylus_ext.core.prompt.words import STOP

_USUAL = frozenset(
    map(
        str.strip,
        """
        looking at viewer, solo focus, upper body, full body, cowboy shot, close-up, portrait,
        standing, sitting, smile,
        simple background, white background, realistic, photorealistic, hyperrealistic,
        illustration, digital art,
        anime, anime style, artwork, cinematic, cinematic lighting, soft lighting, studio lighting,
        dramatic lighting,
        volumetric lighting, natural lighting, lighting, depth of field, bokeh, colorful,
        vivid colors, vibrant colors,
        female focus, male focus, female, male, outdoors, indoors, day, night, nsfw, masterpiece,
        photo
        """.split(","),
    )
)
_COMMON_WORDS = STOP | frozenset(
    """
    one two three photo picture image portrait style art wearing background detailed quality
    beautiful girl boy
    woman man people person very young old looking standing sitting holding black white red blue
    green yellow brown
    pink purple long short hair eyes face body lora break best masterpiece light dark focus high
    highly detail
    details front side view day night big small large little
    """.split()
)


def is_boilerplate(piece: str) -> bool:
    return (
        piece in _USUAL or is_quality(piece) or is_count(piece) or piece.replace(".", "").isdigit()
    )


def is_common(word: str) -> bool:
    """Says too little to be a trigger when it only stood inside longer pieces."""
    return word in _COMMON_WORDS or word.isdigit()


FEWEST_PROMPTS = 3
FEWEST_OTHERS = 3
SHARE = 0.75
LIFT = 4.0
MOST_TRIGGERS = 4

_MOST_PIECES = 150
_LONGEST_PIECE = 60
_SHORTEST_WORD = 3
_PIECE_ENDS = re.compile(r"[,\n\uff0c\u3001|]+|\bBREAK\b|\bAND\b")
_EMPHASIS = re.compile(r":\s*[+-]?[\d.]+\s*(?=[)\]])|(?<!\\)[()\[\]{}]")
_WORD = re.compile(r"[^\W_](?:[\w'-]*\w)?")
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Pieces:
    """Of one prompt: pieces and single words, lower-case, each with the form in which it was
    written.
    """

    whole: Mapping[str, str]
    words: Mapping[str, str]


def pieces_of(prompt: str) -> Pieces:
    whole: dict[str, str] = {}
    single: dict[str, str] = {}
    for part in _PIECE_ENDS.split(prompt)[:_MOST_PIECES]:
        piece = _SPACES.sub(" ", _EMPHASIS.sub("", part)).strip(" .;:")
        if not _folded(piece).strip():
            continue
        if len(piece) <= _LONGEST_PIECE:
            whole.setdefault(_folded(piece), piece)
        words = _WORD.findall(piece)
        if len(words) > 1 and not is_boilerplate(_folded(piece)):
            for word in words:
                if len(word) >= _SHORTEST_WORD:
                    single.setdefault(_folded(word), word)
    return Pieces(whole, {word: form for word, form in single.items() if word not in whole})


@dataclass(frozen=True, slots=True)
class _Claim:
    folded: str
    written: str
    lift: float
    is_piece: bool


def triggers_of(
    uses: Mapping[str, Sequence[int]], prompts: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """`uses` says by stem which of the different prompts had it; every stem gets its triggers, best
    first, or none.

    Prompts are taken apart again for each pass rather than kept in pieces: of 100,000 these would
    fill a gigabyte.
    """
    totals = _counted(prompts)
    claims = {
        stem: _claims([prompts[place] for place in sorted(set(where))], totals, len(prompts))
        for stem, where in uses.items()
    }
    rivals: dict[str, dict[str, float]] = {}
    for stem, found in claims.items():
        for claim in found:
            rivals.setdefault(claim.folded, {})[stem] = claim.lift
    return {
        stem: _best([claim for claim in found if _wins(stem, rivals[claim.folded], claim)])
        for stem, found in claims.items()
    }


def _counted(prompts: Iterable[str]) -> Counter[str]:
    """In how many of the prompts each piece and each word stands."""
    counts = Counter[str]()
    for prompt in prompts:
        pieces = pieces_of(prompt)
        counts.update(pieces.whole.keys())
        counts.update(pieces.words.keys())
    return counts


def _claims(mine: Sequence[str], totals: Counter[str], in_all: int) -> list[_Claim]:
    others = in_all - len(mine)
    if len(mine) < FEWEST_PROMPTS or others < FEWEST_OTHERS:
        return []
    lifts: dict[str, float] = {}
    for folded, count in _counted(mine).items():
        share = count / len(mine)
        lift = share * (others + 1) / (totals[folded] - count + 1)
        if share >= SHARE and lift >= LIFT and not is_boilerplate(folded):
            lifts[folded] = lift
    return _written(mine, lifts) if lifts else []


def _written(mine: Sequence[str], lifts: Mapping[str, float]) -> list[_Claim]:
    """What passed, in the form in which it was written most: as a piece where it ever was one."""
    as_piece: dict[str, Counter[str]] = {folded: Counter() for folded in lifts}
    as_word: dict[str, Counter[str]] = {folded: Counter() for folded in lifts}
    for prompt in mine:
        pieces = pieces_of(prompt)
        for forms, found in ((pieces.whole, as_piece), (pieces.words, as_word)):
            for folded in forms.keys() & lifts.keys():
                found[folded][forms[folded]] += 1
    claims = []
    for folded, lift in lifts.items():
        written = as_piece[folded] or as_word[folded]
        if as_piece[folded] or not is_common(folded):
            best = min(written, key=lambda form: (-written[form], form))
            claims.append(_Claim(folded, best, lift, bool(as_piece[folded])))
    return claims


def _wins(stem: str, rivals: Mapping[str, float], claim: _Claim) -> bool:
    best = max(rivals.values())
    equals = [rival for rival, lift in rivals.items() if lift == best]
    if rivals[stem] < best or len(equals) == 1:
        return rivals[stem] == best
    alike = [rival for rival in equals if _resembles(rival, claim.folded)]
    return alike == [stem]


def _resembles(stem: str, folded: str) -> bool:
    name, piece = re.sub(r"[\W_]+", "", stem.casefold()), re.sub(r"[\W_]+", "", folded)
    words = [
        word for word in _WORD.findall(folded.replace("_", " ")) if len(word) >= _SHORTEST_WORD
    ]
    return bool(piece) and (piece in name or name in piece or any(word in name for word in words))


def _best(claims: Iterable[_Claim]) -> tuple[str, ...]:
    """Pieces before words, the more telling first; a word that a taken piece has already is not
    said again.
    """
    taken: list[_Claim] = []
    for claim in sorted(claims, key=lambda claim: (not claim.is_piece, -claim.lift, claim.folded)):
        if len(taken) < MOST_TRIGGERS and not any(claim.folded in other.folded for other in taken):
            taken.append(claim)
    return tuple(claim.written for claim in taken)


def _folded(text: str) -> str:
    return text.casefold().replace("_", " ").replace("\\", "")
