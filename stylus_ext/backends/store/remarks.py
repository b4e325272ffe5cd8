"""What the user says besides edits, by the name of its records in user.jsonl: how each is read from
there, and written there anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stylus_ext.backends.store import recipes, verdicts


@dataclass(frozen=True, slots=True)
class Kind:
    """`apply` takes one record into the tables; `take_all` empties them into records."""

    apply: Callable[[sqlite3.Connection, Mapping[str, Any]], None]
    take_all: Callable[[sqlite3.Connection], list[dict[str, Any]]]


KINDS: Mapping[str, Kind] = {
    verdicts.WHAT: Kind(verdicts.apply, verdicts.take_all),
    recipes.WHAT: Kind(recipes.apply, recipes.take_all),
}
