"""Finding candidates: an inverted index over the cards, features of word and vector, and their
fusion.
"""

from stylus_ext.backends.retrievers.policies import retriever_for

__all__ = ["retriever_for"]
