"""Variations of a prompt that ask for the same picture.

A variation returns the prompt unchanged where it does not apply.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from random import Random

from stylus_ext.core.prompt.phrases import is_weak
from stylus_ext.core.prompt.words import singular
from stylus_ext.selection.compose.checks import ATTRIBUTES
from stylus_ext.selection.lexical.index import expected_cards

Vary = Callable[[str], str]

_WORD = re.compile(r"(?<![\w'-])[A-Za-z]{3,}(?![\w'-])")
_OPEN, _CLOSE = "([{<", ")]}>"
_SHORTEST_EMPHASISED = 4
_FEWEST_TAGS, _LONGEST_TAG = 3, 4
_NO_NOUN_ENDINGS = ("ing", "ed", "ly")
_IRREGULAR = {"man": "men", "woman": "women", "child": "children", "foot": "feet"}
_ENDS_ES = ("s", "x", "ch", "sh")


def quality_words_behind(prompt: str) -> str:
    return f"{_without_dot(prompt)}, masterpiece, best quality, highly detailed"


def quality_words_in_front(prompt: str) -> str:
    return f"masterpiece, best quality, {prompt}"


def attention_brackets(prompt: str) -> str:
    """Emphasise the first word that says something."""
    for word in _free_words(prompt):
        if len(word.group()) >= _SHORTEST_EMPHASISED and not is_weak(word.group()):
            return f"{prompt[: word.start()]}({word.group()}:1.2){prompt[word.end() :]}"
    return prompt


def resolution_word(prompt: str) -> str:
    return f"{_without_dot(prompt)}, 8k"


def score_tags(prompt: str) -> str:
    return f"score_9, score_8_up, score_7_up, {prompt}"


def other_order(prompt: str) -> str:
    """Shuffle tags; captions with commas are left alone."""
    tags = [tag.strip() for tag in _split_at_commas(prompt)]
    words = sum(len(tag.split()) for tag in tags)
    if len(tags) < _FEWEST_TAGS or words > _LONGEST_TAG * len(tags) or "BREAK" in prompt:
        return prompt
    Random(prompt).shuffle(tags)  # noqa: S311
    return ", ".join(tags)


def other_number(prompt: str) -> str:
    """Put the last noun that is an everyday word into the plural, or the singular."""
    for word in reversed(list(_free_words(prompt))):
        other = _other_number_of(word.group())
        if other and _ends_a_phrase(prompt, word.end()):
            return f"{prompt[: word.start()]}{other}{prompt[word.end() :]}"
    return prompt


def capitals(prompt: str) -> str:
    """Begin every word with a capital."""
    parts, end = [], 0
    for word in _free_words(prompt):
        parts += [prompt[end : word.start()], word.group()[0].upper(), word.group()[1:]]
        end = word.end()
    return "".join([*parts, prompt[end:]])


def final_dot(prompt: str) -> str:
    return f"{prompt}." if prompt[-1:].isalnum() else prompt


VARIATIONS: Mapping[str, Vary] = {
    "quality words behind": quality_words_behind,
    "quality words in front": quality_words_in_front,
    "attention brackets": attention_brackets,
    "8k": resolution_word,
    "score tags": score_tags,
    "other order": other_order,
    "plural or singular": other_number,
    "capitals": capitals,
    "final dot": final_dot,
}


def _without_dot(prompt: str) -> str:
    return prompt.rstrip().removesuffix(".")


def _free_words(prompt: str) -> Iterator[re.Match[str]]:
    """Yield words outside brackets and tags of files."""
    depth, place = 0, 0
    for word in _WORD.finditer(prompt):
        for character in prompt[place : word.start()]:
            depth += (character in _OPEN) - (character in _CLOSE)
        place = word.start()
        if depth <= 0:
            yield word


def _split_at_commas(prompt: str) -> Iterator[str]:
    depth, start = 0, 0
    for place, character in enumerate(prompt):
        depth += (character in _OPEN) - (character in _CLOSE)
        if character == "," and depth <= 0:
            yield prompt[start:place]
            start = place + 1
    if prompt[start:].strip():
        yield prompt[start:]


def _other_number_of(word: str) -> str:
    """The plural of a singular noun and the reverse; empty for what may be no noun."""
    one = singular(word)
    if (
        not word.islower()
        or is_weak(word)
        or {word, one} & ATTRIBUTES
        or word.endswith(_NO_NOUN_ENDINGS)
        or not expected_cards(one)
    ):
        return ""
    if one != word:
        return one if word.endswith("s") or one in _IRREGULAR else ""
    several = _plural(word)
    return several if singular(several) == word else ""


def _plural(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith(_ENDS_ES):
        return f"{word}es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}s"


def _ends_a_phrase(prompt: str, end: int) -> bool:
    following = re.match(r"\s+([A-Za-z'-]+)", prompt[end:])
    return following is None or is_weak(following.group(1))
