"""Tokens in, what their brackets mean out: the weight at every token, what separates phrases, what
is no text at all.

Round and square brackets are matched apart from each other and anew after each AND, because the
host does so: it splits at AND first, and keeps one stack for either bracket.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stylus_ext.core.prompt import tokens as kinds
from stylus_ext.core.prompt.tokens import Token
from stylus_ext.core.prompt.user_tags import number

ATTENTION = 1.1
HEAVIEST = 100.0  # a thousand brackets must not become an infinity
_WHEN = 2  # a schedule ends in a colon, a number and the bracket
_OPENERS = {kinds.ROUND_OPEN: ATTENTION, kinds.SQUARE_OPEN: 1 / ATTENTION, kinds.BRACE_OPEN: 1.0}
_CLOSERS = {
    kinds.ROUND_CLOSE: kinds.ROUND_OPEN,
    kinds.SQUARE_CLOSE: kinds.SQUARE_OPEN,
    kinds.BRACE_CLOSE: kinds.BRACE_OPEN,
}


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
    """Brackets are known by the index of their opening token: plain integers, since there may be
    thousands.
    """

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
        elif kind in {kinds.BAR, kinds.COLON}:
            self._divide(index, kind)
        elif kind == kinds.WEIGHT:
            if self._stacks[kinds.ROUND_OPEN]:
                self.silent.add(index)
        elif kind == kinds.AND:
            self._stacks[kinds.ROUND_OPEN].clear()
            self._stacks[kinds.SQUARE_OPEN].clear()
            self._depth = len(self._stacks[kinds.BRACE_OPEN])
        self.depths.append(self._depth)

    def _close(self, index: int, opener: str) -> None:
        stack = self._stacks[opener]
        if not stack:
            return
        opened = stack.pop()
        self._depth -= 1
        self.closed.add(index)
        self.silent.add(index)
        if opener == kinds.ROUND_OPEN:
            before = self._tokens[index - 1]
            if before.kind == kinds.WEIGHT:
                weight = number(before.text[1:])
                self.factors[opened] = 1.0 if weight is None else weight
            return
        scheduled = opener == kinds.SQUARE_OPEN and self._schedule(opened, index)
        if scheduled or opened in self._barred:
            self.factors[opened] = 1.0
            self.separators.update((opened, index))
            self.variants = self.variants or opener == kinds.BRACE_OPEN

    def _schedule(self, opened: int, index: int) -> bool:
        """[from:to:when] and [to:when]: the last part is a number, and no text."""
        colons = self._colons.get(opened)
        if not colons:
            return False
        when = self._tokens[index - 1]
        if (
            colons[-1] != index - _WHEN
            or when.kind != kinds.TEXT
            or number(when.text.strip()) is None
        ):
            return False
        self.separators.update(colons)
        self.silent.add(index - 1)
        return True

    def _divide(self, index: int, kind: str) -> None:
        """A bar or a colon belongs to the innermost bracket."""
        innermost = max(stack[-1] if stack else -1 for stack in self._stacks.values())
        if kind == kinds.BAR:
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
        elif kind == kinds.AND:
            running[kinds.ROUND_OPEN] = [1.0]
            running[kinds.SQUARE_OPEN] = [1.0]
        if kind != kinds.TEXT:
            weight = running[kinds.ROUND_OPEN][-1] * running[kinds.SQUARE_OPEN][-1]
        weights.append(weight)
    return tuple(weights)
