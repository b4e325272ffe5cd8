"""Tables of captions by the content of pictures, and of the content that a path was seen with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stylus_ext.catalogue.store import entries as rows
from stylus_ext.catalogue.store.codec import from_column, to_column
from stylus_ext.catalogue.store.database import Database


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A picture file as it was when read; `sha256` is empty if it is no picture."""

    size: int
    mtime_ns: int
    sha256: str


class CaptionTable:
    """Deleted with the catalogue, since captions can be made again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, path: str, file: SeenFile, captions: Mapping[str, str]) -> None:
        """Store the captions of a picture, beside those that it has by other interrogators."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO captioned (path, size, mtime_ns, sha256)"
                " VALUES (?, ?, ?, ?)",
                (to_column(path), file.size, file.mtime_ns, file.sha256),
            )
            connection.executemany(
                "INSERT OR REPLACE INTO captions (sha256, interrogator, text) VALUES (?, ?, ?)",
                ((file.sha256, name, to_column(text)) for name, text in captions.items()),
            )

    def files(self, paths: Iterable[str]) -> dict[str, SeenFile]:
        """The files by path, as far as they were read before."""
        columns = {to_column(path): path for path in paths}
        found: dict[str, SeenFile] = {}
        with self._database.reading() as connection:
            for some, marks in rows.chunks(columns):
                seen = connection.execute(
                    f"SELECT path, size, mtime_ns, sha256 FROM captioned WHERE path IN ({marks})",  # noqa: S608
                    some,
                )
                found.update((columns[path], SeenFile(*rest)) for path, *rest in seen)
        return found

    def of(self, digests: Iterable[str]) -> dict[str, dict[str, str]]:
        """The captions of pictures by content and interrogator."""
        found: dict[str, dict[str, str]] = {}
        with self._database.reading() as connection:
            for some, marks in rows.chunks(dict.fromkeys(digests)):
                held = connection.execute(
                    f"SELECT sha256, interrogator, text FROM captions WHERE sha256 IN ({marks})",  # noqa: S608
                    some,
                )
                for sha256, name, text in held:
                    found.setdefault(sha256, {})[name] = from_column(text)
        return found
