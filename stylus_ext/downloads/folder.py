"""The LoRA folder: locks, lookup by hash, and placement that never overwrites a file."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from filelock import lock_descriptor

from stylus_ext.core.errors import InvalidInput, StoreProblem, Unavailable, reason_of
from stylus_ext.core.file_names import safe_file_stem
from stylus_ext.core.files import open_regular
from stylus_ext.downloads.part import PART_SUFFIX, PREFIX, delete_part
from stylus_ext.net.waiting import pause

_AGAIN_S = 0.05
_NO_LOCKS = {
    errno.ENOLCK,
    errno.ENOSYS,
    getattr(errno, "EOPNOTSUPP", errno.ENOSYS),
    getattr(errno, "ENOTSUP", errno.ENOSYS),
}
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)


@contextlib.contextmanager
def hold_file(
    path: Path, check: Callable[[], None], waiting: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Hold a lock file, waiting for other threads and processes.

    Calls `waiting` once if it has to wait; `check` may end the wait. On a drive without locks
    it goes on without one: part files have unique names and are placed exclusively.
    """
    notified = False
    while (handle := _try_lock(path)) is None:
        if not notified:
            waiting()
            notified = True
        pause(_AGAIN_S, check)
    try:
        yield
    finally:
        _release(path, handle)


def _release(path: Path, handle: int) -> None:
    """Delete the lock, which filelock's FileLock would leave in the user's LoRA folder.

    Windows refuses to delete an open file; the next holder deletes it.
    """
    with contextlib.suppress(OSError):
        path.unlink()
    os.close(handle)


def _release_left(path: Path) -> None:
    with contextlib.suppress(OSError, StoreProblem):
        handle = _try_lock(path) if path.exists() else None
        if handle is not None:
            _release(path, handle)


