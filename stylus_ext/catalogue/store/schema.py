"""Database schema as ordered migration steps."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence

from stylus_ext.core.errors import StoreProblem

# What is listed and filtered is kept apart from the long texts, so that a search over everything
# reads few pages.
_FIRST = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL,
    family TEXT NOT NULL, kind TEXT NOT NULL,
    state TEXT NOT NULL, on_disk INTEGER NOT NULL, name TEXT NOT NULL, title_print TEXT NOT NULL,
    card_print TEXT NOT NULL);
CREATE INDEX entries_by_revision ON entries (revision);
CREATE INDEX entries_by_name ON entries (name, id, family, kind, state, on_disk);
CREATE TABLE bodies (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE gone (key TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX gone_by_revision ON gone (revision);
CREATE TABLE cards (key TEXT NOT NULL, source TEXT NOT NULL, card TEXT NOT NULL, PRIMARY KEY (key,
    source)) WITHOUT ROWID;
CREATE TABLE files (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, key TEXT NOT NULL, stem TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, sha256 TEXT);
CREATE INDEX files_by_key ON files (key);
CREATE TABLE aliases (key TEXT PRIMARY KEY, first TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX aliases_by_first ON aliases (first);
CREATE TABLE edits (key TEXT PRIMARY KEY, edits TEXT NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE search USING fts5 (
    name, triggers, tags, body, files, tokenize = "unicode61 remove_diacritics 2", prefix = '1 2');
"""
# Of the files or versions that are one adapter each has its own card, so that they can be told
# apart again.
_CARDS = """
CREATE TABLE kept (
    key TEXT NOT NULL, source TEXT NOT NULL, about TEXT NOT NULL, card TEXT NOT NULL,
    PRIMARY KEY (key, source, about)) WITHOUT ROWID;
INSERT INTO kept SELECT key, source, CASE source WHEN 'pictures' THEN '' ELSE coalesce(
    (SELECT value FROM json_each(card, '$.equivalents')
     WHERE value LIKE CASE source WHEN 'local' THEN 'path:%' ELSE 'civitai:%' END LIMIT 1),
     json_extract(card, '$.key'), key) END, card
    FROM cards;
DROP TABLE cards;
ALTER TABLE kept RENAME TO cards
"""
_VERDICTS = (
    "CREATE TABLE verdicts (key TEXT NOT NULL, prompt TEXT NOT NULL, times INTEGER NOT NULL,"
    " PRIMARY KEY (key, prompt))"
)
# The Catalogue tab filters by both; listing stays a walk along one index.
_MARKS = """
ALTER TABLE entries ADD COLUMN refined INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entries ADD COLUMN bare INTEGER NOT NULL DEFAULT 0;
UPDATE entries SET (refined, bare) = (
    SELECT json_extract(body, '$[1].source') <> 'card', coalesce(json_extract(body, '$[0].weak'), 0)
        OR coalesce(json_extract(body, '$[0].text'), json_extract(body, '$[0].triggers'),
        json_extract(body, '$[0].tags'),
            json_extract(body, '$[0].examples')) IS NULL
    FROM bodies WHERE bodies.id = entries.id)
    WHERE id IN (SELECT id FROM bodies);
DROP INDEX entries_by_name;
CREATE INDEX entries_by_name ON entries (name, id, family, kind, state, on_disk, refined, bare)
"""
_RECIPES = "CREATE TABLE recipes (name TEXT PRIMARY KEY, recipe TEXT NOT NULL) WITHOUT ROWID"
STEPS: tuple[str, ...] = (_FIRST, _CARDS, _VERDICTS, _MARKS, _RECIPES)
"""Step n leads from schema n to schema n + 1; a new database takes them all. Steps are added, never
changed.
"""


def version(connection: sqlite3.Connection) -> int:
    """Schema version; 0 for an empty file; foreign databases are refused."""
    tables = {
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    if not tables:
        return 0
    said = read_meta(connection, "schema") if "meta" in tables else ""
    if not said.isdigit():
        raise StoreProblem(
            "catalogue.sqlite was not made by Stylus. It was left alone: move it away, or"
            " choose another data folder."
        )
    return int(said)


def migrate(connection: sqlite3.Connection, have: int, steps: Sequence[str] = STEPS) -> None:
    for step in steps[have:]:
        for statement in step.split(";"):
            if statement.strip():
                connection.execute(statement)
    if have == 0:
        for name, value in (
            ("identity", secrets.token_hex(16)),
            ("revision", "0"),
            ("clean", "1"),
            ("journal", ""),
        ):
            write_meta(connection, name, value)
    write_meta(connection, "schema", str(len(steps)))


def read_meta(connection: sqlite3.Connection, name: str) -> str:
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return "" if row is None else str(row[0])


def write_meta(connection: sqlite3.Connection, name: str, value: str) -> None:
    connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))
