"""Folders of adapters as a card source: opens only new and changed files, and writes nothing.

Pickles (.pt, .bin) are never opened: of them only name, size and sidecars are known.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath, PurePosixPath

from stylus_ext.catalogue.sources.local.facts import (
    StatedFacts,
    folder_facts,
    header_facts,
    merge_facts,
    training_facts,
)
from stylus_ext.catalogue.sources.local.file_types import (
    ADAPTER,
    EMBEDDING,
    OTHER,
    FileType,
    embedding_family,
    type_of,
)
from stylus_ext.catalogue.sources.local.header import BadLoraFile, Header, read_header
from stylus_ext.catalogue.sources.local.listing import (
    SUFFIX,
    Found,
    Listing,
    list_folders,
    same_time,
)
from stylus_ext.catalogue.sources.local.sidecars import Subject, read_sidecars
from stylus_ext.core import adapter_type as types
from stylus_ext.core.card import AUTO_V3, AdapterCard, AdapterKey, Digests, LocalFile
from stylus_ext.core.errors import Note, Unavailable
from stylus_ext.core.family import UNKNOWN
from stylus_ext.core.files import open_regular
from stylus_ext.core.ports import Progress, Sighting

logger = logging.getLogger(__name__)


SOURCE = "local"
SUFFIXES = {
    types.LORA: (SUFFIX,),
    types.EMBEDDING: (SUFFIX, ".pt", ".bin"),
    types.HYPERNETWORK: (".pt",),
}
"""The files that the WebUI loads from the folders of each type."""
_PICKLE = Header({}, {}, 0)


def card_of(
    found: Found,
    header: Header,
    stated: Sequence[StatedFacts],
    sha256: str | None = None,
    adapter_type: str = types.LORA,
) -> AdapterCard:
    """The card of a file, whose `sha256` may be known; raises `BadLoraFile` for other files."""
    file_type = type_of(header.shapes, header.metadata)
    if is_pickle(found.path):
        file_type = FileType(adapter_type)
    elif adapter_type == types.LORA:
        check_is_adapter(found.stem, file_type)
    else:
        check_is_embedding(found.stem, file_type)
    sorted_into = folder_facts(PurePosixPath(found.relative).parts[:-1])
    in_header = header_facts(header)
    if file_type.name == EMBEDDING and (width := embedding_family(header.shapes)) != UNKNOWN:
        in_header = replace(in_header, base_model=width)
    facts = merge_facts([*stated, in_header, replace(sorted_into, tags=())])
    weak = False
    if not (facts.triggers or facts.tags or facts.text):
        guessed = training_facts(header.metadata)
        weak = bool(guessed.triggers or guessed.tags)
        facts = merge_facts([facts, replace(guessed, tags=(*sorted_into.tags, *guessed.tags))])
    keys = _keys(found, facts, sha256, adapter_type)
    name = facts.name or found.stem
    is_embedding = adapter_type == types.EMBEDDING
    return AdapterCard(
        key=keys[0],
        name=name,
        source=SOURCE,
        version=facts.version,
        model_id=facts.model_id,
        base_model=facts.base_model,
        tags=facts.tags,
        triggers=_with_embeddings(facts.triggers, file_type.embeddings),
        text=facts.text,
        examples=facts.examples,
        images=facts.images,
        preview=found.preview,
        weight=facts.weight,
        negative_text=facts.negative_text,
        downloads=facts.downloads,
        rating=facts.rating,
        nsfw=facts.nsfw,
        weak=weak,
        creator=facts.creator,
        licence=facts.licence,
        alias=facts.alias,
        auto_v3=in_header.auto_v3 or facts.auto_v3,  # as the WebUI does
        equivalents=tuple(keys[1:]),
        type=adapter_type,
        negative=is_embedding
        and (facts.negative or types.is_negative(found.stem, facts.tags, facts.text)),
    )


def is_pickle(path: str) -> bool:
    return not path.lower().endswith(SUFFIX)


def _with_embeddings(triggers: tuple[str, ...], embeddings: Sequence[str]) -> tuple[str, ...]:
    """The triggers, with the words of the file's own embeddings in the first group."""
    words = {word.strip() for group in triggers for word in group.split(",")}
    missing = [name for name in embeddings if name not in words]
    if not missing:
        return triggers
    return (", ".join([*missing, *triggers[:1]]), *triggers[1:])


def check_is_adapter(stem: str, file_type: FileType) -> None:
    """Raise `BadLoraFile` for other files, with what they are."""
    if file_type.name == ADAPTER:
        return
    article = "an" if file_type.name == EMBEDDING else "a"
    what = "no LoRA" if file_type.name == OTHER else f"{article} {file_type.name}, no LoRA,"
    raise BadLoraFile(
        "not_a_lora",
        f"{stem}.safetensors is {what} and was skipped. Checkpoints, VAEs, embeddings and others"
        " have their own folders.",
    )


def check_is_embedding(stem: str, file_type: FileType) -> None:
    if file_type.name != EMBEDDING:
        what = "a LoRA" if file_type.name == ADAPTER else "no embedding"
        raise BadLoraFile(
            "not_an_embedding",
            f"{stem}.safetensors is {what} and was skipped: it is in the folder of embeddings.",
        )


def _keys(
    found: Found, facts: StatedFacts, sha256: str | None, adapter_type: str
) -> list[AdapterKey]:
    """The keys of the file, the best known first; a computed hash before a stated one.

    The path of other types begins with their folder, so that a LoRA of that name has another key.
    """
    relative = found.relative
    if adapter_type != types.LORA:
        depth = len(PurePosixPath(relative).parts) + 1
        relative = "/".join(PurePath(found.path).parts[-depth:])
    civitai = [] if facts.version_id is None else [AdapterKey.civitai(facts.version_id)]
    digests = [digest for digest in (sha256 or facts.sha256,) if digest]
    return [*civitai, *map(AdapterKey.sha256, digests), AdapterKey.path(relative)]