def _try_lock(path: Path) -> int | None:
    """Open and lock the file; None while it is locked elsewhere."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | _NOFOLLOW, 0o600)
    except PermissionError:
        if sys.platform == "win32" and path.exists():  # it is being deleted
            return None
        raise _not_writable(path, "its folder cannot be written to") from None
    except OSError as error:
        raise _not_writable(path, error.strerror or str(error)) from error
    try:
        locked = lock_descriptor(handle, blocking=False)
    except OSError as error:
        locked = error.errno in _NO_LOCKS
    if locked and _is_current(handle, path):
        return handle
    os.close(handle)
    return None


def _not_writable(path: Path, why: str) -> StoreProblem:
    return StoreProblem(f"Cannot download into {path.parent}: {why}. Check the folder's rights.")


def _is_current(handle: int, path: Path) -> bool:
    """Whether the locked file is still the one at this path: holders delete it at the end."""
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except OSError:
        return False


SUFFIX = ".safetensors"
_LOADED = frozenset({SUFFIX, ".pt", ".bin", ".ckpt"})
"""Suffixes of files that the host loads as adapters, by stem alone."""
_ROUNDED = 1024
_PIECE = 1024 * 1024
_NO_LINKS = {
    errno.EPERM,
    errno.ENOSYS,
    errno.EMLINK,
    errno.EXDEV,
    getattr(errno, "EOPNOTSUPP", 0),
    getattr(errno, "ENOTSUP", 0),
}

Check = Callable[[], None]


def _nothing() -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class LoraFolderWriter:
    """Writes into `root`; `others` are the host's other LoRA folders.

    `names` returns further names that the host reserves, `hashes` the known SHA256 by path.
    """

    root: Path
    others: tuple[Path, ...] = ()
    names: Callable[[], Collection[str]] = frozenset
    hashes: Callable[[], Mapping[str, str]] = field(default=_nothing)

    def inside(self, subfolder: str) -> Path:
        """Create and return a folder below the root; refuse a link that leads outside."""
        root = self.root.resolve()
        folder = root / safe_file_stem(subfolder, ()) if subfolder else root
        try:
            folder.mkdir(exist_ok=True)
            real = folder.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise StoreProblem(
                f"The folder {folder} cannot be created: {reason_of(error)}. Check the LoRA folder."
            ) from error
        if not real.is_relative_to(root):
            raise InvalidInput(
                f"{folder} is outside the LoRA folder. Switch subfolders off (--no-by-family)."
            )
        return real

    def lock(self, name: str) -> Path:
        return self.root.resolve() / f"{PREFIX}{name}.lock"

    def sweep(self, folder: Path) -> None:
        """Delete the locks and empty parts that kills have left; those in use are locked."""
        root = self.root.resolve()
        for path in sorted(root.glob(f"{PREFIX}*.lock")):
            _release_left(path)
        for part in sorted(folder.glob(f"{PREFIX}*{PART_SUFFIX}")):
            identity = part.name.removeprefix(PREFIX).rpartition("-")[0]
            lock = self.lock(identity)
            with contextlib.suppress(OSError, StoreProblem):
                if part.lstat().st_size == 0 and (handle := _try_lock(lock)) is not None:
                    delete_part(part)
                    _release(lock, handle)

    def holding(self, sha256: str, size: int, check: Check) -> Path | None:
        """Find the file with this hash under any name; only files of its size are read."""
        if not sha256:
            return None
        known = self.hashes()
        for path, there in self._files():
            if (
                path.suffix.lower() == SUFFIX
                and (not size or abs(there - size) <= _ROUNDED)
                and _sha256(path, known, check) == sha256
            ):
                return path
        return None

    def has(self, path: Path) -> bool:
        """Whether the path is in one of the host's folders."""
        real = path.resolve()
        return any(real.is_relative_to(folder.resolve()) for folder in (self.root, *self.others))

    def place(
        self, part: Path, folder: Path, wanted: Callable[[Collection[str]], str], check: Check
    ) -> Path:
        """Move a part to a free name, which `wanted` makes from the taken stems.

        One at a time per folder, since two files with one stem hide each other.
        """
        with hold_file(self.lock("names"), check):
            refused: set[str] = set()
            while True:
                check()
                target = folder / (wanted({*self._stems(), *self.names(), *refused}) + SUFFIX)
                if target.resolve().parent != folder:
                    raise InvalidInput(f"{target.name} is not a valid file name.")
                if _place_exclusively(part, target):
                    return target
                refused.add(target.name.removesuffix(SUFFIX))

    def _stems(self) -> set[str]:
        return {path.name[: -len(path.suffix)] for path, _ in self._files()}

    def _files(self) -> Iterator[tuple[Path, int]]:
        """Yield files with sizes; follow folder links like the host, each folder once."""
        seen: set[str] = set()
        waiting = [str(folder) for folder in (self.root, *self.others)]
        while waiting:
            folder = waiting.pop()
            real = os.path.realpath(folder)
            if real in seen:
                continue
            seen.add(real)
            yield from _listed(folder, waiting)


def _listed(folder: str, waiting: list[str]) -> Iterable[tuple[Path, int]]:
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir():
                    waiting.append(entry.path)
                elif Path(entry.name).suffix.lower() in _LOADED:
                    found.append((Path(entry.path), entry.stat().st_size if entry.is_file() else 0))
    except OSError as error:
        if not found and not Path(folder).exists():
            raise Unavailable(f"The folder {folder} is gone. Check your LoRA folder.") from error
    return found


def _sha256(path: Path, known: Mapping[str, str], check: Check) -> str:
    return known.get(str(path)) or sha256_of(path, check)


def sha256_of(path: Path, check: Check) -> str:
    """Return the SHA256 of a file; empty if it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open_regular(path) as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
                check()
    except OSError:
        return ""
    return digest.hexdigest()


def _place_exclusively(part: Path, target: Path) -> bool:
    """Move the part to its name; False if the name is taken."""
    try:
        if sys.platform == "win32":
            part.rename(target)  # which refuses there what it would overwrite elsewhere
            return True
        try:
            os.link(part, target)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return _place_without_links(part, target)
        part.unlink()
        _sync_folder(target.parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise StoreProblem(
            f"{target} cannot be written: {error.strerror or error}. Check that folder."
        ) from error
    return True


def _place_without_links(part: Path, target: Path) -> bool:
    """On drives without links: reserve the name with an empty file, then replace it."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
    try:
        part.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            target.unlink()
        raise
    return True


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
