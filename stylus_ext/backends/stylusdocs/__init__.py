"""The files that the paper's authors published, StylusDocs: a pickle of records, a matrix of
embeddings, a text for each record.
"""

from __future__ import annotations

from stylus_ext.backends.stylusdocs.folder import DIMENSIONS, MODEL, StylusDocs, stylusdocs_in

__all__ = ["DIMENSIONS", "MODEL", "StylusDocs", "stylusdocs_in"]