class LoraFolder:
    """Implements `CardSource` and `Library` for the files that the WebUI sees in its folders."""

    def __init__(self, folders: Sequence[Path], adapter_type: str = types.LORA) -> None:
        called = types.TYPE_NAMES[adapter_type]
        self.name = f"your {called} folders"
        self._step = f"Reading {called} files"
        self._type = adapter_type
        self._folders = tuple(folders)
        self._last: Listing | None = None
        self._refused: dict[str, int] = {}

    def cards(self, known: Mapping[str, LocalFile], progress: Progress) -> Iterator[Sighting]:
        """A card for each file that is new or changed, itself or a sidecar, since `known`."""
        started = time.perf_counter()
        listing = self._list()
        for note in listing.notes:
            yield Sighting(note=note)
        before = {
            path: (file.size, file.mtime_ns)
            for path, file in known.items()
            if file.formats is not None
        }
        fresh = [
            file
            for file in listing.seen.values()
            if before.get(file.path) != (file.size, file.changed_ns)
        ]
        for done, file in enumerate(fresh):
            progress.report(self._step, done, len(fresh))
            yield from self._read(file, known.get(file.path))
        progress.report(self._step, len(fresh), len(fresh))
        if any(is_pickle(file.path) for file in fresh):
            yield Sighting(note=_PICKLES)
        took = (time.perf_counter() - started) * 1000
        logger.info(
            "%d %s files, %d of them new or changed, %.0f ms",
            len(listing.seen),
            types.TYPE_NAMES[self._type],
            len(fresh),
            took,
        )

    def gone(self, known: Mapping[str, LocalFile]) -> list[str]:
        """The paths of known files that were removed, are hidden now, or are no LoRAs any more.

        Not those in unreadable folders, such as an absent network drive, nor in folders of other
        sources or WebUIs.
        """
        listing = self._list()
        own = [folder.absolute() for folder in self._folders]
        seen = {file.path: file.changed_ns for file in listing.seen.values()}
        return [
            path
            for path in known
            if any(Path(path).is_relative_to(folder) for folder in own)
            and (path not in seen or self._refused.get(path) == seen[path])
            and not any(Path(path).is_relative_to(folder) for folder in listing.unread)
        ]

    def stems(self) -> frozenset[str]:
        """The names that the WebUI can load; lists again only if a folder has changed."""
        return frozenset(self._current().seen)

    def hidden(self) -> dict[str, str]:
        """The paths of hidden files, each with the path that hides it."""
        listing = self._current()
        return {file.path: listing.seen[file.stem].path for file in listing.hidden}

    def _read(self, file: Found, before: LocalFile | None) -> Iterator[Sighting]:
        path = Path(file.path)
        sha256 = _unchanged_hash(file, before)
        try:
            header = _PICKLE if is_pickle(file.path) else read_header(path)
            facts = header_facts(header)
            subject = Subject(file.stem, file.size, facts.alias, facts.auto_v3)
            stated, notes = read_sidecars(path.parent, file.sidecars, subject)
            card = card_of(file, header, stated, sha256, self._type)
        except BadLoraFile as error:
            self._refused[file.path] = file.changed_ns
            yield Sighting(note=error.note())
            return
        for note in notes:
            yield Sighting(note=note)
        hashes = [key.value for key in (card.key, *card.equivalents) if key.scheme == "sha256"]
        local = LocalFile(
            file.path,
            file.stem,
            file.size,
            file.changed_ns,
            next(iter(hashes), None),
            tuple(sorted(type_of(header.shapes, header.metadata).formats)),
        )
        yield Sighting(card=card, file=local)

    def _list(self) -> Listing:
        self._last = list_folders(self._folders, SUFFIXES[self._type])
        return self._last

    def _current(self) -> Listing:
        last = self._last
        if (
            last is None
            or last.unread
            or any(_mtime(folder) != mtime for folder, mtime in last.folders.items())
        ):
            return self._list()
        return last


_PICKLES = Note(
    "pickles",
    "Files ending in .pt or .bin can run code when they are opened, so Stylus does not open them:"
    " it knows their names, sizes and side files only.",
)


def _unchanged_hash(file: Found, before: LocalFile | None) -> str | None:
    """The known hash, if only the sidecars have changed since."""
    if (
        before is None
        or before.size != file.size
        or not same_time(file.changed_ns, before.mtime_ns)
    ):
        return None
    return before.sha256


def _mtime(folder: str) -> int:
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return -1


_CHUNK = 4 * 1024 * 1024


def digests_of(path: Path, progress: Progress) -> Digests:
    """Both hashes in one pass; raises `Unavailable` if the file changes meanwhile.

    Reports after each chunk, so that it can be cancelled. A pickle has no AutoV3.
    """
    pickled = is_pickle(path.name)
    start = 0 if pickled else read_header(path).start
    whole, tensors = hashlib.sha256(), hashlib.sha256()
    try:
        before = path.stat()
        with open_regular(path) as file:
            beginning = file.read(start)
            whole.update(beginning)
            done = len(beginning)
            while chunk := file.read(_CHUNK):
                whole.update(chunk)
                tensors.update(chunk)
                done += len(chunk)
                progress.report(f"Hashing {path.name}", done, before.st_size)
        after = path.stat()
    except OSError as error:
        raise Unavailable(
            f"{path.name} could not be hashed: {error.strerror}. It will be retried."
        ) from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise Unavailable(f"{path.name} changed while it was hashed. It will be retried.")
    return Digests(whole.hexdigest(), "" if pickled else tensors.hexdigest()[:AUTO_V3])
