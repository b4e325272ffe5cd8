"""The weights that come with Stylus, for those who measure them."""

from __future__ import annotations

from stylus_ext.backends.retrievers.weights import cutter, ranker
from stylus_ext.core.prompt.cutter import Cutter
from stylus_ext.core.ranker import Ranker


def caption_cutter() -> Cutter:
    return cutter()


def ranker_in_use() -> Ranker:
    return ranker()
