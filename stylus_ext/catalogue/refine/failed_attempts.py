"""What failed lately, and how often: kept for a while, so that the same is not asked, and paid for,
again and again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from stylus_ext.core.sources import Memory

_DAY_S = 86_400.0


@dataclass(slots=True)
class FailedAttempts:
    """After `cap` failures with the same content nothing is tried for `days`. Written down after
    each failure.
    """

    memory: Memory
    name: str
    cap: int = 3
    days: float = 30.0
    clock: Callable[[], float] = time.time
    _known: dict[str, tuple[str, int, float]] = field(init=False)

    def __post_init__(self) -> None:
        self._known = self._read()

    def may(self, what: str, content: str) -> bool:
        """Whether it may be tried: it is new or says something else now, failed seldom, or long
        ago.
        """
        before = self._known.get(what)
        return before is None or before[0] != content or before[1] < self.cap

    def failed(self, what: str, content: str) -> None:
        before = self._known.get(what)
        tries = before[1] if before is not None and before[0] == content else 0
        self._known[what] = (content, tries + 1, self.clock())
        self._write()

    def succeeded(self, what: str) -> None:
        if self._known.pop(what, None) is not None:
            self._write()

    def _read(self) -> dict[str, tuple[str, int, float]]:
        """Without what is over; what nobody can read is forgotten, which costs some tries."""
        since = self.clock() - self.days * _DAY_S
        try:
            said = json.loads(self.memory.remembered(self.name) or "{}")
            return {
                what: (str(content), int(tries), float(at))
                for what, (content, tries, at) in said.items()
                if since <= float(at) <= self.clock()
            }
        except (ValueError, TypeError, AttributeError):
            return {}

    def _write(self) -> None:
        self.memory.remember(self.name, json.dumps(self._known))
