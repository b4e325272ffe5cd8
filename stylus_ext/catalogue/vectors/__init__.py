"""Vector storage: Chroma holds the vectors, a memory-mapped matrix answers searches."""

from __future__ import annotations

from stylus_ext.catalogue.vectors.index import ChromaIndex
from stylus_ext.catalogue.vectors.standins import ImportedIndex, LateIndex, remembered_dimensions

__all__ = ["ChromaIndex", "ImportedIndex", "LateIndex", "remembered_dimensions"]
