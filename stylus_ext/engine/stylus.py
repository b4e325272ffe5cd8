"""Everything a user can ask for, over one data folder; the wiring has put it together."""

from __future__ import annotations

import gc
import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import RLock

from stylus_ext.catalogue.embed import EmbedCatalogue
from stylus_ext.catalogue.embedders import (
    EndpointEmbedder,
    NotingRetriever,
    QuestionEmbedder,
    embedder_for,
)
from stylus_ext.catalogue.on_disk import Inventories, NamesOnDisk, OnDisk
from stylus_ext.catalogue.refine.rules import CardRefiner
from stylus_ext.catalogue.refresh import HashFiles, Ingest, RefreshCatalogue, Refreshed
from stylus_ext.catalogue.sources.local.scan import LoraFolder, digests_of
from stylus_ext.catalogue.sources.pictures.learn import PictureSource
from stylus_ext.catalogue.sources.starter import StarterCatalogue
from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.catalogue.vectors import ChromaIndex, LateIndex, remembered_dimensions
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import Entry
from stylus_ext.core.errors import DeadlineExceeded, InvalidInput, Note, StoreProblem, Unavailable
from stylus_ext.core.feedback import Feedback
from stylus_ext.core.ports import (
    CardSource,
    Composer,
    Embedder,
    Progress,
    Retriever,
    Store,
    Tallies,
    VectorIndex,
)
from stylus_ext.core.recipes import Recipes
from stylus_ext.core.settings import Settings
from stylus_ext.downloads.fetch import FetchMissing, FetchReport
from stylus_ext.engine.language_model import ChatAccess
from stylus_ext.engine.resources import (
    CardPictures,
    DownloadService,
    encoder_key,
    reranker_of,
    with_lent,
)
from stylus_ext.engine.services import CivitaiAccess, HuggingFaceAccess, Keys
from stylus_ext.selection.correct import FeedbackComposer
from stylus_ext.selection.plan import PlanPrompt, PlanRequest
from stylus_ext.selection.recipes import FindRecipes
from stylus_ext.selection.retrieve import retriever_for

logger = logging.getLogger(__name__)


