"""Chroma storage: one collection per view and embedder, opened on first use.

Our own unit vectors only: no default embedding function, no telemetry. Damage is distinguished from
server or disk trouble.
"""

from __future__ import annotations

import logging
import socket
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from stylus_ext.catalogue.vectors.matrix import Row
from stylus_ext.core.entry import View
from stylus_ext.core.errors import InvalidInput, StoreProblem, Unavailable, reason_of
from stylus_ext.core.ports import Matrix

logger = logging.getLogger(__name__)


_PAGE = 2000
_EF_SEARCH = 800
"""At 100,000 clustered vectors the default of 100 found 64 % of the true 150 nearest, 800 found 88
%.
"""

_SYNC_THRESHOLD = 10_000
"""Changes after which Chroma writes its whole index out. Its default of 1,000 made the 50,000th
vector cost 4 ms, most of it spent so; what is not yet written out is replayed from its journal when
it is opened next.
"""

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 60.0
_NOT_DAMAGE = (
    "(code: 5)",
    "(code: 6)",
    "(code: 8)",
    "(code: 10)",
    "(code: 13)",
    "(code: 14)",
    "(code: 778)",
)
"""SQLite's codes of a lock, a read-only place, a full or failing disk: no damage."""


class HomeDamaged(StoreProblem):
    """The folder exists, but this Chroma version cannot read it."""


