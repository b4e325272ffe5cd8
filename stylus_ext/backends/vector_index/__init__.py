"""Where the vectors live: Chroma keeps them, a memory-mapped matrix beside it answers the
searches.
"""

from stylus_ext.backends.vector_index.chroma_index import ChromaIndex
from stylus_ext.backends.vector_index.late import LateIndex, remembered_dimensions
from stylus_ext.backends.vector_index.lent import LentIndex

__all__ = ["ChromaIndex", "LateIndex", "LentIndex", "remembered_dimensions"]
