"""A `CardSource` and `Library` over the user's LoRA folders: only what is new or changed is opened,
nothing is written.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from stylus_ext.catalogue.sources.local.facts import (
    StatedFacts,
    folder_facts,
    header_facts,
    joined,
    training_facts,
)
from stylus_ext.catalogue.sources.local.header import BadFile, Header, is_lora, read_header
from stylus_ext.catalogue.sources.local.listing import Found, Listing, list_folders, same_time
from stylus_ext.catalogue.sources.local.sidecars import Subject, read_sidecars
from stylus_ext.core.card import AUTO_V3, AdapterCard, AdapterKey, Digests, LocalFile
from stylus_ext.core.errors import Unavailable
from stylus_ext.core.ports import Progress, Sighting

logger = logging.getLogger(__name__)


SOURCE = "local"


def card_of(
    found: Found, header: Header, stated: Sequence[StatedFacts], sha256: str | None = None
) -> AdapterCard:
    """The card of a file; `sha256` is given if it was computed before. `BadFile` for a file that is
    no LoRA.
    """
    if not is_lora(header.shapes):
        raise BadFile(
            "not_a_lora",
            f"{found.stem}.safetensors is no LoRA and was skipped: it may be a checkpoint, a VAE or"
            " an embedding, which belong in folders of their own.",
        )
    sorted_into = folder_facts(PurePosixPath(found.relative).parts[:-1])
    said = header_facts(header)
    facts = joined([*stated, said, replace(sorted_into, tags=())])
    weak = False
    if not (facts.triggers or facts.tags or facts.text):
        guessed = training_facts(header.metadata)
        weak = bool(guessed.triggers or guessed.tags)
        facts = joined([facts, replace(guessed, tags=(*sorted_into.tags, *guessed.tags))])
    keys = _keys(found, facts, sha256)
    return AdapterCard(
        key=keys[0],
        name=facts.name or found.stem,
        source=SOURCE,
        version=facts.version,
        model_id=facts.model_id,
        base_model=facts.base_model,
        tags=facts.tags,
        triggers=facts.triggers,
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
        auto_v3=said.auto_v3 or facts.auto_v3,  # the host believes the file before all else
        equivalents=tuple(keys[1:]),
    )


def _keys(found: Found, facts: StatedFacts, sha256: str | None) -> list[AdapterKey]:
    """Every key of the file, the best known first. What was computed from the file counts more than
    what was stated.
    """
    keys = []
    if facts.version_id is not None:
        keys.append(AdapterKey.civitai(facts.version_id))
    digest = sha256 or facts.sha256
    if digest:
        keys.append(AdapterKey.sha256(digest))
    keys.append(AdapterKey.path(found.relative))
    return keys


_STEP = "Reading LoRA files"


class LoraFolder:
    """The LoRA files below some folders, as the host sees them."""

    name = "your LoRA folders"

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)
        self._last: Listing | None = None
        self._refused: dict[str, int] = {}

    def cards(self, known: Mapping[str, LocalFile], progress: Progress) -> Iterator[Sighting]:
        """A card for each file that is new or changed, it or a file beside it, since `known` (by
        path) was kept.
        """
        started = time.perf_counter()
        listing = self._list()
        for note in listing.notes:
            yield Sighting(note=note)
        fresh = [file for file in listing.seen.values() if not _same(file, known.get(file.path))]
        for done, file in enumerate(fresh):
            progress.report(_STEP, done, len(fresh))
            yield from self._look(file, known.get(file.path))
        progress.report(_STEP, len(fresh), len(fresh))
        took = (time.perf_counter() - started) * 1000
        logger.info(
            "%d LoRA files, %d of them new or changed, %.0f ms", len(listing.seen), len(fresh), took
        )

    def gone(self, known: Mapping[str, LocalFile]) -> list[str]:
        """The paths of known files that the host cannot load any more: removed, hidden by another,
        or no LoRA now.

        Files in a folder that cannot be read at the moment, such as a network drive, are not called
        gone; nor is what lies in other folders than these, which another source, or another WebUI,
        looks after.
        """
        listing = self._list()
        mine = [folder.absolute() for folder in self._folders]
        seen = {file.path: file.changed_ns for file in listing.seen.values()}
        return [
            path
            for path in known
            if any(Path(path).is_relative_to(folder) for folder in mine)
            and (path not in seen or self._refused.get(path) == seen[path])
            and not any(Path(path).is_relative_to(folder) for folder in listing.unread)
        ]

    def stems(self) -> frozenset[str]:
        """What the host can load, by name. Looks again only when a folder has changed."""
        return frozenset(self._current().seen)

    def hidden(self) -> dict[str, str]:
        """The paths of the files that another with the same stem hides, and what hides each."""
        listing = self._current()
        return {file.path: listing.seen[file.stem].path for file in listing.hidden}

    def _look(self, file: Found, before: LocalFile | None) -> Iterator[Sighting]:
        path = Path(file.path)
        sha256 = _still(file, before)
        try:
            header = read_header(path)
            said = header_facts(header)
            subject = Subject(file.stem, file.size, said.alias, said.auto_v3)
            stated, notes = read_sidecars(path.parent, file.sidecars, subject)
            card = card_of(file, header, stated, sha256)
        except BadFile as error:
            self._refused[file.path] = file.changed_ns
            yield Sighting(note=error.note())
            return
        for note in notes:
            yield Sighting(note=note)
        hashes = [key.value for key in (card.key, *card.equivalents) if key.scheme == "sha256"]
        local = LocalFile(
            file.path, file.stem, file.size, file.changed_ns, next(iter(hashes), None)
        )
        yield Sighting(card=card, file=local)

    def _list(self) -> Listing:
        self._last = list_folders(self._folders)
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


def _same(file: Found, before: LocalFile | None) -> bool:
    return before is not None and (before.size, before.mtime_ns) == (file.size, file.changed_ns)


def _still(file: Found, before: LocalFile | None) -> str | None:
    """The hash computed before, if only something beside the file has changed since."""
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
    """Both hashes in one reading. Reports after each chunk, so that it can be stopped;
    `Unavailable` if the file changes.
    """
    start = read_header(path).start
    whole, tensors = hashlib.sha256(), hashlib.sha256()
    try:
        before = path.stat()
        with path.open("rb") as file:
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
            f"{path.name} could not be hashed: {error.strerror}. It will be tried again."
        ) from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise Unavailable(f"{path.name} changed while it was hashed. It will be tried again.")
    return Digests(whole.hexdigest(), tensors.hexdigest()[:AUTO_V3])


def sha256_of(path: Path, progress: Progress) -> str:
    """The SHA256 of the file."""
    return digests_of(path, progress).sha256


def unhashed(files: Iterable[LocalFile]) -> list[LocalFile]:
    """The files whose hash nobody knows yet, small ones first."""
    return sorted(
        (file for file in files if file.sha256 is None), key=lambda file: (file.size, file.path)
    )
