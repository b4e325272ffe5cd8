"""How long, how often and how much: the bounds of every request."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """`stall_s` is the longest silence, `total_s` the longest wait for a whole JSON answer or for
    the head of a stream.
    """

    connect_s: float = 10.0
    stall_s: float = 30.0
    total_s: float = 90.0
    tries: int = 4
    first_pause_s: float = 1.0
    longest_pause_s: float = 30.0
    longest_retry_after_s: float = 60.0
    """A server that wants to be left alone for longer gets its wish: the request fails and says
    until when.
    """
    largest_json: int = 64 * MIB
    hops: int = 5
