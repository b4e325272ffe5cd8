"""Registers callbacks of the host from a thread of its own, which is waited for: there the stack is
short.

A1111 1.8 looks up the source of every frame below whoever registers one; while it loads scripts
there are many, and it took 16 ms each.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Pair = tuple[Callable[[Any], object], Callable[..., Any]]


def register(*pairs: Pair) -> None:
    """As `hook(callback)` for each pair, errors included."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(_register, pairs).result()


def _register(pairs: tuple[Pair, ...]) -> None:
    """The frame nearest to the host is one of this extension, by which the host knows whose the
    callbacks are.
    """
    for hook, callback in pairs:
        hook(callback)
