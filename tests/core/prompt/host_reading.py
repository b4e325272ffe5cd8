"""How the host reads a prompt, written again from its behaviour and slowly: what the parser is
measured against.

Comments go first, then extra networks, then AND splits with its weights, then brackets give
attention, each kind for itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hypothesis import strategies as st

FRAGMENTS = (
    *(
        "a cat",
        "red",
        " ",
        " ",
        ",",
        ", ",
        "\n",
        "\t",
        "1.2",
        "9",
        ".",
        "猫",
        "\x00",
        "\ud800",
        "=",
        "-",
    ),
    *("(", ")", "[", "]", "{", "}", "|", ":", ":1.2", ":0.5)", "\\", "\\(", "\\]", "#", "$$", "::"),
    *(
        "BREAK",
        "AND",
        " BREAK ",
        " AND ",
        "BAND",
        "<lora:x:1>",
        "<lyco:y:te=1>",
        "<",
        ">",
        "<b:",
        "_",
        "__",
        "__c__",
        "{a|b}",
    ),
)
PROMPTS = st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join)

Letters = list[tuple[str, float]]  # every character with its attention


@dataclass(frozen=True)
class Part:
    """What stands between two ANDs."""

    weight: float
    letters: Letters


@dataclass(frozen=True)
class Reading:
    networks: list[tuple[str, str]]
    parts: list[Part]


def read(text: str) -> Reading:
    text = re.sub("#[^\n]*", "", text)
    networks = re.findall("<([^\\W]+):([^>]+)>", text)
    text = re.sub("<[^\\W]+:[^>]+>", "", text)
    return Reading(sorted(networks), [_part(part) for part in re.split(r"\bAND\b", text)])


def _part(text: str) -> Part:
    before, colon, after = text.rpartition(":")
    if colon and re.fullmatch(r"\s*[-+]?(\d+\.?|\d*\.\d+)\s*", after):
        return Part(float(after), _attention(before.rstrip()))
    return Part(1.0, _attention(text))


def _attention(text: str) -> Letters:
    letters: Letters = []
    opened: dict[str, list[int]] = {"(": [], "[": []}

    def multiply(start: int, factor: float) -> None:
        letters[start:] = [(letter, weight * factor) for letter, weight in letters[start:]]

    at = 0
    while at < len(text):
        weighted = re.match(r":\s*([+-]?[.\d]+)\s*\)", text[at:])
        letter = text[at]
        if letter == "\\" and text[at + 1 : at + 2] in tuple("()[]\\"):
            letters.append((text[at + 1], 1.0))
            at += 2
        elif letter in opened:
            opened[letter].append(len(letters))
            at += 1
        elif weighted and opened["("]:
            multiply(opened["("].pop(), float(weighted[1]))
            at += weighted.end()
        elif letter == ")" and opened["("]:
            multiply(opened["("].pop(), 1.1)
            at += 1
        elif letter == "]" and opened["["]:
            multiply(opened["["].pop(), 1 / 1.1)
            at += 1
        else:
            letters.append((letter, 1.0))
            at += 1
    for start in opened["("]:
        multiply(start, 1.1)
    for start in opened["["]:
        multiply(start, 1 / 1.1)
    return letters
