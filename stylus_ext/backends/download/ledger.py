"""Which files we have fetched, so that the quota counts ours alone and nothing else is ever
deleted: a plain file in the data folder.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.errors import InvalidInput, StoreProblem

logger = logging.getLogger(__name__)

FILE = "downloads.jsonl"
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Own:
    """A file of ours; `at` in seconds since 1970."""

    path: str
    key: str
    size: int
    sha256: str
    at: float


@dataclass(frozen=True, slots=True)
class Ledger:
    """Each line is written in one go; one that a kill has cut is passed over."""

    folder: Path

    def write(self, path: Path, key: str, size: int, sha256: str) -> None:
        self._append(asdict(Own(str(path), key, size, sha256, time.time())))

    def used(self, keys: Iterable[str]) -> None:
        """What a plan has picked, once a day for each that is ours."""
        now, last, ours = time.time(), self.last_use(), {one.key for one in self.own()}
        for key in sorted(ours.intersection(keys)):
            if now - last.get(key, 0.0) > DAY_S:
                self._append({"used": key, "at": now})

    def last_use(self) -> dict[str, float]:
        """By key; the fetching counts as a use."""
        found: dict[str, float] = {}
        for line in self._lines():
            name = line.get("used") or line.get("key")
            if isinstance(name, str) and isinstance(line.get("at"), (int, float)):
                found[name] = max(found.get(name, 0.0), float(line["at"]))
        return found

    def _append(self, said: Mapping[str, object]) -> None:
        line = json.dumps(said) + "\n"
        file = self.folder / FILE
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(handle, b"\n" + line.encode())
            finally:
                os.close(handle)
        except OSError as error:
            raise StoreProblem(
                f"{file} cannot be written: {error.strerror or error}. Check the data folder."
            ) from error

    def own(self) -> list[Own]:
        """Those that still lie where we put them, as we put them."""
        found = {one.path: one for one in filter(None, map(_own, self._lines()))}
        return [one for one in found.values() if _size(one.path) == one.size]

    def total(self) -> int:
        return sum(one.size for one in self.own())

    def _lines(self) -> Iterator[Mapping[str, Any]]:
        try:
            lines = (self.folder / FILE).read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreProblem(
                f"{self.folder / FILE} cannot be read: {error.strerror or error}. Check the data"
                " folder."
            ) from error
        for line in filter(None, lines):
            try:
                said = json.loads(line)
            except ValueError:
                said = None
            if isinstance(said, dict):
                yield said
            else:
                logger.warning("a line of %s cannot be read and is passed over", FILE)


def _own(said: Mapping[str, Any]) -> Own | None:
    """None for a line that says something else."""
    try:
        key = str(AdapterKey.parse(str(said["key"])))
        return Own(
            str(said["path"]), key, int(said["size"]), str(said["sha256"]), float(said["at"])
        )
    except (ValueError, KeyError, TypeError, InvalidInput):
        return None


def _size(path: str) -> int:
    try:
        return Path(path).lstat().st_size
    except OSError:
        return -1
