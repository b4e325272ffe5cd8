"""A check that ends a wait after some questions, instead of after some time."""

from __future__ import annotations

from stylus_ext.core.errors import Cancelled


class StopAfter:
    """Let `calls` calls pass, then raise `Cancelled`: the waiting code must ask again and again.

    Against a server that holds the request longer than any limit of the caller, `Cancelled` shows
    that the stop ended the wait: a wait that does not ask ends with the limit's own error.
    """

    def __init__(self, calls: int = 3) -> None:
        self.left = calls

    def __call__(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Cancelled("Stopped, as you asked.")
