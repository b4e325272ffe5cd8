"""The catalogue service: reads sources into the catalogue, keeps its vectors up to date and looks
entries up.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock

from stylus_ext.catalogue.embed import EmbedCatalogue
from stylus_ext.catalogue.embedders import QuestionEmbedder
from stylus_ext.catalogue.on_disk import Inventories, NamesOnDisk, OnDisk
from stylus_ext.catalogue.refine.rules import CardRefiner
from stylus_ext.catalogue.refresh import HashFiles, Ingest, RefreshCatalogue, Refreshed
from stylus_ext.catalogue.sources.local.scan import LoraFolder, digests_of
from stylus_ext.catalogue.sources.pictures.learn import PictureSource
from stylus_ext.catalogue.sources.starter import StarterCatalogue
from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.adapter_type import LORA, NO_OTHERS, OtherFolders
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.counted import counted
from stylus_ext.core.entry import Entry
from stylus_ext.core.errors import DeadlineExceeded, InvalidInput, Note, StoreProblem, Unavailable
from stylus_ext.core.feedback import Verdict, known_as
from stylus_ext.core.generation import FolderState
from stylus_ext.core.ports import Embedder, Progress
from stylus_ext.core.recipes import Recipe, renamed
from stylus_ext.engine.encoders import AnyIndex
from stylus_ext.selection.plan import Deadline

logger = logging.getLogger(__name__)

STARTER = Path(__file__).resolve().parent.parent / "data" / "starter.jsonl"
_STARTER_MARK = "starter.sha256"
_TICK_S = 0.1
_ABOUT_FILES = frozenset(
    {"file_damaged", "file_unreadable", "folder_unreadable", "file_name"}
    | {"not_a_lora", "not_an_embedding"}
)
_MOST_IN_A_PLAN = 3
"""Notes about files in a plan; Status lists more of them."""
LORA_FOLDER = "the folder where your LoRAs are, such as models/Lora"
PICTURE_FOLDER = "a folder of pictures that you made, such as the WebUI's outputs"


def few_file_notes(notes: Sequence[Note], most: int) -> list[Note]:
    """The notes, but of those about files only the first, and how many more there are."""
    about = [note for note in notes if note.code in _ABOUT_FILES]
    rest = about[most:]
    if not rest:
        return list(notes)
    text = f"{counted(len(rest), 'more file')} could not be read; see Status, or `doctor --files`."
    dropped = set(rest)
    return [*(note for note in notes if note not in dropped), Note("more_files", text)]


def checked_folder(folder: str, wanted: str = LORA_FOLDER) -> Path:
    """The absolute path of an existing folder; `wanted` describes it in the error message."""
    if not folder.strip():
        raise InvalidInput(f"A folder has an empty name. Name {wanted}.")
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise InvalidInput(f"There is no folder {path}. Name {wanted}.")
    return path.resolve()


def checked_folders(folders: Sequence[str]) -> list[str]:
    """LoRA folders as the catalogue stores their paths."""
    return [str(checked_folder(folder)) for folder in folders]


@dataclass(frozen=True, slots=True)
class FoldersRead:
    """What became of the folders, and of the index over the whole catalogue."""

    state: FolderState = FolderState.NONE
    notes: tuple[Note, ...] = ()
    index_complete: bool = True


@dataclass(frozen=True, slots=True)
class _DeadlineProgress:
    """Ends work when its deadline has passed."""

    progress: Progress
    deadline: Deadline

    def report(self, step: str, done: int, total: int | None = None) -> None:
        self.deadline.check(f"{step} was over")
        self.progress.report(step, done, total)


class Catalogue:
    """The store, its vector index and what changes them.

    Hold `write_lock` while changing more than one entry.
    """

    def __init__(
        self,
        folder: Path,
        store: SqliteStore,
        index: AnyIndex,
        embedder: Embedder,
        questions: QuestionEmbedder,
    ) -> None:
        self.folder = folder
        self._reported: set[Note] = set()
        self.store = store
        self.index = index
        self.embedder = embedder
        self.questions = questions
        self.write_lock = RLock()
        self.refresh = RefreshCatalogue(store, CardRefiner())
        self.embed = EmbedCatalogue(store, index, embedder)
        self.ingest = Ingest(store, self.refresh, self.embed, self.write_lock, store.memory)
        self.names = NamesOnDisk(store)
        self.on_disk = OnDisk(store)
        self._file_notes: dict[tuple[str, ...], tuple[Note, ...]] = {}
        self.inventories = Inventories(store, self.on_disk.by_type, self.names)
        self.hash_files = HashFiles(
            store,
            self.refresh,
            lambda file, progress: digests_of(Path(file.path), progress),
            self.write_lock,
        )

    def load_starter(self, progress: Progress) -> None:
        """Loads the starter catalogue, unless this version of it was loaded before."""
        mark = self.folder / _STARTER_MARK
        try:
            wanted = f"{self.store.identity} {hashlib.sha256(STARTER.read_bytes()).hexdigest()}"
            with self.write_lock:
                if not mark.exists() or mark.read_text("utf-8", "replace") != wanted:
                    self.refresh(StarterCatalogue(STARTER), progress)
                    mark.write_text(wanted, "utf-8")
        except OSError as error:
            raise StoreProblem(
                f"{error.filename or mark} cannot be read or written: {error.strerror or error}."
                " Check that folder."
            ) from error

    def prepare(self, progress: Progress) -> None:
        """Loads the starter catalogue and makes all missing vectors."""
        with self.write_lock:
            self.load_starter(progress)
            self.update_vectors(progress)

    def update_vectors(self, progress: Progress) -> tuple[int, tuple[Note, ...]]:
        """Makes missing vectors and returns their number.

        While the encoder does not answer, none is made and a note says so.
        """
        problem = "" if self.embed.is_current() else self.questions.unavailable_reason()
        if not problem:
            try:
                return self.embed(progress), ()
            except DeadlineExceeded:
                raise
            except Unavailable as error:
                problem = str(error)
        logger.warning("no vectors: %s", problem)
        text = f"New entries are found by their words alone for now: {problem}"
        return 0, (Note("no_encoder", text),)

    def notes(self) -> tuple[Note, ...]:
        """Notes about repairs of the store and the index since they were opened."""
        return (*self.store.notes, *self.index.notes)

    def new_notes(self) -> list[Note]:
        """The notes that no earlier call returned."""
        new = [note for note in self.notes() if note not in self._reported]
        self._reported.update(new)
        return new

    @property
    def file_notes(self) -> tuple[Note, ...]:
        """What the last reading of each folder found wrong with files; each reading finds all."""
        found = (note for notes in tuple(self._file_notes.values()) for note in notes)
        return tuple(dict.fromkeys(found))

    def index_folders(
        self, folders: Sequence[str], progress: Progress, others: OtherFolders = NO_OTHERS
    ) -> Refreshed:
        """Reads folders of LoRAs, and of other types; unchanged files are skipped."""
        wanted = {LORA: folders, **others}
        sources = {
            tuple(of_type): LoraFolder(list(map(checked_folder, of_type)), adapter_type)
            for adapter_type, of_type in wanted.items()
            if of_type
        }
        refreshed = Refreshed()
        with self.write_lock:
            for of_type, source in sources.items():
                read = self.refresh(source, progress)
                self._file_notes[of_type] = tuple(
                    note for note in read.notes if note.code in _ABOUT_FILES
                )
                refreshed += read
            vectors, notes = self.update_vectors(progress)
        return replace(refreshed, vectors=vectors, notes=(*refreshed.notes, *notes))

    def read_folders(
        self,
        folders: Sequence[str],
        progress: Progress,
        deadline: Deadline,
        *,
        wait: bool,
        others: OtherFolders = NO_OTHERS,
    ) -> FoldersRead:
        """Reads what is new in time; `wait` waits for whatever else changes the catalogue."""
        state, notes = FolderState.NONE, list[Note]()
        if folders or others:
            state, notes = self._read_in_time(folders, others, progress, deadline, wait)
        partial = self.embed.note()
        if partial is not None:
            notes.append(partial)
        return FoldersRead(state, tuple(notes), partial is None)

    def _read_in_time(
        self,
        folders: Sequence[str],
        others: OtherFolders,
        progress: Progress,
        deadline: Deadline,
        wait: bool,
    ) -> tuple[FolderState, list[Note]]:
        if not self._locked(progress, deadline, wait):
            text = "The catalogue is being updated; this plan used its previous state."
            return FolderState.BUSY, [Note("busy", text)]
        try:
            read = self.index_folders(folders, _DeadlineProgress(progress, deadline), others)
        except DeadlineExceeded as error:
            note = Note("late", f"The LoRA folder was not read completely: {error}")
            return FolderState.LATE, [note]
        finally:
            self.write_lock.release()
        return FolderState.READ, few_file_notes(read.notes, _MOST_IN_A_PLAN)

    def _locked(self, progress: Progress, deadline: Deadline, wait: bool) -> bool:
        if self.write_lock.acquire(blocking=False):
            return True
        while wait and deadline.left() != 0.0:
            if self.write_lock.acquire(timeout=_TICK_S):
                return True
            progress.report("waiting for the catalogue", 0)  # ends the wait when the engine stops
        return False

    def learn(
        self,
        folders: Sequence[str],
        progress: Progress,
        verdicts: Sequence[Verdict] = (),
        recipes: Sequence[Recipe] = (),
    ) -> Refreshed:
        """Reads the user's own pictures for what they show about the adapters on disk.

        Verdicts and recipes say what the user thinks of Stylus' choices in them.
        """
        paths = [checked_folder(folder, PICTURE_FOLDER) for folder in folders]
        used = [adapter.key for recipe in recipes for adapter in recipe.adapters]
        keys = self.store.resolve({*used, *(verdict.key for verdict in verdicts)})
        kept = [renamed(recipe, keys) for recipe in recipes]
        judged = known_as(verdicts, keys)
        with self.write_lock:
            source = PictureSource(paths, self.names(), judged, kept, self.store.stated)
            refreshed = self.refresh(source, progress)
            self.store.uses.replace([str(path) for path in paths], source.uses)
        return refreshed

    def available(self, folders: Sequence[str]) -> dict[AdapterKey, str]:
        """File stems of the LoRAs in these folders, or in any folder, by key."""
        return self.on_disk(checked_folders(folders))

    def available_by_type(
        self, folders: Sequence[str], others: OtherFolders = NO_OTHERS
    ) -> Mapping[str, Mapping[AdapterKey, str]]:
        """By type the file stems of the adapters in these folders, or in any folder, by key."""
        every = [*folders, *(folder for of_type in others.values() for folder in of_type)]
        return self.on_disk.by_type(checked_folders(every) if folders else ())

    def entry(self, name: str) -> Entry:
        """Finds an entry by any of its keys, its file's stem or the alias in its file."""
        try:
            key = AdapterKey.parse(name)
        except InvalidInput:
            others = self.on_disk.by_type()
            stems = {stem: key for of_type in others.values() for key, stem in of_type.items()}
            key = self.names().key(name) or stems.get(name) or AdapterKey.path(name)
        found = self.store.read([key])
        if key not in found:
            raise InvalidInput(
                f"The catalogue has no adapter {name!r}. Search for it to see its key."
            )
        return found[key]
