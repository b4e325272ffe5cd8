"""What is wired to published catalogues: a folder of files goes in, entries and their vectors come
out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stylus_ext.app.import_catalogue import ImportCatalogue
from stylus_ext.app.lend_vectors import LendVectors, into
from stylus_ext.app.wiring_stylus import Stylus, checked_folder
from stylus_ext.backends.refiners.card import CardRefiner
from stylus_ext.backends.stylusdocs import DIMENSIONS, MODEL, stylusdocs_in
from stylus_ext.backends.vector_index import ChromaIndex, LateIndex, LentIndex
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.embedding import VIEWS
from stylus_ext.core.errors import Note
from stylus_ext.core.importing import Imported, PublishedVectors
from stylus_ext.core.ports import Progress
from stylus_ext.core.settings import Encoder


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """`vectors` are taken in where the encoder is theirs, into Chroma only where `chroma` says
    so.
    """

    folder: str
    vectors: bool = True
    chroma: bool = False


def fits(encoder: Encoder) -> bool:
    """Whether prompts are embedded by what made the published vectors, and as long as those are."""
    return (
        bool(encoder.endpoint)
        and encoder.model.rpartition("/")[2] == MODEL
        and encoder.dimensions in (0, DIMENSIONS)
    )


def with_lent(
    encoder: Encoder, index: ChromaIndex | LateIndex, folder: Path
) -> ChromaIndex | LateIndex | LentIndex:
    """The index, with a place for lent vectors beside it where they are of any use."""
    return LentIndex(index, folder / "lent", DIMENSIONS) if fits(encoder) else index


def import_stylusdocs(
    stylus: Stylus, request: ImportRequest, progress: Progress
) -> tuple[Imported, int, tuple[Note, ...]]:
    """What was imported, how many entries got a published vector, and why not all of them."""
    published = stylusdocs_in(
        checked_folder(request.folder, "the folder into which you have unpacked StylusDocs")
    )
    vectors = published.vectors() if request.vectors else None
    done, places = ImportCatalogue(stylus.shop, CardRefiner())(published, progress)
    if vectors is None:
        return done, 0, ()
    why = _why_not(stylus, vectors, done)
    if why:
        return done, 0, (Note("vectors_left", why),)
    return done, _lend(stylus, vectors, places, request.chroma, progress), ()


def _why_not(stylus: Stylus, vectors: PublishedVectors, done: Imported) -> str:
    if vectors.rows != done.read:
        return (
            f"There are {vectors.rows:,} published vectors and {done.read:,} records, so that"
            " nobody can say whose they are; none was taken."
        )
    if vectors.model == MODEL and fits(stylus.settings.encoder):
        return ""
    return (
        f"The published vectors were made by {vectors.model} and stay where they are: prompts are"
        f" embedded by {stylus.settings.encoder.model}. They are used with an encoder.endpoint that"
        f" has {MODEL}, at all of its {DIMENSIONS:,} dimensions; import again then."
    )


def _lend(
    stylus: Stylus,
    vectors: PublishedVectors,
    places: list[tuple[int, AdapterKey]],
    chroma: bool,
    progress: Progress,
) -> int:
    index = stylus.index
    if chroma or not isinstance(index, LentIndex):
        prints = [index.fingerprints(view) for view in VIEWS]
        lent = index.lent() if isinstance(index, LentIndex) else {}
        have = {
            key: tuple(of.get(key, "") for of in prints) for key in prints[0] if key not in lent
        }
        return LendVectors(stylus.shop, stylus.embed.made_from, have)(
            vectors, places, into(index.write), progress
        )
    return LendVectors(stylus.shop, stylus.embed.made_from, index.lent())(
        vectors, places, index.lend, progress
    )
