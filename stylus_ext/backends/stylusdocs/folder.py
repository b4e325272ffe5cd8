"""A folder with the published files in it: which they are goes out, and records and vectors as they
are asked for.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path

from stylus_ext.backends.stylusdocs.plain_pickle import records
from stylus_ext.backends.stylusdocs.records import (
    NO_VERSION,
    card_of,
    model_id,
    refined,
    stated_description,
)
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.importing import Published, PublishedText, PublishedVectors

logger = logging.getLogger(__name__)

RECORDS, VECTORS, TEXTS = "sd_adapters.pkl", "sd_embeddings.npy", "ultra_model"
MODEL, DIMENSIONS = "text-embedding-3-large", 3072
REPEATED = "listed twice"
_PLACES = (".", "cache", "stylus/cache")
_LONGEST_ANSWER = 64 * 1024
_MATRIX = 2


class StylusDocs:
    """Implements `PublishedCatalogue`."""

    name = "StylusDocs"

    def __init__(self, folder: Path) -> None:
        """`folder` holds the records; vectors and texts may be missing."""
        self._folder = folder

    @property
    def fingerprint(self) -> str:
        said = []
        for name in (RECORDS, VECTORS):
            path = self._folder / name
            stat = path.stat() if path.exists() else None
            said.append(f"{path}\0{stat.st_size if stat else 0}\0{stat.st_mtime_ns if stat else 0}")
        return hashlib.sha256("\n".join(said).encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def records(self) -> Iterator[Published]:
        seen: set[str] = set()
        for place, record in enumerate(records(self._folder / RECORDS)):
            card = card_of(record)
            if card is None or str(card.key) in seen:
                yield Published(place, reason=NO_VERSION if card is None else REPEATED)
                continue
            seen.add(str(card.key))
            answer = self._answer(model_id(record)) or stated_description(record)
            yield Published(place, card, PublishedText(*answer) if answer else None)

    def vectors(self) -> PublishedVectors | None:
        import numpy as np

        path = self._folder / VECTORS
        if not path.is_file():
            return None
        try:
            held = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError) as problem:
            raise InvalidInput(
                f"{path} is no matrix of numbers ({problem}). Move it away to import without its"
                " vectors."
            ) from problem
        if held.ndim != _MATRIX or held.dtype.kind != "f" or not len(held):
            raise InvalidInput(
                f"{path} is no matrix of numbers: {held.dtype}, {held.shape}. Move it away to"
                " import without its vectors."
            )
        model = MODEL if held.shape[1] == DIMENSIONS else f"a model of {held.shape[1]} dimensions"
        return PublishedVectors(model, held.shape[0], held.shape[1], held)

    def _answer(self, model: int | None) -> tuple[str, float | None] | None:
        """Of the refiner, as it was filed."""
        if model is None:
            return None
        try:
            with (self._folder / TEXTS / f"{model}.txt").open("rb") as file:
                return refined(file.read(_LONGEST_ANSWER).decode("utf-8", "replace"))
        except FileNotFoundError:
            return None
        except OSError as problem:
            logger.warning("The text of model %d cannot be read: %s", model, problem)
            return None


def stylusdocs_in(folder: Path) -> StylusDocs:
    """The published files here, or in the subfolders in which they come."""
    for place in _PLACES:
        if (folder / place / RECORDS).is_file():
            return StylusDocs((folder / place).resolve())
    raise InvalidInput(
        f"{folder} holds no {RECORDS}. Name the folder into which you have unpacked StylusDocs."
    )
