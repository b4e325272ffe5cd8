"""Part files: received bytes with their count and SHA256, which a later run resumes."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from stylus_ext.core.errors import StoreProblem
from stylus_ext.core.fetching import NotFetched
from stylus_ext.net import StreamResponse

PREFIX, PART_SUFFIX = ".stylus-", ".part"
_PIECE = 1024 * 1024
_OLD_S = 7 * 86_400
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_EXCLUSIVE = (
    os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
)
_EXISTING = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_FLUSHED = 32 * _PIECE


@dataclass(frozen=True, slots=True)
class PartState:
    """What identifies the file of a part, to check that an answer continues it. No URL is kept."""

    sha256: str = ""
    etag: str = ""
    total: int | None = None


@dataclass(slots=True)
class PartFile:
    """A part file open for writing, under a unique name."""

    path: Path
    handle: int
    state: PartState
    size: int = 0
    joined: bool = False
    """Whether it consists of more than one answer."""
    cleared: int = 0
    """How often it was begun anew."""
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)
    _flushed: int = 0

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def write(self, piece: bytes) -> None:
        view = memoryview(piece)
        try:
            while view:
                view = view[os.write(self.handle, view) :]
        except OSError as error:
            raise _unwritable(self.path, error) from error
        self._hash.update(piece)
        self.size += len(piece)
        if self.size - self._flushed >= _FLUSHED:
            self._flush()

    @property
    def is_whole(self) -> bool:
        return bool(self.size) and self.size == self.state.total

    def clear(self, sha256: str | None = None) -> None:
        """Empty the part and begin anew, for a file with this hash."""
        os.ftruncate(self.handle, 0)
        os.lseek(self.handle, 0, os.SEEK_SET)
        self._hash, self.size, self._flushed, self.joined = hashlib.sha256(), 0, 0, False
        self.cleared += 1
        self._state(PartState(self.state.sha256 if sha256 is None else sha256))

    def continues_with(self, answer: StreamResponse) -> bool:
        """Whether the answer continues at the next byte of a file with this ETag or size."""
        found = _RANGE.fullmatch(answer.headers.get("content-range", "").strip())
        if answer.status != 206 or found is None or int(found[1]) != self.size:  # noqa: PLR2004
            return False
        etag, total = answer.headers.get("etag", ""), None if found[3] == "*" else int(found[3])
        fits = (
            etag == self.state.etag
            if etag and self.state.etag
            else total is not None and total == self.state.total
        )
        self.joined = self.joined or fits
        return fits

    def learn(self, answer: StreamResponse) -> None:
        """Store ETag and length of the first answer."""
        self._state(
            PartState(self.state.sha256, answer.headers.get("etag", "")[:200], answer.length)
        )

    def sync(self) -> None:
        """Flush to disk, so that a power cut after placing leaves no empty file."""
        try:
            os.fsync(self.handle)
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def close(self) -> None:
        """Close the file; a later run can resume it."""
        with contextlib.suppress(OSError):
            os.close(self.handle)

    def drop(self) -> None:
        """Delete the part and its state."""
        delete_part(self.path)

    def _state(self, state: PartState) -> None:
        self.state = state
        try:
            _state_of(self.path).write_text(json.dumps(asdict(state)), "utf-8")
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def _flush(self) -> None:
        """Start writing back now, so that the final sync is short."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(
                self.handle, self._flushed, self.size - self._flushed, os.POSIX_FADV_DONTNEED
            )
        self._flushed = self.size


def open_part(folder: Path, identity: str, sha256: str, check: Callable[[], None]) -> PartFile:
    """Resume an earlier part of the same file under a new name, else create an empty one."""
    _delete_old(folder)
    path = folder / f"{PREFIX}{identity}-{secrets.token_hex(6)}.part"
    for left in sorted(folder.glob(f"{PREFIX}{identity}-*.part"), key=_size, reverse=True):
        if _is_placed(left):
            delete_part(left)
            continue
        state = _left_state(left)
        if (
            state is not None
            and state.sha256 == sha256
            and _size(left) > 0
            and not left.is_symlink()
        ):
            found = _resume(left, path, state, check)
            if found is not None:
                return found
    try:
        return PartFile(path, os.open(path, _EXCLUSIVE, 0o644), PartState(sha256))
    except OSError as error:
        raise StoreProblem(
            f"The download folder {folder} cannot be used: {error.strerror or error}."
            " Check that folder and its rights."
        ) from error


def resumable_bytes(folder: Path, identity: str) -> int:
    """Return how many bytes an earlier run has left."""
    return max(map(_size, folder.glob(f"{PREFIX}{identity}-*.part")), default=0)


def _resume(left: Path, path: Path, state: PartState, check: Callable[[], None]) -> PartFile | None:
    try:
        left.rename(path)  # of two that want it, one gets it
        _state_of(left).rename(_state_of(path))
        part = PartFile(path, os.open(path, _EXISTING), state, joined=True)
    except OSError:
        return None
    try:
        while piece := os.read(part.handle, _PIECE):
            part._hash.update(piece)
            part.size += len(piece)
            check()
    except BaseException:
        part.close()
        raise
    part._flushed = part.size
    return part


def _is_placed(part: Path) -> bool:
    """Whether a killed run already linked this part to its final name."""
    try:
        return part.lstat().st_nlink > 1
    except OSError:
        return False


def delete_part(part: Path) -> None:
    for path in (part, _state_of(part)):
        with contextlib.suppress(OSError):
            path.unlink()


def _left_state(part: Path) -> PartState | None:
    try:
        content = json.loads(_state_of(part).read_text("utf-8"))
        return PartState(
            str(content["sha256"]),
            str(content["etag"]),
            None if content["total"] is None else int(content["total"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _delete_old(folder: Path) -> None:
    oldest = time.time() - _OLD_S
    for path in (
        *folder.glob(f"{PREFIX}*.part*"),
        *folder.glob(f"{PREFIX}*.lock"),
    ):  # what kills have left
        with contextlib.suppress(OSError):
            if path.lstat().st_mtime < oldest:
                path.unlink()


def _state_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _unwritable(path: Path, error: OSError) -> Exception:
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG):
        return NotFetched(
            "disk_full",
            f"The disk of {path.parent} is full, so nothing was kept. Make room, and try again.",
        )
    return StoreProblem(
        f"{path.parent} cannot be written to: {error.strerror or error}. Check that folder."
    )
