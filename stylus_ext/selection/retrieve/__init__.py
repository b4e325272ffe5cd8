"""Finding candidates: an inverted index over the cards, features of word and vector, and their
fusion.
"""

from __future__ import annotations

from stylus_ext.selection.retrieve.policies import retriever_for

__all__ = ["retriever_for"]
