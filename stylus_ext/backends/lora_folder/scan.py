"""A `CardSource` and `Library` over the user's LoRA folders: only what is new or changed is opened,
nothing is written.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stylus_ext.backends.lora_folder.cards import card_of
from stylus_ext.backends.lora_folder.header_facts import header_facts
from stylus_ext.backends.lora_folder.listing import Found, Listing, list_folders, same_time
from stylus_ext.backends.lora_folder.sidecars import read_sidecars
from stylus_ext.backends.statements.civitai_json import Subject
from stylus_ext.backends.statements.header import BadFile, read_header
from stylus_ext.core.card import LocalFile
from stylus_ext.core.ports import Progress, Sighting

logger = logging.getLogger(__name__)

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
