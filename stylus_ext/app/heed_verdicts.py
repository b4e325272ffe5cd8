"""A composer that heeds what the user found wrong: doubted candidates go to the composer less sure,
or not at all, and reasons say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from stylus_ext.core.candidates import Candidates
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition
from stylus_ext.core.ports import Composer, Query, Store
from stylus_ext.core.verdicts import Doubt, Verdicts, doubted, doubts, known_as, told


class Heeding:
    """Implements `Composer` around any other."""

    def __init__(self, composer: Composer, store: Store, verdicts: Verdicts) -> None:
        self._composer, self._store, self._verdicts = composer, store, verdicts
        self.name = composer.name

    def compose(self, query: Query, candidates: Candidates) -> Composition:
        said = self._verdicts.all()
        if not said:
            return self._composer.compose(query, candidates)
        found = doubts(
            known_as(said, self._store.resolve(verdict.key for verdict in said)), query.prompt.text
        )
        return _told(self._composer.compose(query, doubted(candidates, found)), found)


def _told(composition: Composition, found: Mapping[AdapterKey, Doubt]) -> Composition:
    return replace(
        composition,
        picks=tuple(
            replace(pick, reason=told(pick.reason, found.get(pick.key)))
            for pick in composition.picks
        ),
        near_misses=tuple(
            replace(miss, reason=told(miss.reason, found.get(miss.key)))
            for miss in composition.near_misses
        ),
    )
