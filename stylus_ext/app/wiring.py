"""The one place that names back ends: a data folder and settings go in, everything a user can ask
for comes out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import RLock

from stylus_ext.app.embed_catalogue import EmbedCatalogue
from stylus_ext.app.find_recipes import FindRecipes
from stylus_ext.app.hash_files import HashFiles
from stylus_ext.app.heed_verdicts import Heeding
from stylus_ext.app.inventory import Inventories
from stylus_ext.app.library import NamesOnDisk, OnDisk
from stylus_ext.app.plan_prompt import PlanPrompt
from stylus_ext.app.refresh_catalogue import RefreshCatalogue
from stylus_ext.app.wiring_chat import ChatAccess
from stylus_ext.app.wiring_civitai import CivitaiAccess
from stylus_ext.app.wiring_downloads import Downloads
from stylus_ext.app.wiring_hugging_face import HuggingFaceAccess
from stylus_ext.app.wiring_imports import with_lent
from stylus_ext.app.wiring_keys import Keys
from stylus_ext.app.wiring_pictures import CardPictures
from stylus_ext.app.wiring_reranker import encoder_key, reranker_of
from stylus_ext.app.wiring_stylus import Stylus
from stylus_ext.app.workshop import Workshop
from stylus_ext.backends.embedders import EndpointEmbedder, Noting, QuestionEmbedder, embedder_for
from stylus_ext.backends.lora_folder.hashing import digests_of
from stylus_ext.backends.refiners.card import CardRefiner
from stylus_ext.backends.retrievers import retriever_for
from stylus_ext.backends.store.sqlite import SqliteStore
from stylus_ext.backends.vector_index import ChromaIndex, LateIndex, remembered_dimensions
from stylus_ext.core.errors import Unavailable
from stylus_ext.core.ports import Composer, Embedder, Retriever
from stylus_ext.core.settings import Settings

_FIRST_LOOK_S = 5.0


def open_stylus(
    folder: Path, settings: Settings, holder: Callable[[], str] | None = None
) -> Stylus:
    """`holder` names who has the data folder when it is locked."""
    store = SqliteStore(folder, holder=holder)
    embedder = embedder_for(settings.encoder, encoder_key(folder, settings.encoder))

    def fresh_index(place: Path) -> ChromaIndex:
        return ChromaIndex(
            place,
            embedder.name,
            embedder.dimensions,
            url=settings.vectors.chroma_url,
            exact_below=settings.vectors.exact_below,
        )

    def close() -> None:
        store.close()
        if isinstance(embedder, EndpointEmbedder):
            embedder.close()

    try:
        questions, own = _encoding(embedder, folder / "vectors", fresh_index)
        index = with_lent(settings.encoder, own, folder / "vectors")
    except BaseException:
        close()
        raise
    chat = ChatAccess(folder, settings.chat)
    refresh, access, hub = (
        RefreshCatalogue(store, CardRefiner()),
        CivitaiAccess(folder, settings),
        HuggingFaceAccess(folder, settings),
    )
    embed = EmbedCatalogue(store, index, embedder)
    changing, pictures = RLock(), CardPictures(folder, settings.downloads)
    names, on_disk = NamesOnDisk(store), OnDisk(store)
    found = retriever_for(
        store, index, questions, folder / "lexical", reranker_of(folder, settings)
    )

    def retrievers(policy: str) -> Retriever:
        return Noting(found(policy), questions)

    def heeding(name: str) -> Composer:
        return Heeding(chat.composer(name), store, store.verdicts)

    return Stylus(
        folder=folder,
        settings=settings,
        store=store,
        index=index,
        embedder=embedder,
        questions=questions,
        plan=PlanPrompt(
            store, retrievers, heeding, lambda: f"{index.mark} {store.verdicts.mark}", names
        ),
        retrievers=retrievers,
        composers=heeding,
        verdicts=store.verdicts,
        chat=chat,
        refresh=refresh,
        embed=embed,
        hash_files=HashFiles(
            store, refresh, lambda file, progress: digests_of(Path(file.path), progress), changing
        ),
        changing=changing,
        on_disk=on_disk,
        inventories=Inventories(store, on_disk, names),
        names=names,
        fresh_index=fresh_index,
        keys=Keys(folder, settings),
        tallies=store.beside.tallies,
        recipes=store.beside.recipes,
        find_recipes=FindRecipes(questions),
        shop=Workshop(store, refresh, embed, changing, store.memory),
        civitai=access,
        hugging_face=hub,
        downloads=Downloads(folder, settings.downloads, access, hub),
        pictures=pictures,
        notes=lambda: (*store.notes, *index.notes),
        close=lambda: _in_turn(index.close, chat.close, pictures.close, close),
    )


def _encoding(
    embedder: Embedder, place: Path, fresh_index: Callable[[Path], ChromaIndex]
) -> tuple[QuestionEmbedder, ChromaIndex | LateIndex]:
    """What makes vectors of prompts, and what they are compared with; a server that does not answer
    shuts nobody out.
    """
    if not isinstance(embedder, EndpointEmbedder):
        return QuestionEmbedder(embedder, lambda: embedder.dimensions, lambda: None), fresh_index(
            place
        )
    questions = QuestionEmbedder(embedder, lambda: embedder.known, embedder.look)
    try:
        embedder.look(_FIRST_LOOK_S)
    except Unavailable as problem:
        embedder.remember(remembered_dimensions(place, embedder.name))
        questions.gone(str(problem))
    if embedder.known:
        return questions, fresh_index(place)
    return questions, LateIndex(lambda: embedder.known, lambda: fresh_index(place))


def _in_turn(*steps: Callable[[], None]) -> None:
    for step in steps:
        step()
