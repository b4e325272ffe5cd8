"""How long the host waits for the engine and a plan, and what ends the waiting early."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for a starting engine, the first plan (loads the encoder) and later plans."""

    ready_s: float = 60.0
    cold_s: float = 20.0
    warm_s: float = 2.0


class UntickCounter:
    """Counts how often the box was unticked, so that a watcher sees an untick it missed."""

    def __init__(self) -> None:
        self.unticked = 0
