"""Inserts text at the ends of prompt segments; no other character changes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stylus_ext.core.prompt import parse as kinds
from stylus_ext.core.prompt.parse import Prompt, PromptSegment, UserTag, parse_prompt, structure

# After these nothing needs to be put between: the user, or a sentence, has ended already.
_ENDED = tuple(",.!?;:\uff0c\u3001\u3002\uff01\uff1f\uff1b")
_SYNTAX = frozenset(
    (kinds.AND, kinds.BREAK, kinds.COMMENT, kinds.BAR, kinds.BRACE_OPEN, kinds.BRACE_CLOSE)
)
_CLOSING = frozenset((kinds.ROUND_CLOSE, kinds.SQUARE_CLOSE))


@dataclass(frozen=True, slots=True)
class InsertRefusal:
    """`segment` was left unchanged; `why` is a sentence for the user."""

    segment: int
    why: str


@dataclass(frozen=True, slots=True)
class Inserted:
    text: str
    refused: tuple[InsertRefusal, ...]


def insert(prompt: Prompt, additions: Mapping[int, str]) -> Inserted:
    """Append each addition to its segment, or refuse it; empty additions are ignored."""
    parts: list[str] = []
    refused: list[InsertRefusal] = []
    done = 0
    for index in sorted(additions):
        addition = additions[index].strip()
        if not addition:
            continue
        why = _objection(prompt, index, addition)
        if why is not None:
            refused.append(InsertRefusal(index, why))
            continue
        segment = prompt.segments[index]
        parts.append(prompt.text[done : segment.end])
        parts.append(_glued(prompt, segment, addition))
        done = segment.end
    parts.append(prompt.text[done:])
    return Inserted("".join(parts), tuple(refused))


def is_harmless(addition: str) -> bool:
    """True if a text can stand in any prompt without changing how the rest is parsed.

    Extra networks, weights and closed brackets are allowed. Separators, comments, wildcards,
    variants, open brackets, a trailing backslash and AND weights are not.
    """
    parsed = parse_prompt(addition)
    silent = structure(parsed.tokens).silent
    return (
        parsed.segments[0].closed
        and parsed.segments[0].weight is None
        and not parsed.unresolved
        and not addition.rstrip().endswith("\\")
        and not any(token.kind in _SYNTAX for token in parsed.tokens)
        and not any(
            token.kind in _CLOSING and index not in silent
            for index, token in enumerate(parsed.tokens)
        )
    )


def _objection(prompt: Prompt, index: int, addition: str) -> str | None:
    if not 0 <= index < len(prompt.segments):
        return f"The prompt has no part number {index + 1}, so nothing was added to it."
    if not prompt.segments[index].closed:
        return (
            f"Part {index + 1} of the prompt ends inside a bracket, so nothing was added to it;"
            " close the bracket."
        )
    if not is_harmless(addition) or not _fits(prompt, prompt.segments[index], addition):
        return f"{addition!r} would change how the rest of the prompt is read, so it was not added."
    return None


def _fits(prompt: Prompt, segment: PromptSegment, addition: str) -> bool:
    """Parse the result again, since the user's text can change the addition ("a :" and "2")."""
    glued = _glued(prompt, segment, addition)
    outcome = parse_prompt(prompt.text[: segment.end] + glued + prompt.text[segment.end :])
    added = parse_prompt(addition).user_tags
    return (
        _shape(outcome) == _shape(prompt)
        and outcome.unresolved == prompt.unresolved
        and _comments(outcome) == _comments(prompt)
        and _names(outcome.user_tags) == _names((*prompt.user_tags, *added))
    )


def _shape(prompt: Prompt) -> list[tuple[str, float | None, bool]]:
    return [(segment.separator, segment.weight, segment.closed) for segment in prompt.segments]


def _comments(prompt: Prompt) -> list[str]:
    """Comments that the host drops; if they grow, the addition was swallowed by one."""
    return [token.text for token in prompt.tokens if token.kind == kinds.COMMENT]


def _names(tags: tuple[UserTag, ...]) -> list[tuple[str, str, tuple[str, ...]]]:
    return sorted((tag.kind, tag.name, tag.arguments) for tag in tags)


def _glued(prompt: Prompt, segment: PromptSegment, addition: str) -> str:
    """Return the addition with the separators it needs."""
    before, after = prompt.text[: segment.end], prompt.text[segment.end :]
    # The host takes extra networks out of the text before it reads it; commas are for what then is
    # left.
    text = _without_networks(prompt, segment).rstrip()
    if text and not text.endswith(_ENDED) and _says_something(addition):
        glue = ", "
    else:
        glue = " " if before and not before[-1].isspace() else ""
    return glue + addition + ("" if not after or after[0].isspace() else " ")


def _without_networks(prompt: Prompt, segment: PromptSegment) -> str:
    """The segment's text without network tags; only its last word matters."""
    for token in reversed(prompt.tokens):
        if token.end <= segment.start:
            break
        if token.start < segment.end and token.kind not in {kinds.NETWORK, kinds.COMMENT}:
            part = prompt.text[max(token.start, segment.start) : min(token.end, segment.end)]
            if not part.isspace():
                return part
    return ""


def _says_something(addition: str) -> bool:
    return any(
        token.kind != kinds.NETWORK and not token.text.isspace()
        for token in parse_prompt(addition).tokens
    )


_TAG = re.compile(r"<\w+:[^<>]+>")
_WORD = re.compile(r"\w+|\W")


def pieces(before: str, after: str) -> tuple[str, ...]:
    """Return the inserted pieces in order; all of `before` occurs in `after` in order."""
    start = len(os.path.commonprefix([before, after]))
    end = len(os.path.commonprefix([before[start:][::-1], after[start:][::-1]]))
    if start + end == len(before):
        return (after[start : len(after) - end],) if len(after) > len(before) else ()
    return _between(_WORD.findall(before), _WORD.findall(after)) or _between(before, after) or ()


def _between(before: Sequence[str], after: Sequence[str]) -> tuple[str, ...] | None:
    """Text between the parts; None if a part is missing."""
    found: list[str] = []
    at = 0
    for part in before:
        start = at
        while at < len(after) and after[at] != part:
            at += 1
        if at == len(after):
            return None
        found.append("".join(after[start:at]))
        at += 1
    return tuple(piece for piece in (*found, "".join(after[at:])) if piece)


def without(text: str, before: str, after: str) -> str:
    """Remove what was inserted; returns `before` if nothing else changed."""
    if text == after:
        return before
    for piece in reversed(pieces(before, after)):
        place = text.rfind(piece)
        text = (
            _without_tags(text, piece) if place < 0 else text[:place] + text[place + len(piece) :]
        )
    return text


def _without_tags(text: str, piece: str) -> str:
    """Tags of an edited piece that are still present unchanged."""
    for tag in _TAG.findall(piece):
        place = text.rfind(tag)
        if place >= 0:
            start = place - 1 if text[:place].endswith(" ") else place
            text = text[:start] + text[place + len(tag) :]
    return text
