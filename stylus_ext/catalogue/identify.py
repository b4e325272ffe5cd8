"""Identifies the user's unknown files by hash at a service and imports their cards."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from pathlib import Path

from stylus_ext.catalogue.refresh import Ingest
from stylus_ext.core.card import keys_of
from stylus_ext.core.ports import Progress
from stylus_ext.core.sources import RemoteCatalogue

logger = logging.getLogger(__name__)


_CACHED_S = 30 * 86_400.0
_BATCH = 50
"""Small, so that a kill costs a minute: each found file costs a request for its pictures."""

Tensors = Callable[[str, Progress], str]
"""Reads the file at a path; empty where it cannot."""


@dataclass(frozen=True, slots=True)
class IdentifiedFiles:
    """Result; `waiting` have no hash yet, `remembered` were unknown recently and are skipped."""

    requested: int = 0
    found: int = 0
    unknown: int = 0
    remembered: int = 0
    waiting: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    vectors: int = 0


class IdentifyFiles:
    """Looks up unnamed files; negative results are cached for a month."""

    def __init__(
        self, ingest: Ingest, clock: Callable[[], float] = time.time, tensors: Tensors | None = None
    ) -> None:
        """`tensors` computes a file's AutoV3 where it is unknown."""
        self._ingest = ingest
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
        self._ingest.finish_interrupted()
        step, name = f"asking {catalogue.name} about files", f"unknown.{catalogue.name}"
        files, waiting = self._unknown(folders)
        missed = self._missed(name)
        requested = [sha256 for sha256 in files if again or sha256 not in missed]
        found = vectors = 0
        skipped = Counter[str]()
        for start in range(0, len(requested), _BATCH):
            batch = requested[start : start + _BATCH]
            check = partial(progress.report, step, start, len(requested))
            check()
            answers = [catalogue.identify(batch, check)]
            for number, sha256 in enumerate(batch, start):
                if sha256 not in answers[0].recognised:
                    auto_v3 = self._auto_v3(*files[sha256], progress)
                    check = partial(progress.report, step, number, len(requested))
                    answers.append(
                        catalogue.identify_tensors({sha256: auto_v3} if auto_v3 else {}, check)
                    )
            cards = [card for answer in answers for card in answer.cards]
            with self._ingest.changing:
                vectors += self._ingest.take(cards)
            known = {
                key.value for card in cards for key in card.equivalents if key.scheme == "sha256"
            }
            now = dict.fromkeys(batch, self._clock())
            missed = {sha256: at for sha256, at in {**missed, **now}.items() if sha256 not in known}
            self._ingest.memory.remember(name, json.dumps(missed))
            found += len(known.intersection(batch))
            for answer in answers:
                skipped.update(answer.skipped)
        progress.report(step, len(requested), len(requested))
        with self._ingest.changing:
            vectors += self._ingest.embed(progress)
        logger.info("%s: %d files requested, %d found", catalogue.name, len(requested), found)
        rest = max(0, len(requested) - found - skipped.total())
        remembered = len(files) - len(requested)
        return IdentifiedFiles(
            len(requested), found, rest, remembered, waiting, dict(skipped), vectors
        )

    def _auto_v3(self, path: str, known: str, progress: Progress) -> str:
        """AutoV3 identifies merges and files with rewritten headers."""
        return known or (self._tensors(path, progress) if self._tensors else "")

    def _unknown(self, folders: Sequence[str]) -> tuple[dict[str, tuple[str, str]], int]:
        """Unnamed files by SHA256 with their AutoV3, and the number of files without SHA256."""
        roots = [Path(folder) for folder in folders]
        owners = self._ingest.store.owners()
        files = [
            file
            for file in self._ingest.store.files().values()
            if not roots or any(Path(file.path).is_relative_to(root) for root in roots)
        ]
        entries = self._ingest.store.read(
            {owners[file.path] for file in files if file.path in owners}
        )
        named = {
            key
            for key, entry in entries.items()
            if any(key.scheme == "civitai" for key in keys_of(entry.card))
        }
        unnamed = [file for file in files if owners.get(file.path) not in named]
        shorts = {
            file.path: entries[owners[file.path]].card.auto_v3
            for file in unnamed
            if owners.get(file.path) in entries
        }
        found = {
            file.sha256: (file.path, shorts.get(file.path, ""))
            for file in reversed(unnamed)
            if file.sha256
        }
        return dict(sorted(found.items(), key=itemgetter(1))), sum(
            file.sha256 is None for file in unnamed
        )

    def _missed(self, name: str) -> dict[str, float]:
        """When each file was last unknown to the service, by SHA256."""
        try:
            stored = json.loads(self._ingest.memory.remembered(name) or "{}")
            now = self._clock()
            return {
                sha256: float(at)
                for sha256, at in stored.items()
                if 0 <= now - float(at) < _CACHED_S
            }
        except (ValueError, TypeError, AttributeError):
            return {}
