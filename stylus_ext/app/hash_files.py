"""Hash the files whose SHA256 is not known yet, so that the same adapter is known as one wherever it comes from."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from stylus_ext.app.refresh_catalogue import RefreshCatalogue
from stylus_ext.core.card import AdapterKey, LocalFile
from stylus_ext.core.ports import Progress, Sighting, Store


class HashFiles:
    """The use case; `digest` reads a file and tells the progress, file by file, so that a stop loses one file at most.

    `changing` is held only while a hash is written down, so that nobody waits for gigabytes to be read.
    """

    def __init__(
        self, store: Store, refresh: RefreshCatalogue, digest: Callable[[LocalFile, Progress], str | None],
        changing: AbstractContextManager[object],
    ) -> None:
        self._store = store
        self._refresh = refresh
        self._digest = digest
        self._changing = changing

    def __call__(self, progress: Progress) -> int:
        waiting = [file for file in self._store.files().values() if file.sha256 is None]
        owners = self._store.owners()
        hashed = 0
        for number, file in enumerate(waiting):
            progress.report("hashing", number, len(waiting))
            digest = self._digest(file, progress)
            if digest is not None:
                with self._changing:
                    self._learn(owners[file.path], replace(file, sha256=digest), AdapterKey.sha256(digest))
                hashed += 1
        progress.report("hashing", len(waiting), len(waiting))
        return hashed

    def _learn(self, owner: AdapterKey, file: LocalFile, name: AdapterKey) -> None:
        """The hash becomes one more name of the entry, which unites it with what another source knows under that name."""
        for card in self._store.stated([owner]).get(owner, ())[:1]:
            named = replace(card, equivalents=tuple(sorted({*card.equivalents, name} - {card.key})))
            self._refresh.take([Sighting(card=named, file=file)])
