"""Where the vectors live: Chroma keeps them, a memory-mapped matrix beside it answers the
searches.
"""

from __future__ import annotations

from stylus_ext.catalogue.vectors.index import ChromaIndex
from stylus_ext.catalogue.vectors.standins import LateIndex, LentIndex, remembered_dimensions

__all__ = ["ChromaIndex", "LateIndex", "LentIndex", "remembered_dimensions"]
