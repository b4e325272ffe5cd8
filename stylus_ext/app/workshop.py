"""Where cards of any service become entries with vectors, a page at a time, so that a kill leaves
nothing half made.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from stylus_ext.app.embed_catalogue import EmbedCatalogue
from stylus_ext.app.refresh_catalogue import RefreshCatalogue
from stylus_ext.core.card import AdapterCard, AdapterKey
from stylus_ext.core.embedding import VIEWS, embedded_text
from stylus_ext.core.ports import Sighting, Store
from stylus_ext.core.sources import Memory

_TAKING = "taking"


@dataclass(frozen=True, slots=True)
class Workshop:
    """What a page goes through; `changing` is held while the catalogue changes and never while the
    network is waited for.
    """

    store: Store
    refresh: RefreshCatalogue
    embed: EmbedCatalogue
    changing: AbstractContextManager[object]
    memory: Memory

    def take(self, cards: Sequence[AdapterCard]) -> int:
        """Cards become entries, and those whose texts are others now get vectors; how many. To be
        called while `changing` is held.
        """
        keys = [card.key for card in cards]
        before = self._texts(keys)
        self.memory.remember(_TAKING, json.dumps(list(map(str, keys))))
        self.refresh.take([Sighting(card=card) for card in cards])
        self.memory.remember(_TAKING, "")
        changed = [key for key, texts in self._texts(keys).items() if before.get(key) != texts]
        self.embed.these(changed)
        return len(VIEWS) * len(changed)

    def withdraw(self, keys: Sequence[AdapterKey]) -> int:
        """Entries that are not to be offered any longer; a file that the user has keeps its own.
        While `changing` is held.
        """
        found = self.store.read(self.store.resolve(keys).values())
        gone = [key for key, entry in found.items() if not entry.files]
        self.store.remove(gone)
        return len(gone)

    def mend(self) -> None:
        """Cards that were kept when we were killed, and are no entries yet."""
        left = self.memory.remembered(_TAKING)
        if left:
            with self.changing:
                self.refresh.renew(map(AdapterKey.parse, json.loads(left)))
                self.memory.remember(_TAKING, "")

    def _texts(self, keys: Sequence[AdapterKey]) -> dict[AdapterKey, tuple[str, ...]]:
        """All that vectors are made from."""
        entries = self.store.read(keys)
        return {
            entry.key: (entry.family, *(embedded_text(entry, view) for view in VIEWS))
            for entry in entries.values()
        }
