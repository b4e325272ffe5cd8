"""Whether a file still comes: how much has come, and when, goes in; nothing, or an error where it
only trickles, comes out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from stylus_ext.backends.http import Unreachable
from stylus_ext.core.fetching import in_mb


class Trickle(Unreachable):
    """A connection that is alive and of no use: a byte now and then would keep it open for ever."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """`slowest` is in bytes a second. A window of `window_s` begins at `since`, with `size` bytes
    there.
    """

    slowest: int
    window_s: float
    since: float
    size: int

    def after(self, size: int, now: float, what: str) -> Pulse:
        """The next window, where this one is over and enough has come in it."""
        if now - self.since < self.window_s:
            return self
        if size - self.size < self.slowest * (now - self.since):
            raise Trickle(
                f"{what} came slower than {in_mb(self.slowest)} a second for {now - self.since:.0f}"
                " s. Try again later; what has come is kept."
            )
        return replace(self, since=now, size=size)
