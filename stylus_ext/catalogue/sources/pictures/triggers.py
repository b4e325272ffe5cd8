"""Probable trigger words of a LoRA: pieces of prompts that nearly only its pictures have.

A piece (the text between commas) or a single word is a trigger of a LoRA if

- the LoRA was used in at least `MIN_PROMPTS` different prompts, and at least `MIN_OTHERS` do
  without it,
- the piece is in at least `MIN_SHARE` of the LoRA's prompts, and
- that share is at least `MIN_LIFT` times its share of the other prompts. One other prompt is added
  to avoid division by 0.

Every different prompt counts once. A piece that says as much about another LoRA belongs to the one
with a similar name, or to neither. The same pictures give the same triggers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stylus_ext.core.prompt.phrases import is_count, is_quality
from stylus_ext.core.prompt.words import STOP

_BOILERPLATE = frozenset(
    map(
        str.strip,
        """
        looking at viewer, solo focus, upper body, full body, cowboy shot, close-up, portrait,
        standing, sitting, smile, simple background, white background, realistic, photorealistic,
        hyperrealistic, illustration, digital art, anime, anime style, artwork, cinematic,
        cinematic lighting, soft lighting, studio lighting, dramatic lighting, volumetric lighting,
        natural lighting, lighting, depth of field, bokeh, colorful, vivid colors, vibrant colors,
        female focus, male focus, female, male, outdoors, indoors, day, night, nsfw, masterpiece,
        photo
        """.split(","),
    )
)
_COMMON_WORDS = STOP | frozenset(
    """
    one two three photo picture image portrait style art wearing background detailed quality
    beautiful girl boy woman man people person very young old looking standing sitting holding
    black white red blue green yellow brown pink purple long short hair eyes face body lora break
    best masterpiece light dark focus high highly detail details front side view day night big
    small large little
    """.split()
)


MIN_PROMPTS = 3
MIN_OTHERS = 3
MIN_SHARE = 0.75
MIN_LIFT = 4.0
MAX_TRIGGERS = 4

_MAX_PIECES = 150
_MAX_PIECE_LENGTH = 60
_MIN_WORD_LENGTH = 3
_PIECE_ENDS = re.compile(r"[,\n\uff0c\u3001|]+|\bBREAK\b|\bAND\b")
_EMPHASIS = re.compile(r":\s*[+-]?[\d.]+\s*(?=[)\]])|(?<!\\)[()\[\]{}]")
_WORD = re.compile(r"[^\W_](?:[\w'-]*\w)?")
_NO_LETTERS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Pieces:
    """Whole pieces and single words of a prompt: the normalised form to the written form."""

    whole: Mapping[str, str]
    words: Mapping[str, str]


def split_pieces(prompt: str) -> Pieces:
    whole: dict[str, str] = {}
    single: dict[str, str] = {}
    for part in _PIECE_ENDS.split(prompt)[:_MAX_PIECES]:
        piece = " ".join(_EMPHASIS.sub("", part).split()).strip(" .;:")
        normalised = _normalise(piece)
        if not normalised.strip():
            continue
        if len(piece) <= _MAX_PIECE_LENGTH:
            whole.setdefault(normalised, piece)
        words = _WORD.findall(piece)
        if len(words) > 1 and not is_boilerplate(normalised):
            for word in words:
                if len(word) >= _MIN_WORD_LENGTH:
                    single.setdefault(_normalise(word), word)
    return Pieces(whole, {word: form for word, form in single.items() if word not in whole})


def is_boilerplate(piece: str) -> bool:
    """Whether a normalised piece is one that any prompt may have."""
    return (
        piece in _BOILERPLATE
        or is_quality(piece)
        or is_count(piece)
        or piece.replace(".", "").isdigit()
    )


def is_common(word: str) -> bool:
    """Whether a word says too little to be a trigger if it was only part of longer pieces."""
    return word in _COMMON_WORDS or word.isdigit()


@dataclass(frozen=True, slots=True)
class _Candidate:
    normalised: str
    written: str
    lift: float
    is_piece: bool


def find_triggers(
    uses: Mapping[str, Sequence[int]], prompts: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """The triggers of every stem, the best first; `uses` are indexes into the different `prompts`.

    Prompts are split again in each pass: the pieces of 100,000 prompts would take a gigabyte.
    """
    totals = _count_pieces(prompts)
    candidates = {
        stem: _candidates([prompts[index] for index in sorted(set(indexes))], totals, len(prompts))
        for stem, indexes in uses.items()
    }
    lifts: dict[str, dict[str, float]] = {}
    for stem, found in candidates.items():
        for candidate in found:
            lifts.setdefault(candidate.normalised, {})[stem] = candidate.lift
    return {
        stem: _best(
            [candidate for candidate in found if _owner(candidate.normalised, lifts) == stem]
        )
        for stem, found in candidates.items()
    }


def _count_pieces(prompts: Iterable[str]) -> Counter[str]:
    """The number of prompts that have each piece and each word."""
    counts = Counter[str]()
    for prompt in prompts:
        pieces = split_pieces(prompt)
        counts.update(pieces.whole.keys())
        counts.update(pieces.words.keys())
    return counts


def _candidates(prompts: Sequence[str], totals: Counter[str], all_prompts: int) -> list[_Candidate]:
    others = all_prompts - len(prompts)
    if len(prompts) < MIN_PROMPTS or others < MIN_OTHERS:
        return []
    lifts: dict[str, float] = {}
    for piece, count in _count_pieces(prompts).items():
        share = count / len(prompts)
        lift = share * (others + 1) / (totals[piece] - count + 1)
        if share >= MIN_SHARE and lift >= MIN_LIFT and not is_boilerplate(piece):
            lifts[piece] = lift
    return _with_written_forms(prompts, lifts) if lifts else []


def _with_written_forms(prompts: Sequence[str], lifts: Mapping[str, float]) -> list[_Candidate]:
    """Each candidate in its most frequent form, as a whole piece if it ever was one."""
    as_piece: dict[str, Counter[str]] = {piece: Counter() for piece in lifts}
    as_word: dict[str, Counter[str]] = {piece: Counter() for piece in lifts}
    for prompt in prompts:
        pieces = split_pieces(prompt)
        for forms, counts in ((pieces.whole, as_piece), (pieces.words, as_word)):
            for piece in forms.keys() & lifts.keys():
                counts[piece][forms[piece]] += 1
    candidates = []
    for piece, lift in lifts.items():
        forms_of = as_piece[piece] or as_word[piece]
        if as_piece[piece] or not is_common(piece):
            best = min(forms_of, key=lambda form: (-forms_of[form], form))
            candidates.append(_Candidate(piece, best, lift, bool(as_piece[piece])))
    return candidates


def _owner(piece: str, lifts: Mapping[str, Mapping[str, float]]) -> str | None:
    """The stem that a piece belongs to: of several with the best lift, the similar name."""
    best = max(lifts[piece].values())
    stems = [stem for stem, lift in lifts[piece].items() if lift == best]
    if len(stems) > 1:
        stems = [stem for stem in stems if _is_similar(stem, piece)]
    return stems[0] if len(stems) == 1 else None


def _is_similar(stem: str, piece: str) -> bool:
    name, letters = _NO_LETTERS.sub("", stem.casefold()), _NO_LETTERS.sub("", piece)
    words = [
        word for word in _WORD.findall(piece.replace("_", " ")) if len(word) >= _MIN_WORD_LENGTH
    ]
    return bool(letters) and (
        letters in name or name in letters or any(word in name for word in words)
    )


def _best(candidates: Iterable[_Candidate]) -> tuple[str, ...]:
    """Pieces before words, then by lift; without words that a chosen piece contains."""
    chosen: list[_Candidate] = []
    for candidate in sorted(
        candidates,
        key=lambda found: (not found.is_piece, -found.lift, found.normalised),
    ):
        if len(chosen) < MAX_TRIGGERS and not any(
            candidate.normalised in other.normalised for other in chosen
        ):
            chosen.append(candidate)
    return tuple(candidate.written for candidate in chosen)


def _normalise(text: str) -> str:
    return text.casefold().replace("_", " ").replace("\\", "")
