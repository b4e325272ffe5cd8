"""Parses a prompt into tokens, segments and the user's tags.

The joined tokens always equal the text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

TEXT = "text"
# the WebUI drops everything from "#" to the end of the line, before it reads anything else
COMMENT = "comment"
NETWORK = "network"  # <lora:name:1>, <lyco:...>, <hypernet:...> or any other <word:...>
WILDCARD = "wildcard"  # __name__ or ${name}: replaced by Dynamic Prompts
BREAK = "break"
AND = "and"
ESCAPE = "escape"
WEIGHT = "weight"  # the :1.2 that stands before a closing round bracket
COLON = "colon"
BAR = "bar"
COMMA = "comma"
NEWLINE = "newline"
STOP = "stop"  # the end of a sentence
ROUND_OPEN, ROUND_CLOSE = "round_open", "round_close"
SQUARE_OPEN, SQUARE_CLOSE = "square_open", "square_close"
BRACE_OPEN, BRACE_CLOSE = "brace_open", "brace_close"  # "{2$$" counts as one opening brace
ODDS = "odds"  # the 0.5:: of {0.5::a|b}

# The host splits there, whatever Dynamic Prompts would have made of it.
_UNSPLIT = r"(?!\b(?:AND|BREAK)\b)"

# The order decides: the first alternative that fits wins, as the hosts' own passes over the text do
# one after another.
# No alternative may look far beyond what it takes, so that 20,000 characters of anything stay
# linear.
_PATTERN = re.compile(
    rf"""
    (?P<comment>\#[^\n]*)
  | (?P<network><\w+:(?:[^>\#]{{1,512}}>|(?:[^>\#]{{0,512}}\#[^\n]*\n){{1,8}}[^>\#]{{0,512}}>))
  | (?P<wildcard>__(?=[^\s_])(?:{_UNSPLIT}[^\s,<>{{}}|()\[\]\#]){{1,128}}?(?:\((?:{_UNSPLIT}[^()\[\]\n\#]){{0,128}}\))?__
      | \$\{{(?:{_UNSPLIT}[^{{}}()\[\]\#]){{0,256}}\}})
  | (?P<break>\bBREAK\b)
  | (?P<and>\bAND\b)
  | (?P<escape>\\[()\[\]\\])
  | (?P<weight>:\s*[+-]?[.\d]+\s*(?=\)))
  | (?P<odds>(?<=[{{|$])\s*(?:\d+(?:\.\d+)?|\.\d+)::)
  | (?P<brace_open>\{{(?:\s*(?:\d+(?:-\d*)?|-\d+)?\$\$(?:(?:{_UNSPLIT}[^{{}}()\[\]|$\#\n]){{0,32}}\$\$)?)?)
  | (?P<brace_close>\}})
  | (?P<round_open>\() | (?P<round_close>\))
  | (?P<square_open>\[) | (?P<square_close>\])
  | (?P<colon>:) | (?P<bar>\|)
  | (?P<comma>[,\uff0c\u3001])
  | (?P<newline>\r\n|[\r\n])
  | (?P<stop>(?<=\w\w\w)[.!?;](?=\s|\Z) | [\u3002\uff01\uff1f\uff1b])
  | (?P<text>[^\W_]+|[^\S\r\n]+|.)
    """,  # noqa: E501
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """A tuple for speed: long prompts have thousands of tokens."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def tokenise(text: str) -> tuple[Token, ...]:
    """Tokenise the text; neighbouring plain text becomes one token."""
    tokens: list[Token] = []
    plain = -1  # where the run of plain text began
    for match in _PATTERN.finditer(text):
        kind, start = match.lastgroup or TEXT, match.start()
        if kind == TEXT:
            plain = start if plain < 0 else plain
            continue
        if plain >= 0:
            tokens.append(Token(TEXT, text[plain:start], plain))
            plain = -1
        tokens.append(Token(kind, match.group(), start))
    if plain >= 0:
        tokens.append(Token(TEXT, text[plain:], plain))
    return tuple(tokens)


_COMMENT = re.compile("#[^\n]*")


@dataclass(frozen=True, slots=True)
class UserTag:
    """A tag in the prompt.

    `weight` is None if absent (host: 1) or unreadable (host: ignored); of a schedule over the steps
    it is the greatest.
    """

    kind: str
    name: str
    weight: float | None
    arguments: tuple[str, ...]  # everything after the name, as written
    start: int
    end: int


def user_tags(tokens: Iterable[Token]) -> tuple[UserTag, ...]:
    return tuple(_read(token) for token in tokens if token.kind == NETWORK)


def number(text: str) -> float | None:
    """Return the finite number in `text`, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


_SCHEDULE = re.compile(r"\[?([^@,\[\]]+@[^@,\[\]]+(?:,[^@,\[\]]+@[^@,\[\]]+)*)\]?")


_FROM_TO = re.compile(r"\A\[([^:@,\[\]]+):([^:@,\[\]]+)(?::[^:@,\[\]]+)?\]\Z")
_COLON = re.compile(r":(?![^\[\]]*\])")  # not within brackets


def weight_of(text: str) -> float | None:
    """A number, or the greatest weight of a schedule: `1@0,0@0.5`, `[1@0,0@0.5]`, `[1:0:0.5]`."""
    text = _FROM_TO.sub(r"\1@0,\2@1", text.strip())
    schedule = _SCHEDULE.fullmatch(text)
    if schedule is None:
        return number(text)
    points = [point.split("@") for point in schedule[1].split(",")]
    values = [number(part) for point in points for part in point]
    weights = [value for value in values[::2] if value is not None]
    return max(weights, key=abs) if None not in values else None


def _read(token: Token) -> UserTag:
    kind, _, inside = _COMMENT.sub("", token.text[1:-1]).partition(":")
    items = _COLON.split(inside) if "[" in inside else inside.split(":")
    # As the host reads them: an item with exactly one "=" is an argument by name, the first of the
    # others is the name.
    named = dict(item.split("=") for item in items if item.count("=") == 1)
    positional = [item for item in items if item.count("=") != 1]
    written = positional[1] if len(positional) > 1 else named.get("te", named.get("unet", ""))
    name = positional[0] if positional else ""
    arguments = list(items)
    if name in arguments:
        arguments.remove(name)
    return UserTag(kind, name, weight_of(written), tuple(arguments), token.start, token.end)


ATTENTION = 1.1
HEAVIEST = 100.0  # a thousand brackets must not become an infinity
_WHEN = 2  # a schedule ends in a colon, a number and the bracket
_OPENERS = {ROUND_OPEN: ATTENTION, SQUARE_OPEN: 1 / ATTENTION, BRACE_OPEN: 1.0}
_CLOSERS = {ROUND_CLOSE: ROUND_OPEN, SQUARE_CLOSE: SQUARE_OPEN, BRACE_CLOSE: BRACE_OPEN}


@dataclass(frozen=True, slots=True)
class Structure:
    weights: tuple[float, ...]  # of each token: the attention that the host gives to it
    depths: tuple[int, ...]  # after each token: how many brackets are open
    separators: frozenset[int]  # tokens at which one phrase ends and another begins
    silent: frozenset[int]  # tokens that are syntax, not text
    variants: bool  # {a|b}: only Dynamic Prompts knows which will stand here


def structure(tokens: Sequence[Token]) -> Structure:
    matcher = _Matcher(tokens)
    for index, token in enumerate(tokens):
        matcher.take(index, token)
    return Structure(
        _weights(tokens, matcher.factors, matcher.closed),
        tuple(matcher.depths),
        frozenset(matcher.separators),
        frozenset(matcher.silent),
        matcher.variants,
    )


class _Matcher:
    """Matches brackets; each is identified by the index of its opening token."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._stacks: dict[str, list[int]] = {kind: [] for kind in _OPENERS}
        self._barred: set[int] = set()
        self._colons: dict[int, list[int]] = {}
        self._depth = 0
        self.factors: dict[
            int, float
        ] = {}  # of the opening tokens that have another than their bracket's
        self.closed: set[int] = set()  # closing tokens that have an opening one
        self.depths: list[int] = []
        self.separators: set[int] = set()
        self.silent: set[int] = set()
        self.variants = False

    def take(self, index: int, token: Token) -> None:
        kind = token.kind
        if kind in _OPENERS:
            self.silent.add(index)
            self._stacks[kind].append(index)
            self._depth += 1
            self.variants = self.variants or "$$" in token.text
        elif kind in _CLOSERS:
            self._close(index, _CLOSERS[kind])
        elif kind in {BAR, COLON}:
            self._divide(index, kind)
        elif kind == WEIGHT:
            if self._stacks[ROUND_OPEN]:
                self.silent.add(index)
        elif kind == AND:
            self._stacks[ROUND_OPEN].clear()
            self._stacks[SQUARE_OPEN].clear()
            self._depth = len(self._stacks[BRACE_OPEN])
        self.depths.append(self._depth)

    def _close(self, index: int, opener: str) -> None:
        stack = self._stacks[opener]
        if not stack:
            return
        opened = stack.pop()
        self._depth -= 1
        self.closed.add(index)
        self.silent.add(index)
        if opener == ROUND_OPEN:
            before = self._tokens[index - 1]
            if before.kind == WEIGHT:
                weight = number(before.text[1:])
                self.factors[opened] = 1.0 if weight is None else weight
            return
        scheduled = opener == SQUARE_OPEN and self._schedule(opened, index)
        if scheduled or opened in self._barred:
            self.factors[opened] = 1.0
            self.separators.update((opened, index))
            self.variants = self.variants or opener == BRACE_OPEN

    def _schedule(self, opened: int, index: int) -> bool:
        """True for [from:to:when] and [to:when]: the last part is a number."""
        colons = self._colons.get(opened)
        if not colons:
            return False
        when = self._tokens[index - 1]
        if colons[-1] != index - _WHEN or when.kind != TEXT or number(when.text.strip()) is None:
            return False
        self.separators.update(colons)
        self.silent.add(index - 1)
        return True

    def _divide(self, index: int, kind: str) -> None:
        """Assign a bar or colon to the innermost bracket."""
        innermost = max(stack[-1] if stack else -1 for stack in self._stacks.values())
        if kind == BAR:
            self.separators.add(index)
            self._barred.add(innermost)
        elif innermost >= 0:
            self._colons.setdefault(innermost, []).append(index)


def _weights(
    tokens: Sequence[Token], factors: dict[int, float], closed: set[int]
) -> tuple[float, ...]:
    running = {
        kind: [1.0] for kind in _OPENERS
    }  # per bracket: the products of the factors, outermost first
    weights: list[float] = []
    weight = 1.0
    for index, (kind, _, _) in enumerate(tokens):
        if kind in _OPENERS:
            product = running[kind][-1] * factors.get(index, _OPENERS[kind])
            running[kind].append(max(-HEAVIEST, min(HEAVIEST, product)))
        elif index in closed:
            running[_CLOSERS[kind]].pop()
        elif kind == AND:
            running[ROUND_OPEN] = [1.0]
            running[SQUARE_OPEN] = [1.0]
        if kind != TEXT:
            weight = running[ROUND_OPEN][-1] * running[SQUARE_OPEN][-1]
        weights.append(weight)
    return tuple(weights)


Separator = Literal["", "BREAK", "AND"]

_SEPARATORS: dict[str, Separator] = {BREAK: "BREAK", AND: "AND"}
_WEIGHT = re.compile(r"\s*([-+]?(?:\d+\.?|\d*\.\d+))\s*")


@dataclass(frozen=True, slots=True)
class PromptSegment:
    """`text[start:end]` is the segment without surrounding space, comments and AND weight."""

    index: int
    start: int
    end: int
    separator: Separator  # what stands before it
    weight: float | None  # the :1.2 of "a AND b :1.2"
    # False where `end` lies inside a bracket: nothing can be added there without changing its
    # meaning
    closed: bool


def split(text: str, tokens: Sequence[Token], brackets: Structure) -> tuple[PromptSegment, ...]:
    cuts = [index for index, token in enumerate(tokens) if token.kind in _SEPARATORS]
    segments: list[PromptSegment] = []
    first = 0
    separator: Separator = ""
    for number, cut in enumerate([*cuts, len(tokens)]):
        last_of_part = cut == len(tokens) or tokens[cut].kind == AND
        # An empty segment has its place right after the separator before it.
        begin = tokens[first - 1].end if first else 0
        start, end, weight = _extent(text, tokens[first:cut], begin, last_of_part)
        closed = cut == first or brackets.depths[cut - 1] == 0
        segments.append(PromptSegment(number, start, end, separator, weight, closed))
        if cut < len(tokens):
            separator = _SEPARATORS[tokens[cut].kind]
        first = cut + 1
    return tuple(segments)


def _extent(
    text: str, tokens: Sequence[Token], begin: int, last_of_part: bool
) -> tuple[int, int, float | None]:
    """Start, end and AND weight of a segment; only `last_of_part` may end with an AND weight."""
    limit = tokens[-1].end if tokens else begin
    start = min(limit, begin + len(text[begin:limit]) - len(text[begin:limit].lstrip()))
    if start == limit:
        return begin, begin, None
    end = _rstrip(text, start, _skip(tokens, {COMMENT}))
    if last_of_part:
        # The host strips extra networks before it looks for the weight.
        core = _rstrip(text, start, _skip(tokens, {COMMENT, NETWORK}))
        colon = text.rfind(":", start, core)
        match = _WEIGHT.fullmatch(text, colon + 1, core) if colon >= 0 else None
        if match is not None:
            return start, _rstrip(text, start, colon), float(match.group(1))
    return start, end, None


def _skip(tokens: Sequence[Token], kinds: set[str]) -> int:
    """Offset where trailing white space and tokens of these kinds begin."""
    for token in reversed(tokens):
        if token.kind not in kinds and not token.text.isspace():
            return token.end
    return tokens[0].start


def _rstrip(text: str, start: int, end: int) -> int:
    return start + len(text[start:end].rstrip())


@dataclass(frozen=True, slots=True)
class Prompt:
    text: str
    tokens: tuple[Token, ...]
    segments: tuple[PromptSegment, ...]
    user_tags: tuple[UserTag, ...]
    unresolved: bool  # wildcards or variants are in it: what will be generated is not known yet

    def render(self) -> str:
        return "".join(token.text for token in self.tokens)


def parse_prompt(text: str) -> Prompt:
    tokens = tokenise(text)
    brackets = structure(tokens)
    return Prompt(
        text=text,
        tokens=tokens,
        segments=split(text, tokens, brackets),
        user_tags=user_tags(tokens),
        unresolved=brackets.variants or any(_is_wild(token) for token in tokens),
    )


def _is_wild(token: Token) -> bool:
    if token.kind == NETWORK:  # <lora:__any__:1>
        return any(
            inner.kind == WILDCARD or "{" in inner.text for inner in tokenise(token.text[1:-1])
        )
    return token.kind == WILDCARD
