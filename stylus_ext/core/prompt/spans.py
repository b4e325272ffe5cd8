"""Spans: the pieces of a prompt that an adapter could serve."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of the prompt that an adapter could serve; `start` and `end` are offsets into the prompt's text."""

    text: str
    start: int
    end: int
    segment: int = 0
