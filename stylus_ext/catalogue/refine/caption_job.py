"""Descriptions from pictures: which adapters need one, their captions, and the descriptions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from stylus_ext.catalogue.refine.captions import described, fingerprint, lacks_text
from stylus_ext.catalogue.refine.rules import CardRefiner
from stylus_ext.catalogue.store.captions import SeenFile
from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.adapter_type import LORA
from stylus_ext.core.captions import CaptionReport, Captions, CaptionTarget, Uncaptioned
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import BY_CAPTIONS, BY_RULES, Entry
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Progress
from stylus_ext.core.refining import NotRefined

MOST_PICTURES = 6
_LARGEST = 64 * 1024 * 1024
_READ = 500
_SHA256 = re.compile("[0-9a-f]{64}")


class CaptionCatalogue:
    """Stores each caption when it arrives, so that a killed job loses one picture at most.

    Captions belong to the content of a picture. Texts of the user and of better refiners stay.
    """

    def __init__(
        self, store: SqliteStore, folder: Path, changing: AbstractContextManager[object]
    ) -> None:
        """`folder` is the data folder, in which the pictures of probes are."""
        self._store, self._folder, self._changing = store, folder, changing
        self._rules = CardRefiner()

    def report(self, interrogators: Sequence[str], progress: Progress) -> CaptionReport:
        """What there is to do with these interrogators."""
        targets: list[CaptionTarget] = []
        known = edited = pictureless = 0
        for entry in self._wordless(progress):
            if entry.edits.text is not None:
                edited += 1
                continue
            pictures = self.pictures(entry)
            target = self._target(entry, pictures, interrogators)
            pictureless += not pictures
            if target is not None:
                targets.append(target)
            else:
                known += bool(pictures)
        return CaptionReport(tuple(targets), known, edited, pictureless)

    def pictures(self, entry: Entry) -> list[str]:
        """Its pictures on this machine: preview, examples, the user's own, a probe's."""
        card = entry.card
        newest = self._store.uses.history(entry.key, MOST_PICTURES).newest
        probed = entry.probe.preview if entry.probe is not None else ""
        paths = (
            card.preview,
            *(example.image for example in card.examples),
            *(use.path for use in newest),
            str(self._folder / probed) if probed else "",
        )
        files = [path for path in dict.fromkeys(paths) if path and _file(path) is not None]
        return files[:MOST_PICTURES]

    def captions(self, entry: Entry) -> list[Captions]:
        """The stored captions of its pictures, whatever describes it now."""
        return self._captions(self.pictures(entry))

    def known(self, key: AdapterKey, path: str, sha256: str) -> list[str]:
        """Interrogators that have seen this content, which is now known by its path."""
        file = self._checked(key, path, sha256)
        self._store.captions.keep(path, file, {})
        return sorted(self._store.captions.of([sha256]).get(sha256, {}))

    def keep(self, key: AdapterKey, path: str, sha256: str, captions: Captions) -> None:
        """Store captions of a picture; an empty `sha256` marks a file that is no picture."""
        file = self._checked(key, path, sha256)
        self._store.captions.keep(path, file, captions if sha256 else {})

    def describe(self, key: AdapterKey) -> bool:
        """Write the description that the stored captions give; False if there is none to write."""
        with self._changing:
            entry = self._store.read([key]).get(key)
            if entry is None or not _is_wordless(entry) or entry.edits.text is not None:
                return False
            captions = self.captions(entry)
            try:
                made = described(self._rules.refine(entry.card), entry.card, captions)
            except NotRefined:
                return False
            if made == entry.description:
                return False
            self._store.write([replace(entry, description=made)])
        return True

    def _wordless(self, progress: Progress) -> Iterator[Entry]:
        """LoRAs on disk whose cards say nothing."""
        keys = sorted(set(self._store.owners().values()))
        for start in range(0, len(keys), _READ):
            progress.report("looking for pictures", start, len(keys))
            entries = self._store.read(keys[start : start + _READ])
            yield from (entry for entry in entries.values() if _is_wordless(entry))

    def _target(
        self, entry: Entry, pictures: Sequence[str], interrogators: Sequence[str]
    ) -> CaptionTarget | None:
        seen = self._current(pictures)
        known = self._store.captions.of(file.sha256 for file in seen.values() if file.sha256)
        lacking = []
        for path in pictures:
            file = seen.get(path)
            if file is None or file.sha256:
                have = known.get(file.sha256, {}) if file else {}
                lacks = tuple(name for name in interrogators if name not in have)
                if lacks:
                    lacking.append(Uncaptioned(path, lacks))
        if not lacking and not self._is_outdated(entry, pictures):
            return None
        return CaptionTarget(entry.key, entry.card.name, tuple(lacking))

    def _is_outdated(self, entry: Entry, pictures: Sequence[str]) -> bool:
        """True if the captions of all pictures are there, and not in the description."""
        captions = self._captions(pictures)
        made_from = fingerprint(entry.card, captions)
        if not captions or entry.description.fingerprint == made_from:
            return False
        try:
            described(entry.description, entry.card, captions)
        except NotRefined:
            return False
        return True

    def _captions(self, pictures: Sequence[str]) -> list[Captions]:
        """The captions of each content; a picture that is there twice counts once."""
        digests = {file.sha256 for file in self._current(pictures).values() if file.sha256}
        return [captions for _, captions in sorted(self._store.captions.of(digests).items())]

    def _current(self, pictures: Sequence[str]) -> dict[str, SeenFile]:
        """The pictures that did not change since they were read."""
        seen = self._store.captions.files(pictures)
        return {
            path: file
            for path, file in seen.items()
            if (now := _file(path)) is not None and now == replace(file, sha256="")
        }

    def _checked(self, key: AdapterKey, path: str, sha256: str) -> SeenFile:
        entry = self._store.read([key]).get(key)
        if entry is None or path not in self.pictures(entry):
            raise InvalidInput(f"{path[:200]!r} is no picture of {key}.")
        if sha256 and not _SHA256.fullmatch(sha256):
            raise InvalidInput("A SHA256 has 64 hexadecimal digits in lower case.")
        file = _file(path)
        if file is None:
            raise InvalidInput(f"{path[:200]!r} cannot be read any more.")
        return replace(file, sha256=sha256)


def _is_wordless(entry: Entry) -> bool:
    return (
        entry.type == LORA
        and entry.description.source in (BY_RULES, BY_CAPTIONS)
        and lacks_text(entry.card)
    )


def _file(path: str) -> SeenFile | None:
    """Size and time of a local file; None if it is missing, remote or far too large."""
    if not Path(path).is_absolute():
        return None
    try:
        stat = Path(path).stat()
    except (OSError, ValueError):
        return None
    is_small_file = Path(path).is_file() and stat.st_size <= _LARGEST
    return SeenFile(stat.st_size, stat.st_mtime_ns, "") if is_small_file else None
