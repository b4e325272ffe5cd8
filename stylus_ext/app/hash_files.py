"""Hash the files whose SHA256 is not known yet, so that the same adapter is known as one wherever
it comes from.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from stylus_ext.app.refresh_catalogue import RefreshCatalogue
from stylus_ext.app.voices import local_card, names
from stylus_ext.core.card import AdapterCard, AdapterKey, Digests, LocalFile
from stylus_ext.core.ports import Progress, Sighting, Store


class HashFiles:
    """The use case; `digest` reads a file and tells the progress, file by file, so that a stop
    loses one file at most.

    `changing` is held only while a hash is written down, so that nobody waits for gigabytes to be
    read.
    """

    def __init__(
        self,
        store: Store,
        refresh: RefreshCatalogue,
        digest: Callable[[LocalFile, Progress], Digests | None],
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
            digests = self._digest(file, progress)
            if digests is not None:
                with self._changing:
                    hashed += self._learn(owners[file.path], file, digests)
        progress.report("hashing", len(waiting), len(waiting))
        return hashed

    def know(self, path: str, sha256: str) -> bool:
        """The hash of one file that somebody else has computed; whether that was news."""
        with self._changing:
            file = self._store.files().get(path)
            if file is None or file.sha256 is not None:
                return False
            return self._learn(self._store.owners()[path], file, Digests(sha256.lower(), ""))

    def _learn(self, owner: AdapterKey, file: LocalFile, digests: Digests) -> bool:
        """The hash becomes one more name of the entry, which unites it with what another source
        knows under that name; not where the file changed or left while it was read, and waits to be
        hashed again.
        """
        entry = self._store.read([owner]).get(owner)
        card = (
            local_card(self._store.stated([owner]).get(entry.key, ()), file.path)
            if entry and file in entry.files
            else None
        )
        if card is None:
            return False
        self._refresh.take(
            [Sighting(card=_hashed(card, digests), file=replace(file, sha256=digests.sha256))]
        )
        return True


def _hashed(card: AdapterCard, digests: Digests) -> AdapterCard:
    """What was computed takes the place of any hash that was believed before; of the tensors' the
    host believes the header's first.
    """
    name = AdapterKey.sha256(digests.sha256)
    others = [key for key in names(card) if key.scheme != "sha256"]
    first, *rest = [*others, name]
    return replace(
        card, key=first, equivalents=tuple(sorted([*rest])), auto_v3=card.auto_v3 or digests.auto_v3
    )