def freeze_gc() -> None:
    """For a process of our own, when what it works with is loaded: else the collector walks through
    all of it again and again, a third of a second each time, in the midst of a plan. What was taken
    out before and is garbage by now goes first.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


STARTER = Path(__file__).resolve().parent.parent / "data" / "starter.jsonl"
_STARTER_MARK = "starter.sha256"


_LORAS = "the folder where your LoRAs are, such as models/Lora"
PICTURES = "a folder of pictures that you made, such as the WebUI's outputs"


@dataclass(frozen=True, slots=True)
class Stylus:
    """Everything a user can ask for, over one data folder. Whoever changes the catalogue by more
    than one entry holds `changing`.
    """

    folder: Path
    settings: Settings
    store: Store
    index: VectorIndex
    embedder: Embedder
    questions: QuestionEmbedder
    plan: PlanPrompt
    retrievers: Callable[[str], Retriever]
    composers: Callable[[str], Composer]
    verdicts: Feedback
    chat: ChatAccess
    refresh: RefreshCatalogue
    embed: EmbedCatalogue
    hash_files: HashFiles
    changing: RLock
    on_disk: OnDisk
    inventories: Inventories
    names: NamesOnDisk
    fresh_index: Callable[[Path], ChromaIndex]
    notes: Callable[[], tuple[Note, ...]]
    close: Callable[[], None]
    keys: Keys
    tallies: Tallies
    recipes: Recipes
    find_recipes: FindRecipes
    shop: Ingest
    civitai: CivitaiAccess
    hugging_face: HuggingFaceAccess
    downloads: DownloadService
    pictures: CardPictures
    told: set[Note] = field(default_factory=set)

    def load_starter(self, progress: Progress) -> None:
        """Takes in the starter catalogue where it is new."""
        mark = self.folder / _STARTER_MARK
        try:
            wanted = f"{self.store.identity} {hashlib.sha256(STARTER.read_bytes()).hexdigest()}"
            with self.changing:
                if not mark.exists() or mark.read_text("utf-8", "replace") != wanted:
                    self.refresh(StarterCatalogue(STARTER), progress)
                    mark.write_text(wanted, "utf-8")
        except OSError as error:
            raise StoreProblem(
                f"{error.filename or mark} cannot be read or written: {error.strerror or error}."
                " Check that folder."
            ) from error

    def prepare(self, progress: Progress) -> None:
        """The starter catalogue, and the vectors in step with all that there is."""
        with self.changing:
            self.load_starter(progress)
            self.bring_in_step(progress)

    def bring_in_step(self, progress: Progress) -> tuple[int, tuple[Note, ...]]:
        """How many vectors were made. What an encoder that does not answer leaves undone is made
        the next time.
        """
        why = "" if self.embed.in_step() else self.questions.away()
        if not why:
            try:
                return self.embed(progress), ()
            except DeadlineExceeded:
                raise
            except Unavailable as problem:
                why = str(problem)
        logger.warning("no vectors: %s", why)
        return 0, (Note("no_encoder", f"What is new is found by its words alone for now: {why}"),)

    def warm(self) -> None:
        """Plans something, so that the first prompt does not wait for what is loaded once; what is
        loaded by then stays, undisturbed. Nothing leaves the machine for it.
        """
        if not self.settings.encoder.endpoint:
            self.plan(PlanRequest("a photo of a cat"))
            self.names()
        freeze_gc()

    def news(self) -> list[Note]:
        """What opening had to do, or writing since, each said once."""
        fresh = [note for note in self.notes() if note not in self.told]
        self.told.update(fresh)
        return fresh

    def index_folders(self, folders: Sequence[str], progress: Progress) -> Refreshed:
        """Reads LoRA folders; what did not change since the last time costs nothing."""
        source: CardSource = LoraFolder([checked_folder(folder) for folder in folders])
        with self.changing:
            refreshed = self.refresh(source, progress)
            vectors, notes = self.bring_in_step(progress)
            return replace(refreshed, vectors=vectors, notes=(*refreshed.notes, *notes))

    def folders(self, folders: Sequence[str]) -> list[str]:
        """As the catalogue writes them; one that is not there is named."""
        return [str(checked_folder(folder)) for folder in folders]

    def fetch(
        self, entries: Sequence[Entry], folders: Sequence[str], progress: Progress
    ) -> FetchReport:
        """Fetches their files into the first of these folders; what lies in any of them is not
        fetched again.
        """
        hashes = {file.path: file.sha256 for file in self.store.files().values() if file.sha256}
        with self.downloads.into(folders, self.names().aliases.keys, lambda: hashes) as downloader:
            return FetchMissing(downloader, self.downloads.rules.at_once)(
                [entry.card for entry in entries], progress
            )

    def reachable(self, folders: Sequence[str]) -> dict[AdapterKey, str]:
        """What lies on disk, in these folders or anywhere, by the stem of its file."""
        return self.on_disk(self.folders(folders))

    def picture_folders(self, folders: Sequence[str]) -> list[Path]:
        return [checked_folder(folder, PICTURES) for folder in folders]

    def learn(self, folders: Sequence[str], progress: Progress) -> Refreshed:
        """Reads the user's own pictures, for what they say about the adapters on disk."""
        with self.changing:
            return self.refresh(
                PictureSource(self.picture_folders(folders), self.names()), progress
            )

    def entry(self, text: str) -> Entry:
        """By any of its keys, by the stem of its file, or by the alias in it."""
        try:
            key = AdapterKey.parse(text)
        except InvalidInput:
            key = self.names().key(text) or AdapterKey.path(text)
        found = self.store.read([key])
        if key not in found:
            raise InvalidInput(
                f"The catalogue has no adapter {text!r}. `search` lists what it has, with their"
                " keys."
            )
        return found[key]


def checked_folder(folder: str, wanted: str = _LORAS) -> Path:
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise InvalidInput(f"There is no folder {path}. Name {wanted}.")
    return path.resolve()


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
        return NotingRetriever(found(policy), questions)

    def heeding(name: str) -> Composer:
        return FeedbackComposer(chat.composer(name), store, store.verdicts)

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
        shop=Ingest(store, refresh, embed, changing, store.memory),
        civitai=access,
        hugging_face=hub,
        downloads=DownloadService(folder, settings.downloads, access, hub),
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
