"""The cutter of captions that comes with Stylus, for those who measure it."""

from __future__ import annotations

from stylus_ext.backends.retrievers.weights import cutter
from stylus_ext.core.prompt.cutter import Cutter


def caption_cutter() -> Cutter:
    return cutter()
