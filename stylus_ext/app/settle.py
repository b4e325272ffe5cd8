"""What is loaded once and stays is taken out of the garbage collector's rounds."""

from __future__ import annotations

import gc


def settle() -> None:
    """For a process of our own, when what it works with is loaded: else the collector walks through
    all of it again and again, a third of a second each time, in the midst of a plan. What was taken
    out before and is garbage by now goes first.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
