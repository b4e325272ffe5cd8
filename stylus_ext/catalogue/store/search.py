"""Search as you type: keys of one page and the total."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence

from stylus_ext.catalogue.store.codec import from_column, query, to_column
from stylus_ext.catalogue.store.database import Database, read_meta
from stylus_ext.catalogue.store.entries import listed_name
from stylus_ext.core.ports import CatalogueCounts, Filter, Order

MOST = 5_000
"""So many are counted and can be paged through once there is a text."""
_RANKED = 1_000
_WEIGHTS = "10.0, 6.0, 3.0, 1.0, 6.0"


_ORDERS: Mapping[Order, str] = {
    "name": "e.name, e.id",
    "added": "e.added DESC, e.name, e.id",
    "size": "e.size DESC, e.name, e.id",
    "used": "e.used DESC, e.name, e.id",
}


def find(
    connection: sqlite3.Connection,
    text: str,
    keep: Filter,
    offset: int,
    limit: int,
    order: Order = "name",
) -> tuple[list[str], int]:
    where, values = _kept(keep)
    if not text.strip():
        return _listing(
            connection, where, values, f"{_ORDERS[order]} LIMIT {limit} OFFSET {offset}"
        )
    found: list[str] = []
    wanted = query(text)
    if wanted:
        found = _by_words(connection, text, wanted, where, values)
    if not found:
        found = _by_part(connection, text, where, values)
    return found[offset : offset + limit], len(found)


def _kept(keep: Filter) -> tuple[str, list[str | int]]:
    parts: list[str] = []
    values: list[str | int] = []
    for column in _COLUMNS:
        value: str | bool | None = getattr(keep, column)
        if value is not None:
            parts.append(f"AND {_EXPRESSIONS.get(column, f'e.{column}')} = ?")
            values.append(to_column(value) if isinstance(value, str) else int(value))
    return " ".join(parts), values


def _listing(
    connection: sqlite3.Connection, where: str, values: list[str | int], page: str
) -> tuple[list[str], int]:
    total = connection.execute(
        f"SELECT count(*) FROM entries e WHERE 1 {where}",  # noqa: S608
        values,
    ).fetchone()[0]
    numbers = connection.execute(
        f"SELECT e.key FROM entries e WHERE 1 {where} ORDER BY {page}",  # noqa: S608
        values,
    )
    return [key for (key,) in numbers], total


def _by_words(
    connection: sqlite3.Connection, text: str, wanted: str, where: str, values: list[str | int]
) -> list[str]:
    """Names starting with the text, then containing its words, then other matches; best first while
    few.
    """
    start = listed_name(text.strip())
    begun = connection.execute(
        f"SELECT e.key FROM entries e WHERE e.name >= ? AND e.name < ? || char(1114111) {where} "  # noqa: S608
        f"ORDER BY e.name, e.id LIMIT {MOST}",
        (start, start, *values),
    )
    found = dict.fromkeys(key for (key,) in begun)
    joined = f"FROM search s CROSS JOIN entries e ON e.id = s.rowid WHERE search MATCH ? {where}"
    if len(found) < MOST:
        named = connection.execute(
            f"SELECT e.name, e.key {joined} LIMIT {MOST}", (f"name : ({wanted})", *values)
        )
        found.update(dict.fromkeys(key for _, key in sorted(named)))
    if len(found) < MOST:
        others = connection.execute(
            f"SELECT e.key {joined} LIMIT {MOST}", (wanted, *values)
        ).fetchall()
        if len(others) <= _RANKED:
            ranked = f"SELECT e.key {joined} ORDER BY bm25(search, {_WEIGHTS}), e.id"
            others = connection.execute(ranked, (wanted, *values)).fetchall()
        found.update(dict.fromkeys(key for (key,) in others))
    return list(found)[:MOST]


def _by_part(
    connection: sqlite3.Connection, text: str, where: str, values: list[str | int]
) -> list[str]:
    """Substring search, also for text without words."""
    rows = connection.execute(
        f"SELECT e.key FROM entries e WHERE instr(e.name, ?) {where} ORDER BY e.name, e.id LIMIT"  # noqa: S608
        f" {MOST}",
        (listed_name(text.strip()), *values),
    )
    return [key for (key,) in rows]


_COLUMNS = ("family", "kind", "state", "type", "on_disk", "refined", "bare", "favourite", "used")
_EXPRESSIONS = {"used": "(e.used > 0)"}
"""Of the filters that are not a column as it is."""
_ENTRIES = (
    f"SELECT {', '.join(_EXPRESSIONS.get(column, column) for column in _COLUMNS)}, count(*)"  # noqa: S608
    " FROM entries e GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9"
)
_DUPLICATES = (
    "SELECT coalesce(sum(more), 0) FROM (SELECT count(*) - 1 AS more FROM files GROUP BY key)"
)
_UNNAMED = """SELECT count(*) FROM files f WHERE f.key NOT LIKE 'civitai:%'
    AND NOT EXISTS (SELECT 1 FROM aliases a WHERE a.first = f.key AND a.key LIKE 'civitai:%')"""


class CatalogueStats:
    """Counts the catalogue, kept until it changes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: tuple[str, Sequence[_Group], CatalogueCounts] | None = None

    def tally(self) -> CatalogueCounts:
        return self._counts()[2]

    def facets(self, keep: Filter) -> dict[str, dict[str | bool, int]]:
        """How many entries each value of a column has, under the filters of the other columns."""
        wanted = [getattr(keep, column) for column in _COLUMNS]
        counts: list[Counter[str | bool]] = [Counter() for _ in _COLUMNS]
        for values, number in self._counts()[1]:
            misses = [
                place
                for place, value in enumerate(wanted)
                if value is not None and value != values[place]
            ]
            if len(misses) > 1:
                continue
            for place in misses or range(len(_COLUMNS)):
                counts[place][values[place]] += number
        return {
            column: dict(found.most_common())
            for column, found in zip(_COLUMNS, counts, strict=True)
        }

    def _counts(self) -> tuple[str, Sequence[_Group], CatalogueCounts]:
        with self._database.snapshot() as connection:
            revision = read_meta(connection, "revision")
            known = self._known
            if known is None or known[0] != revision:
                groups = _groups(connection)
                known = self._known = (revision, groups, _counted(connection, groups))
            return known


_Group = tuple[tuple[str, str, str, str, bool, bool, bool, bool, bool], int]
"""The values of `_COLUMNS` that some entries share, and their number."""


def _groups(connection: sqlite3.Connection) -> list[_Group]:
    return [
        ((from_column(family), kind, state, type_, *map(bool, marks)), number)
        for family, kind, state, type_, *marks, number in connection.execute(_ENTRIES)
    ]


def _counted(connection: sqlite3.Connection, groups: Sequence[_Group]) -> CatalogueCounts:
    families: Counter[str] = Counter()
    here: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    states: Counter[str] = Counter()
    refined = bare = used = 0
    for (family, kind, state, _, on_disk, is_refined, is_bare, _, is_used), number in groups:
        families[family] += number
        here[family] += number * on_disk
        kinds[kind] += number
        states[state] += number
        refined += number * is_refined
        bare += number * (is_bare and on_disk)
        used += number * is_used
    return CatalogueCounts(
        entries=families.total(),
        on_disk=here.total(),
        families={name: (number, here[name]) for name, number in families.most_common()},
        kinds=dict(kinds.most_common()),
        states=dict(states),
        refined=refined,
        used=used,
        bare=bare,
        duplicates=connection.execute(_DUPLICATES).fetchone()[0],
        unnamed=connection.execute(_UNNAMED).fetchone()[0],
    )