class ChromaHome:
    """The collections of one embedder."""

    def __init__(self, folder: Path, url: str, tag: str) -> None:
        self._folder, self._url, self._tag = folder, url, tag
        self._client: Any = None
        self._collections: dict[View, Any] = {}

    @property
    def exists(self) -> bool:
        """Whether there may be data, without opening it."""
        return bool(self._url) or (self._folder / "chroma.sqlite3").exists()

    @property
    def is_open(self) -> bool:
        return self._client is not None

    def looks_damaged(self) -> bool:
        """Quick check whether the file is a SQLite database."""
        if self._url or not self._folder.exists():
            return False
        if not self._folder.is_dir():
            return True
        database = self._folder / "chroma.sqlite3"
        if not database.exists():
            return any(self._folder.iterdir())
        with database.open("rb") as opened:
            return opened.read(16) not in (b"", b"SQLite format 3\0")

    def close(self) -> None:
        """Free the index's memory; the next use opens it again."""
        client, self._client = self._client, None
        self._collections = {}
        if client is not None:
            client.close()
            if self._url:
                for session in _sessions(client):
                    session.close()

    def move_aside(self) -> Path:
        """Rename the folder, so that its data is not lost."""
        from chromadb.api.shared_system_client import SharedSystemClient

        self.close()
        SharedSystemClient.clear_system_cache()
        number = 1
        while (aside := self._folder.with_name(f"{self._folder.name}.set-aside-{number}")).exists():
            number += 1
        try:
            self._folder.rename(aside)
        except OSError as problem:
            raise StoreProblem(
                f"The vectors in {self._folder} cannot be read, and the folder cannot be moved"
                f" aside ({problem}). Close what uses it, or rename it yourself."
            ) from problem
        return aside

    def count(self, view: View) -> int:
        with self._translated("counted"):
            return int(self._collection(view).count())

    def put(self, view: View, rows: Sequence[Row], vectors: Matrix) -> None:
        with self._translated("written"):
            collection = self._collection(view)
            for start in range(0, len(rows), _PAGE):
                part = rows[start : start + _PAGE]
                collection.upsert(
                    ids=[row.key for row in part],
                    embeddings=np.ascontiguousarray(vectors[start : start + _PAGE]),
                    metadatas=[
                        {"family": row.family, "fingerprint": row.fingerprint} for row in part
                    ],
                )

    def delete(self, view: View, keys: Sequence[str]) -> None:
        with self._translated("removed"):
            for start in range(0, len(keys), _PAGE):
                self._collection(view).delete(ids=list(keys[start : start + _PAGE]))

    def fetch(self, view: View, keys: Sequence[str]) -> Iterator[tuple[list[Row], Matrix]]:
        """Yield stored rows and vectors of these keys, page by page."""
        for start in range(0, len(keys), _PAGE):
            with self._translated("read"):
                page = self._collection(view).get(
                    ids=list(keys[start : start + _PAGE]), include=["embeddings", "metadatas"]
                )
            if page["ids"]:
                yield _rows(page), np.asarray(page["embeddings"], dtype=np.float32)

    def listing(self, view: View) -> dict[str, str]:
        """Fingerprints of all stored vectors."""
        listed: dict[str, str] = {}
        while True:
            with self._translated("read"):
                page = self._collection(view).get(
                    limit=_PAGE, offset=len(listed), include=["metadatas"]
                )
            if not page["ids"]:
                return listed
            listed.update((row.key, row.fingerprint) for row in _rows(page))

    def nearest(
        self, view: View, queries: Matrix, most: int, families: frozenset[str] | None
    ) -> list[list[str]]:
        where = None if families is None else {"family": {"$in": sorted(families)}}
        with self._translated("searched"):
            found = self._collection(view).query(
                query_embeddings=queries, n_results=most, where=where, include=[]
            )
        return [list(keys) for keys in found["ids"]]

    def _collection(self, view: View) -> Any:
        if self._client is None:
            with self._translated("opened"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._client = self._connected() if self._url else self._embedded()
        if view not in self._collections:
            self._collections[view] = self._client.get_or_create_collection(
                f"stylus-{view}-{self._tag}",
                embedding_function=None,
                configuration={
                    # "cosine" would store each vector normalised anew, which is not bit for bit the
                    # one that was given.
                    "hnsw": {
                        "space": "ip",
                        "ef_search": _EF_SEARCH,
                        "sync_threshold": _SYNC_THRESHOLD,
                    }
                },
            )
        return self._collections[view]

    def _embedded(self) -> Any:
        import chromadb

        return chromadb.PersistentClient(str(self._folder), settings=_settings())

    def _connected(self) -> Any:
        import chromadb

        parts = urlsplit(self._url)
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.path not in ("", "/")
        ):
            raise InvalidInput(
                f"{self._url!r} is not the address of a Chroma server; it looks like"
                " http://host:8000."
            )
        port = parts.port or (443 if parts.scheme == "https" else 8000)
        socket.create_connection((parts.hostname, port), timeout=_CONNECT_SECONDS).close()
        client = chromadb.HttpClient(
            host=parts.hostname, port=port, ssl=parts.scheme == "https", settings=_settings()
        )
        for session in _sessions(client):
            session.timeout = _ANSWER_SECONDS
        return client

    @contextmanager
    def _translated(self, done: str) -> Iterator[None]:
        """Translate Chroma's errors: its own, its HTTP client's, and ValueError."""
        from chromadb.errors import ChromaError
        from httpx import HTTPError

        try:
            yield
        except (ChromaError, HTTPError, OSError, ValueError, KeyError) as problem:
            if self._url:
                self.close()
                raise Unavailable(
                    f"The vectors could not be {done} at {self._url}: {reason_of(problem)}. Check"
                    " that the Chroma server runs."
                ) from problem
            refused = done == "written" and isinstance(problem, ValueError)
            if (
                refused
                or isinstance(problem, OSError)
                or any(code in str(problem) for code in _NOT_DAMAGE)
            ):
                raise StoreProblem(
                    f"The vectors in {self._folder} could not be {done}: {problem}"
                ) from problem
            raise HomeDamaged(
                f"The vectors in {self._folder} could not be {done}: {problem}"
            ) from problem


def _settings() -> Any:
    from chromadb.config import Settings

    return Settings(_env_file=None, anonymized_telemetry=False)


def _sessions(client: Any) -> tuple[Any, Any]:
    """HTTP sessions of a client; Chroma sets no timeout and does not close them."""
    return client._server._session, client._admin_client._server._session


def _rows(page: Any) -> list[Row]:
    return [
        Row(key, str((about or {}).get("family", "")), str((about or {}).get("fingerprint", "")))
        for key, about in zip(page["ids"], page["metadatas"], strict=True)
    ]
