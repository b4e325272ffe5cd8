"""Hashes of LoRA files, computed after indexing and beside other work: paths go in, SHA256 comes
out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from stylus_ext.backends.statements.header import read_header
from stylus_ext.core.card import AUTO_V3, Digests, LocalFile
from stylus_ext.core.errors import Unavailable
from stylus_ext.core.ports import Progress

_CHUNK = 4 * 1024 * 1024


def digests_of(path: Path, progress: Progress) -> Digests:
    """Both hashes in one reading. Reports after each chunk, so that it can be stopped;
    `Unavailable` if the file changes.
    """
    start = read_header(path).start
    whole, tensors = hashlib.sha256(), hashlib.sha256()
    try:
        before = path.stat()
        with path.open("rb") as file:
            beginning = file.read(start)
            whole.update(beginning)
            done = len(beginning)
            while chunk := file.read(_CHUNK):
                whole.update(chunk)
                tensors.update(chunk)
                done += len(chunk)
                progress.report(f"Hashing {path.name}", done, before.st_size)
        after = path.stat()
    except OSError as error:
        raise Unavailable(
            f"{path.name} could not be hashed: {error.strerror}. It will be tried again."
        ) from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise Unavailable(f"{path.name} changed while it was hashed. It will be tried again.")
    return Digests(whole.hexdigest(), tensors.hexdigest()[:AUTO_V3])


def sha256_of(path: Path, progress: Progress) -> str:
    """The SHA256 of the file."""
    return digests_of(path, progress).sha256


def unhashed(files: Iterable[LocalFile]) -> list[LocalFile]:
    """The files whose hash nobody knows yet, small ones first."""
    return sorted(
        (file for file in files if file.sha256 is None), key=lambda file: (file.size, file.path)
    )
