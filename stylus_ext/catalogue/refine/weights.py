"""The weight of a card: what its text states, else what its examples used."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from stylus_ext.core.card import AdapterCard, Example
from stylus_ext.core.prompt.parse import number

MIN_WEIGHT, MAX_WEIGHT = 0.05, 1.5
_MAX_PLAUSIBLE = 2.0
"""Larger numbers are steps or versions."""
_IN_LISTS = 2.0
"""The number of a list or title rather than a weight, if it stands alone."""
_TEXT_LIMIT = 12_000
_MAX_MATCHES = 12


@dataclass(frozen=True, slots=True)
class Weight:
    """A weight, and the range that the author states."""

    value: float
    least: float | None = None
    most: float | None = None


ADVICE, MENTION, BOUND = range(3)
"""What a statement is worth, best first; a bound says only what is too much or too little."""


@dataclass(frozen=True, slots=True, order=True)
class _Statement:
    worth: int
    start: int
    low: float
    high: float
    upper: bool = False
    """Of a bound: what is above is too much."""

    @property
    def is_range(self) -> bool:
        return self.low < self.high

    def distance(self, used: float | None) -> float:
        """From a used weight: of several versions the one that the examples show is meant."""
        return 0.0 if used is None else max(0.0, self.low - used, used - self.high)

    def holds(self, value: float) -> bool:
        return self.is_range and self.low <= value <= self.high


_NUMBER = (
    r"(?<![\d.x\u00d7/])(?P<{0}>[+-]?\d?\.\d{{1,3}}|[+-]?[0-2](?![\d.]\d)|\d{{2,3}}\s?%)"
    r"(?![\d%x\u00d7]|(?!to|and|or|is|for|until|weight|strength|lora)[a-z])"
)
_TO = (
    r"(?:\s*(?:-+|~+|to|and|through|or|up to|until|till|\u2013|\u2014|\uff5e|\u301c|\u81f3|\u5230"
    r"|\u304b\u3089|\u6216\u8005?)+\s*" + _NUMBER.format("high") + r")?"
)
_RANGE = _NUMBER.format("low") + _TO
_WORD = (
    r"(?:weight(?:s|ing)?(?!ed)|strengths?|lora\s+(?:at|of)(?=\s*[~\d.])|multiplier|intensity|specific"
    r" gravity|force|\u6743\u91cd|\u6b0a\u91cd|\u91cd\u307f|\u5f37\u5ea6|\u5f3a\u5ea6|\u6bd4\u91cd"
    r"|\uac00\uc911\uce58)"
)
_BETWEEN = r"(?P<between>(?:(?:[^\d.\n<>]|(?:txt|img)2img){0,50}?(?<![a-z]))?)"
_ABOUT = r"(?:about |around |using |approximately |~ ?)?"
_PATTERNS = tuple(
    map(
        re.compile,
        (
            _WORD + _BETWEEN + _RANGE,
            _RANGE
            + r"(?P<between>)\s*\u7684?(?:lora\s+)?"
            + r"(?:weight|strength|\u6743\u91cd|\u6b0a\u91cd|\u5f37\u5ea6)"
            + r"(?!\s*[:=\uff1a]?\s*[\d.])",
            r"\b(?:used?|us(?:e|ing)|works?|good|best|great|nice|fine|better|recommend(?:ed)?"
            r"|suggest(?:ed)?|set|keep|run|it|lora)\s(?P<between>[^\d.\n<>]{0,30}?)"
            r"(?:at|around|between|from|to|with)\s+" + _ABOUT + _RANGE,
            r"\b(?P<between>(?:recommend|suggest)(?:ed|ing)?:?)\s+" + _ABOUT + _RANGE,
            _RANGE + r"(?P<between>)\s+(?:is\s+)?(?:recommended|suggested|optimal|ideal)\b",
        ),
    )
)
_WITH_A_WORD = 2
"""The patterns before this one have the word weight; the others take plain numbers only."""
_PLAIN = re.compile(r"0?\.\d{1,3}|1(?:\.[0-3]\d?)?")
_BARE_RANGE = re.compile(r"[^\d.\n<>]{0,12}" + _NUMBER.format("low") + _TO.removesuffix("?"))
_TAG = re.compile(r"<(?:lora|lyco):[^<>:]{1,200}:([\d.]{1,6})(?::[^<>]{0,40})?>")
_OTHER = re.compile(
    r"denois|cfg|steps?\b|hi-?res|clip\s*skip|skip\s*clip|control\s?net|upscal|decay|learning|noise\s+offset|eta\b"
    r"|guidance|embedding|hypernet|offset\s+strength|default|norms?\b|\(\w[^()]*:\s*$"
    r"|\b(?:v|ver|version|sd|sdxl|block)\W*$|/[a-z-]{6,}\s*$"
)
_ADVICE = re.compile(
    r"recomm|reccom|suggest|best|optimal|sweet|ideal|prefer|perform better|\u63a8\u8350"
    r"|\u63a8\u85a6|\u5efa\u8bae|\u5efa\u8b70|\u63a8\u5968|\u304a\u3059\u3059\u3081"
)
_UPPER = re.compile(
    r"\b(?:not?|never) (?:more|higher|greater) th[ae]n|exceed|\u4e0d\u8981?\u8d85\u8fc7"
    r"|\b(?:up to|under(?! the)|below|less than|above|over|higher than|max(?:imum)?"
    r"|too (?:much|high)|don't go)\b"
)
_LOWER = re.compile(r"\b(?:at least|min(?:imum)?|not? (?:less|lower) than)\b|\u81f3\u5c11")
_CHANGE = re.compile(
    r"\b(?:lower|reduc|decreas|increas|rais|pull)\w*\b[^,;]{0,30}$|\bif\b[^,]*$|\u7684\u8bdd"
    r"|\u62c9\u5230|\u52a0\u5927|\u63d0\u9ad8|\u964d\u4f4e|\u964d\u5230"
)
"""Advice for one case, such as "lower the weight to 0.5 if other clothes are wanted"."""
_UPPER_AFTER = re.compile(
    r"\s*max(?:imum)?\b|\s*(?:or|and)\s+(?:less|lower|below|under)\b|\s*\u4ee5\u4e0b"
)
_LOWER_AFTER = re.compile(
    r"\s*(?:\+(?!\d)|~?\s*(?:or|and)\s+(?:more|higher|above|up|over)\b|\u4ee5\u4e0a)"
)
_COMMA = re.compile(r"(?<![\d.,])0,(?=\d{1,2}(?![\d,]))")
_SEPARATOR = re.compile(r"[,;|\uff0c\u3001\d]")
_AROUND = 40
_PIECE_ENDS = re.compile(r"[.;]\s|[\n\u3002]")
_DIGIT = re.compile(r"\d")


def weight_of(card: AdapterCard, text: str, slider: bool = False) -> Weight | None:
    """What the text states, else the median of the used weights, else that of a tag in the text.

    The numbers in a slider's text mean something else, so only used weights count there.
    """
    uses = [weight for weight in map(_used_weight, card.examples) if weight is not None]
    used = statistics.median(uses) if uses else None
    stated = None if slider else _stated(text, used)
    if stated is not None:
        return stated
    if used is None and not slider:
        used = next(filter(None, map(_parsed, _TAG.findall(text[:_TEXT_LIMIT].lower()))), None)
    return None if used is None else Weight(_clamped(used))


def weight_in_text(text: str) -> float | None:
    """The weight that a text states, else that of a tag in it."""
    tag = next(filter(None, map(_parsed, _TAG.findall(text[:_TEXT_LIMIT].lower()))), None)
    stated = _stated(text, None)
    return stated.value if stated else None if tag is None else _clamped(tag)


def _stated(text: str, used: float | None) -> Weight | None:
    """The best statement: advice, else a mention; bounds limit it and what was used."""
    found = sorted(_statements(text))
    if not found:
        return None
    best = min(found, key=lambda statement: (statement.worth, statement.distance(used)))
    upper = [bound.high for bound in found if bound.worth == BOUND and bound.upper]
    if best.worth == BOUND:
        value = best.high if used is None else used
        value = min(value, best.high) if best.upper else max(value, best.low)
    else:
        value = (best.low + best.high) / 2
        if best.worth == MENTION:
            value = min([value, *upper])
    ranges = [best] if best.is_range else [other for other in found if other.holds(value)]
    lower = [bound.low for bound in found if bound.worth == BOUND and not bound.upper]
    least = ranges[0].low if ranges else next(filter(value.__ge__, lower), None)
    most = ranges[0].high if ranges else next(filter(value.__le__, upper), None)
    return Weight(
        _clamped(value), *(None if end is None else _clamped(end) for end in (least, most))
    )


def _statements(text: str) -> Iterator[_Statement]:
    text = "\n".join(
        piece
        for piece in _PIECE_ENDS.split(_COMMA.sub("0.", text[:_TEXT_LIMIT].lower()))
        if _DIGIT.search(piece)
    )
    for place, pattern in enumerate(_PATTERNS):
        for match in list(pattern.finditer(text))[:_MAX_MATCHES]:
            if place < _WITH_A_WORD or all(map(_PLAIN.fullmatch, filter(None, _numbers(match)))):
                yield from _read(text, match)


def _numbers(match: re.Match[str]) -> tuple[str, str | None]:
    return match["low"], match["high"]


def _read(text: str, match: re.Match[str]) -> Iterator[_Statement]:
    before = text[max(0, match.start() - _AROUND) : match.start()].rpartition("\n")[2]
    after = text[match.end() : match.end() + _AROUND].partition("\n")[0]
    near = _SEPARATOR.split(before)[-1]
    ends = _ends(*_numbers(match))
    if ends is None or _OTHER.search(near) or _OTHER.search(match["between"]):
        return
    low, high = ends
    words, start = f"{near} {match['between']}", match.start()
    if _CHANGE.search(words):
        return
    is_single = low == high
    is_upper = is_single and bool(_UPPER.search(words) or _UPPER_AFTER.match(after))
    if is_upper or (is_single and (_LOWER.search(words) or _LOWER_AFTER.match(after))):
        yield _Statement(BOUND, start, low, high, is_upper)
    if not is_upper and (low < _IN_LISTS or not is_single):
        is_advice = any(map(_ADVICE.search, (before, match.group(), after)))
        yield _Statement(ADVICE if is_advice else MENTION, start, low, high)
    behind = _BARE_RANGE.match(text, match.end()) if is_single else None
    if behind and (ends := _ends(*_numbers(behind))):  # as in "weight 1 (or 0.5-1.4)"
        yield _Statement(MENTION, behind.start(), *ends)


def _ends(low: str, high: str | None) -> tuple[float, float] | None:
    first, second = _parsed(low), _parsed(high) if high else None
    if first is None or (high and high.lstrip().startswith("-")):
        return None
    return (first, first) if second is None else (min(first, second), max(first, second))


def _used_weight(example: Example) -> float | None:
    """The stated weight, else that of the prompt's tag if there is only one."""
    if example.weight is not None:
        return example.weight if 0 < example.weight <= _MAX_PLAUSIBLE else None
    tags = _TAG.findall(example.prompt[:_TEXT_LIMIT].lower())
    return _parsed(tags[0]) if len(tags) == 1 else None


def _parsed(text: str) -> float | None:
    percent = text.endswith("%")
    value = number(text.rstrip("% "))
    if value is None:
        return None
    value = value / 100 if percent else value
    return value if 0 < value <= _MAX_PLAUSIBLE else None


def _clamped(value: float) -> float:
    return round(min(MAX_WEIGHT, max(MIN_WEIGHT, value)), 3)
