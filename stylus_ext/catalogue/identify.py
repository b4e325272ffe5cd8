"""Identifies the user's unknown files by hash at a service and imports their cards."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stylus_ext.catalogue.refresh import Ingest
from stylus_ext.core.ports import Progress
from stylus_ext.core.sources import Identified, RemoteCatalogue

logger = logging.getLogger(__name__)


_DAY_S = 86_400.0
_ASKED_ANEW_AFTER_S = 30 * _DAY_S
_PART = 50
"""So that a kill costs a minute, and how far it is can be told: what is found costs a request each,
for its pictures.
"""

Tensors = Callable[[str, Progress], str]
"""Reads the file at a path; empty where it cannot."""


@dataclass(frozen=True, slots=True)
class IdentifiedFiles:
    """Result; `waiting` have no hash yet, `remembered` were unknown recently and are skipped."""

    asked: int = 0
    found: int = 0
    unknown: int = 0
    remembered: int = 0
    waiting: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    vectors: int = 0


class IdentifyFiles:
    """Looks up unnamed files; negative results are cached for a month."""

    def __init__(
        self, shop: Ingest, clock: Callable[[], float] = time.time, tensors: Tensors | None = None
    ) -> None:
        """`tensors` computes a file's AutoV3 where it is unknown."""
        self._shop = shop
        self._clock = clock
        self._tensors = tensors

    def __call__(
        self,
        catalogue: RemoteCatalogue,
        folders: Sequence[str],
        progress: Progress,
        *,
        again: bool = False,
    ) -> IdentifiedFiles:
        """Identify files below these folders (none: all); `again` ignores cached negatives."""
        self._shop.mend()
        step, name = f"asking {catalogue.name} about files", f"unknown.{catalogue.name}"
        files, waiting = self._unknown(folders)
        unknown = list(files)
        missed = self._missed(name)
        asked = [one for one in unknown if again or one not in missed]
        found = vectors = 0
        skipped: dict[str, int] = {}
        for start in range(0, len(asked), _PART):
            some = asked[start : start + _PART]
            tell = _teller(progress, step, start, len(asked))
            tell()
            by_file = catalogue.identify(some, tell)
            left = [one for one in some if one not in by_file.recognised]
            told = by_file
            for number, one in enumerate(left, start + len(some) - len(left)):
                told = _together(
                    told,
                    catalogue.identify_tensors(
                        self._short(one, *files[one], progress),
                        _teller(progress, step, number, len(asked)),
                    ),
                )
            with self._shop.changing:
                vectors += self._shop.take(told.cards)
            known = _known(told)
            missed = {one: at for one, at in missed.items() if one not in known} | {
                one: self._clock() for one in some if one not in known
            }
            self._shop.memory.remember(name, json.dumps(missed))
            found += len(known & set(some))
            skipped = {
                reason: skipped.get(reason, 0) + told.skipped.get(reason, 0)
                for reason in {*skipped, *told.skipped}
            }
        progress.report(step, len(asked), len(asked))
        with self._shop.changing:
            vectors += self._shop.embed(progress)
        logger.info("%s: %d files asked for, %d found", catalogue.name, len(asked), found)
        rest = len(asked) - found - sum(skipped.values())
        return IdentifiedFiles(
            len(asked), found, max(0, rest), len(unknown) - len(asked), waiting, skipped, vectors
        )

    def _short(self, sha256: str, path: str, short: str, progress: Progress) -> dict[str, str]:
        """AutoV3 by SHA256; identifies merges and files with rewritten headers."""
        found = short or (self._tensors(path, progress) if self._tensors else "")
        return {sha256: found} if found else {}

    def _unknown(self, folders: Sequence[str]) -> tuple[dict[str, tuple[str, str]], int]:
        """Unnamed files by SHA256 with their AutoV3, and the number of files without SHA256."""
        roots = [Path(folder) for folder in folders]
        owners = self._shop.store.owners()
        files = [
            file
            for file in self._shop.store.files().values()
            if not roots or any(Path(file.path).is_relative_to(root) for root in roots)
        ]
        entries = self._shop.store.read(
            {owners[file.path] for file in files if file.path in owners}
        )
        named = {
            key
            for key, entry in entries.items()
            if any(one.scheme == "civitai" for one in (entry.key, *entry.card.equivalents))
        }
        open_ = [file for file in files if owners.get(file.path) not in named]
        shorts = {
            file.path: entries[owners[file.path]].card.auto_v3
            for file in open_
            if owners.get(file.path) in entries
        }
        found = {
            file.sha256: (file.path, shorts.get(file.path, ""))
            for file in reversed(open_)
            if file.sha256
        }
        return dict(sorted(found.items(), key=lambda one: one[1])), sum(
            file.sha256 is None for file in open_
        )

    def _missed(self, name: str) -> dict[str, float]:
        try:
            said = json.loads(self._shop.memory.remembered(name) or "{}")
            now = self._clock()
            return {
                one: float(at)
                for one, at in said.items()
                if 0 <= now - float(at) < _ASKED_ANEW_AFTER_S
            }
        except (ValueError, TypeError, AttributeError):
            return {}


def _together(some: Identified, more: Identified) -> Identified:
    return Identified((*some.cards, *more.cards), Counter(some.skipped) + Counter(more.skipped))


def _known(told: Identified) -> set[str]:
    return {
        name.value for card in told.cards for name in card.equivalents if name.scheme == "sha256"
    }


def _teller(progress: Progress, step: str, done: int, total: int) -> Callable[[], None]:
    return lambda: progress.report(step, done, total)
