"""The ledger of downloaded files, for the quota and for deleting unused ones."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.errors import InvalidInput, StoreProblem, Unavailable
from stylus_ext.core.fetching import MB, Caps, Discarded, NotFetched, in_mb
from stylus_ext.downloads.folder import sha256_of
from stylus_ext.downloads.part import PART_SUFFIX

logger = logging.getLogger(__name__)


FILE = "downloads.jsonl"
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class LedgerFile:
    """A downloaded file; `at` is in seconds since 1970."""

    path: str
    key: str
    size: int
    sha256: str
    at: float


@dataclass(frozen=True, slots=True)
class Ledger:
    """An append-only JSON Lines file; lines that a kill has cut are skipped.

    A line comes before a file gets its name and another one after; if a kill came between them,
    the file is recognised by its inode.
    """

    folder: Path

    def placing(self, part: Path, key: str, size: int, sha256: str) -> None:
        """Record that this part is about to get a name in its folder."""
        file = LedgerFile(str(part), key, size, sha256, time.time())
        self._append({"placing": part.lstat().st_ino, **asdict(file)})

    def write(self, path: Path, key: str, size: int, sha256: str) -> None:
        self._append(asdict(LedgerFile(str(path), key, size, sha256, time.time())))

    def used(self, keys: Iterable[str]) -> None:
        """Record that a plan picked these keys, at most once a day for each."""
        now, last, ours = time.time(), self.last_use(), {file.key for file in self.own()}
        for key in sorted(ours.intersection(keys)):
            if now - last.get(key, 0.0) > DAY_S:
                self._append({"used": key, "at": now})

    def last_use(self) -> dict[str, float]:
        """Return the time of the last use by key; the download counts as one."""
        found: dict[str, float] = {}
        for line in self._lines():
            name = line.get("used") or line.get("key")
            if isinstance(name, str) and isinstance(line.get("at"), (int, float)):
                found[name] = max(found.get(name, 0.0), float(line["at"]))
        return found

    def _append(self, fields: Mapping[str, object]) -> None:
        line = json.dumps(fields) + "\n"
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

    def own(self) -> list[LedgerFile]:
        """Return the downloaded files that are still in place and unchanged in size."""
        found: dict[str, LedgerFile] = {}
        unfinished: dict[tuple[str, str], tuple[int, LedgerFile]] = {}
        for line in self._lines():
            file = _parse_file(line)
            if file is None:
                continue
            if isinstance(line.get("placing"), int):
                unfinished[file.key, file.sha256] = line["placing"], file
            else:
                unfinished.pop((file.key, file.sha256), None)
                found[file.path] = file
        for inode, part in unfinished.values():
            placed = _placed(part, inode)
            if placed is not None and placed.path not in found:
                self._append(asdict(placed))
                found[placed.path] = placed
        return [file for file in found.values() if _size(file.path) == file.size]

    def total(self) -> int:
        return sum(file.size for file in self.own())

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
                fields = json.loads(line)
            except ValueError:
                fields = None
            if isinstance(fields, dict):
                yield fields
            else:
                logger.warning("a line of %s cannot be read and is skipped", FILE)


def _parse_file(fields: Mapping[str, Any]) -> LedgerFile | None:
    """Parse a download line; None for any other line."""
    try:
        key = str(AdapterKey.parse(str(fields["key"])))
        return LedgerFile(
            str(fields["path"]),
            key,
            int(fields["size"]),
            str(fields["sha256"]),
            float(fields["at"]),
        )
    except (ValueError, KeyError, TypeError, InvalidInput):
        return None


def _placed(part: LedgerFile, inode: int) -> LedgerFile | None:
    """The file that this part became, if a kill came before its own line."""
    folder = Path(part.path).parent
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                about = entry.stat(follow_symlinks=False)
                is_part = entry.name.endswith(PART_SUFFIX)
                if not is_part and (about.st_ino, about.st_size) == (inode, part.size):
                    return replace(part, path=entry.path)
    except OSError:
        return None
    return None


def _size(path: str) -> int:
    try:
        return Path(path).lstat().st_size
    except OSError:
        return -1


_STEP = 64 * MB


@dataclass(slots=True, eq=False)
class Reservation:
    """The space reserved for one file; compared by identity."""

    size: int
    done: int = 0


@dataclass
class Budget:
    """Size limits shared by concurrent downloads; `quota` and `keep_free` are in bytes."""

    largest: int
    quota: int
    keep_free: int
    ledger: Ledger
    unhashed: bool = False
    _rooms: list[Reservation] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def caps(self) -> Caps:
        return Caps(
            self.largest,
            max(0, self.quota - self.ledger.total() - sum(room.size for room in self._rooms)),
            self.unhashed,
        )

    @contextlib.contextmanager
    def room(self, folder: Path, size: int, what: str, there: int = 0) -> Iterator[Reservation]:
        """Reserve space for a file of which `there` bytes are on disk already."""
        room = Reservation(0, there)
        try:
            with self._guard:
                self._rooms.append(room)
            self.widen(room, folder, max(size, 1), what)
            yield room
        finally:
            with self._guard:
                self._rooms.remove(room)

    def widen(self, room: Reservation, folder: Path, size: int, what: str) -> None:
        """Enlarge a reservation when more arrives than the source stated."""
        if size <= room.size:
            return
        with self._guard:
            others = sum(other.size for other in self._rooms if other is not room)
            left = self.quota - self.ledger.total() - others
            caps = Caps(self.largest, left)
            if size > self.largest:
                raise NotFetched(
                    "too_large", f"{what} was not fetched: {caps.too_large(size)} (--largest-mb)."
                )
            if size > left:
                raise NotFetched(
                    "quota",
                    f"{what} was not fetched: {caps.too_large(size)} (--quota-gb). Delete some of"
                    " what was fetched, or allow more.",
                )
            coming = sum(
                max(0, other.size - other.done) for other in self._rooms if other is not room
            )
            free = _free(folder) - coming - max(0, size - room.done)
            if free < self.keep_free:
                raise NotFetched(
                    "disk_full",
                    f"{what} was not fetched: it has {in_mb(size)}, and the disk of {folder} would"
                    f" have less than {in_mb(self.keep_free)} free (--keep-free-gb).",
                )
            room.size = size

    def follow(self, room: Reservation, folder: Path, done: int, what: str) -> None:
        """Record the received bytes; widen in steps where the size is unknown."""
        room.done = done
        if done > room.size:
            self.widen(room, folder, max(done, min(done + _STEP, self.largest)), what)


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError as error:
        raise Unavailable(
            f"The free space of {folder} cannot be read: {error.strerror or error}."
        ) from error


FEWEST_DAYS = 1


def discard(
    ledger: Ledger,
    favourites: Collection[str],
    days: int,
    check: Callable[[], None],
    *,
    dry_run: bool = False,
    only: Collection[str] | None = None,
) -> Iterator[Discarded]:
    """Delete downloads unused for `days`; sidecars stay, they may hold the user's edits."""
    last, oldest = ledger.last_use(), time.time() - max(days, FEWEST_DAYS) * DAY_S
    for own in sorted(ledger.own(), key=lambda file: (last.get(file.key, file.at), file.path)):
        if only is not None and own.key not in only:
            continue
        why = ""
        if own.key in favourites:
            why = "marked as always"
        elif last.get(own.key, own.at) > oldest:
            why = f"used within the last {max(days, FEWEST_DAYS)} days"
        elif sha256_of(Path(own.path), check) != own.sha256:
            why = "the file was changed after the download"
        elif not dry_run:
            _delete(own)
        yield Discarded(own.key, own.path, own.size, why)


def _delete(own: LedgerFile) -> None:
    try:
        Path(own.path).unlink(missing_ok=True)
    except OSError as error:
        raise StoreProblem(
            f"{own.path} could not be deleted: {error.strerror or error}."
        ) from error
