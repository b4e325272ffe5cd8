"""Everything a user can ask for, over one data folder; the wiring has put it together."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import RLock

from stylus_ext.app.embed_catalogue import EmbedCatalogue
from stylus_ext.app.fetch_missing import FetchMissing, FetchReport
from stylus_ext.app.find_recipes import FindRecipes
from stylus_ext.app.hash_files import HashFiles
from stylus_ext.app.inventory import Inventories
from stylus_ext.app.library import NamesOnDisk, OnDisk
from stylus_ext.app.plan_prompt import PlanPrompt, PlanRequest
from stylus_ext.app.refresh_catalogue import RefreshCatalogue, Refreshed
from stylus_ext.app.settle import settle
from stylus_ext.app.wiring_chat import ChatAccess
from stylus_ext.app.wiring_civitai import CivitaiAccess
from stylus_ext.app.wiring_downloads import Downloads
from stylus_ext.app.wiring_hugging_face import HuggingFaceAccess
from stylus_ext.app.wiring_keys import Keys
from stylus_ext.app.wiring_pictures import CardPictures
from stylus_ext.app.workshop import Workshop
from stylus_ext.backends.embedders import QuestionEmbedder
from stylus_ext.backends.lora_folder.scan import LoraFolder
from stylus_ext.backends.pictures.source import Pictures
from stylus_ext.backends.starter import StarterCatalogue
from stylus_ext.backends.vector_index import ChromaIndex
from stylus_ext.core.browsing import Tallies
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.description import Entry
from stylus_ext.core.errors import DeadlineExceeded, InvalidInput, Note, StoreProblem, Unavailable
from stylus_ext.core.ports import (
    CardSource,
    Composer,
    Embedder,
    Progress,
    Retriever,
    Store,
    VectorIndex,
)
from stylus_ext.core.recipes import Recipes
from stylus_ext.core.settings import Settings
from stylus_ext.core.verdicts import Verdicts

logger = logging.getLogger(__name__)

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
    verdicts: Verdicts
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
    shop: Workshop
    civitai: CivitaiAccess
    hugging_face: HuggingFaceAccess
    downloads: Downloads
    pictures: CardPictures
    told: set[Note] = field(default_factory=set)

    def stock(self, progress: Progress) -> None:
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
            self.stock(progress)
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
        settle()

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
            return self.refresh(Pictures(self.picture_folders(folders), self.names()), progress)

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
