"""A card in, the weight out at which it is used: what people did in example prompts, else what the
page says.
"""

from __future__ import annotations

import re
import statistics

from stylus_ext.core.card import AdapterCard, Example
from stylus_ext.core.prompt.user_tags import number

LOWEST, HIGHEST = 0.05, 1.5
_MOST_BELIEVED = 2.0
"""A larger number is a number of steps, a version or a joke."""
_MOST_TEXT = 12_000
_MOST_MATCHES = 12

_NUMBER = (
    r"(?<![\d.x\u00d7:/])([+-]?\d{0,1}\.\d{1,3}|[+-]?[0-2](?![\d.]\d)|\d{2,3}\s?%)(?![\d%x\u00d7])"
)
_TO = (
    r"(?:\s*(?:-+|~+|to|and|through|or|\u2013|\u2014|\uff5e|\u301c|至|到|から|,|/)+\s*"
    + _NUMBER
    + r")?"
)
_BETWEEN = r"[^\d.\n<>]{0,40}?"
_WORD = (
    r"(?:weight(?:s|ing)?|strengths?|lora\s+(?:at|of)|multiplier|intensity|specific"
    r" gravity|force|权重|權重|重み|強度|强度|比重|가중치)"
)
_AFTER_WORD = re.compile(_WORD + _BETWEEN + _NUMBER + _TO)
_BEFORE_WORD = re.compile(_NUMBER + _TO + r"\s*(?:lora\s+)?(?:weight|strength|权重|權重|強度)")
_AT = re.compile(
    r"\b(?:used?|us(?:e|ing)|works?|good|best|great|nice|fine|better|recommend(?:ed)?|suggest(?:ed)?|set|keep|run"
    r"|it|lora)\s[^\d.\n<>]{0,30}?(?:at|around|between|from|to|with)\s+"
    r"(?:about\s+|around\s+)?" + _NUMBER.replace("[0-2](?![\\d.]\\d)", "1\\.0") + _TO
)
_TAG = re.compile(r"<(?:lora|lyco):[^<>:]{1,200}:([\d.]{1,6})(?::[^<>]{0,40})?>")
_OTHER = re.compile(
    r"denois|cfg|steps?\b|hi-?res|clip\s*skip|control\s?net|upscal|decay|learning|noise\s+offset|eta\b|guidance"
    r"|embedding|hypernet|offset\s+strength"
)
_ADVICE = re.compile(
    r"recomm|suggest|best|optimal|sweet|ideal|prefer|推荐|推薦|建议|建議|推奨|おすすめ"
)
_AROUND = 40
_PIECE_ENDS = re.compile(r"[.;]\s|\n")
_DIGIT = re.compile(r"\d")


def weight_of(card: AdapterCard, text: str, slider: bool = False) -> float | None:
    """None where nothing is known. Sliders mean something else by their numbers: only what people
    used counts there.
    """
    used = [weight for weight in map(_used, card.examples) if weight is not None]
    if used:
        return _clamped(statistics.median(used))
    return None if slider else weight_in_text(text)


def weight_in_text(text: str) -> float | None:
    """The advised number, the mean of an advised range; advice counts before a mere mention, tags
    last.
    """
    text = "\n".join(
        piece for piece in _PIECE_ENDS.split(text[:_MOST_TEXT].lower()) if _DIGIT.search(piece)
    )
    mentioned: list[float] = []
    for pattern in (_AFTER_WORD, _BEFORE_WORD, _AT):
        for match in list(pattern.finditer(text))[:_MOST_MATCHES]:
            before = text[max(0, match.start() - _AROUND) : match.start()].rpartition("\n")[2]
            if _OTHER.search(match.group()) or _OTHER.search(before[-_AROUND // 2 :]):
                continue
            value = _mean(match.group(1), match.group(2))
            if value is None:
                continue
            if _ADVICE.search(before) or _ADVICE.search(match.group()):
                return _clamped(value)
            mentioned.append(value)
    mentioned = mentioned or [
        value for value in map(_one, _TAG.findall(text)[:_MOST_MATCHES]) if value is not None
    ]
    return _clamped(mentioned[0]) if mentioned else None


def _used(example: Example) -> float | None:
    """The weight that is stated, else that of the only tag in the prompt: of several it is not
    known which is meant.
    """
    if example.weight is not None:
        return example.weight if 0 < example.weight <= _MOST_BELIEVED else None
    tags = _TAG.findall(example.prompt[:_MOST_TEXT].lower())
    return _one(tags[0]) if len(tags) == 1 else None


def _mean(low: str, high: str | None) -> float | None:
    first, second = _one(low), _one(high) if high else None
    if first is None or (high and high.lstrip().startswith("-")):
        return None
    return first if second is None else (first + second) / 2


def _one(text: str) -> float | None:
    percent = text.endswith("%")
    value = number(text.rstrip("% "))
    if value is None:
        return None
    value = value / 100 if percent else value
    return value if 0 < value <= _MOST_BELIEVED else None


def _clamped(value: float) -> float:
    return round(min(HIGHEST, max(LOWEST, value)), 3)
