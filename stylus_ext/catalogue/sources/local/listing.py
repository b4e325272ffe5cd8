"""Lists the folders of adapters: files, their sidecars, and files hidden by others; opens nothing.

The WebUI knows a file by its stem and walks the folders in natural order: a later file hides an
earlier one with the same stem.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stylus_ext.catalogue.sources.local.sidecars import PREVIEWS, SIDECARS
from stylus_ext.core.errors import Note

SUFFIX = ".safetensors"
_LOW_BITS = (1 << 24) - 1
_OWN_BITS = 0xFFF << 12


@dataclass(frozen=True, slots=True)
class Found:
    """A file in the file system.

    `changed_ns` is the newest time of the file and its sidecars. Its last 24 bits (a sixtieth of a
    second) are two checksums, of the file's own time and of all times: so an old sidecar that is
    added or removed changes it, and an old file that replaces a newer one.
    """

    path: str
    relative: str
    stem: str
    size: int
    mtime_ns: int
    changed_ns: int
    sidecars: tuple[str, ...]
    preview: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Files that the WebUI sees by stem, hidden files, folders with their times, and notes."""

    seen: Mapping[str, Found]
    hidden: Sequence[Found]
    folders: Mapping[str, int]
    unread: Sequence[str]
    notes: Sequence[Note]


@dataclass(slots=True)
class _Walk:
    suffixes: tuple[str, ...]
    files: list[Found] = field(default_factory=list)
    folders: dict[str, int] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def list_folders(roots: Sequence[Path], suffixes: tuple[str, ...] = (SUFFIX,)) -> Listing:
    """Every file with a suffix below the roots; links are followed, each folder is read once."""
    walk = _Walk(suffixes)
    real: set[str] = set()
    seen: dict[str, Found] = {}
    hidden: list[Found] = []
    for root in roots:
        start = len(walk.files)
        _visit_all(root.absolute(), walk, real)
        for file in sorted(walk.files[start:], key=_host_order):
            if file.stem in seen:
                hidden.append(seen[file.stem])
            seen[file.stem] = file
    walk.notes.extend(
        Note(
            "file_hidden",
            f"{file.path} is hidden by {seen[file.stem].path}, which has the same name. Rename one"
            " of them.",
        )
        for file in hidden
    )
    return Listing(seen, hidden, walk.folders, walk.unread, walk.notes)


def _visit_all(root: Path, walk: _Walk, real: set[str]) -> None:
    waiting = [str(root)]
    while waiting:
        folder = waiting.pop()
        if _shown(folder) != folder:
            walk.notes.append(
                Note(
                    "file_name",
                    f"The folder {_shown(folder)} was skipped: its name is not valid text. Rename"
                    " it.",
                )
            )
            continue
        try:
            itself = str(Path(folder).resolve(strict=True))
            if itself in real:
                continue
            real.add(itself)
            mtime_ns = Path(folder).stat().st_mtime_ns
            with os.scandir(folder) as entries:
                inside = {entry.name: entry for entry in entries}
        except (
            OSError,
            RuntimeError,
        ) as error:  # Python before 3.13 raises RuntimeError for a loop of links
            walk.unread.append(folder)
            reason = error.strerror if isinstance(error, OSError) else error
            walk.notes.append(
                Note(
                    "folder_unreadable",
                    f"The folder {_shown(folder)} could not be read: {reason}. Check that its drive"
                    " is connected, and its permissions.",
                )
            )
            continue
        walk.folders[folder] = mtime_ns
        waiting.extend(entry.path for entry in inside.values() if _is_folder(entry))
        _visit(inside, str(root), walk)


def _visit(inside: Mapping[str, os.DirEntry[str]], root: str, walk: _Walk) -> None:
    for entry in inside.values():
        if (
            not entry.name.lower().endswith(walk.suffixes)
            or entry.name.startswith("._")
            or _is_folder(entry)
        ):
            continue
        shown = _shown(entry.name)
        if shown != entry.name:
            walk.notes.append(
                Note("file_name", f"{shown} was skipped: its name is not valid text. Rename it.")
            )
            continue
        try:
            if not entry.is_file():
                walk.notes.append(
                    Note(
                        "file_unreadable",
                        f"{shown} was skipped: it is not a file, or a link to nowhere. Remove it,"
                        " or mend the link.",
                    )
                )
                continue
            walk.files.append(_found(entry, inside, root))
        except OSError as error:
            walk.notes.append(
                Note(
                    "file_unreadable",
                    f"{shown} was skipped: {error.strerror}. Check its permissions.",
                )
            )


def _found(entry: os.DirEntry[str], inside: Mapping[str, os.DirEntry[str]], root: str) -> Found:
    about = entry.stat()
    stem = entry.name.rpartition(".")[0]
    newest = about.st_mtime_ns
    own = check = zlib.crc32(b"%d" % about.st_mtime_ns)
    present = []
    for suffix in (*SIDECARS, *PREVIEWS):
        beside = _regular(inside.get(stem + suffix))
        if beside is not None:
            present.append(suffix)
            newest = max(newest, beside.st_mtime_ns)
            check = zlib.crc32(
                b"%s %d %d" % (suffix.encode(), beside.st_size, beside.st_mtime_ns), check
            )
    preview = next((suffix for suffix in present if suffix in PREVIEWS), None)
    return Found(
        path=entry.path,
        relative=Path(entry.path).relative_to(root).as_posix(),
        stem=stem,
        size=about.st_size,
        mtime_ns=about.st_mtime_ns,
        changed_ns=(newest & ~_LOW_BITS) | (own << 12 & _OWN_BITS) | (check & 0xFFF),
        sidecars=tuple(suffix for suffix in present if suffix in SIDECARS),
        preview="" if preview is None else inside[stem + preview].path,
    )


def same_time(one_ns: int, other_ns: int) -> bool:
    """Whether two `changed_ns` have the same time of the file itself, whatever its sidecars."""
    return (one_ns ^ other_ns) & _OWN_BITS == 0


def _regular(entry: os.DirEntry[str] | None) -> os.stat_result | None:
    """The status of a regular file; None for broken links and for pipes, which would block."""
    try:
        return entry.stat() if entry is not None and entry.is_file() else None
    except OSError:
        return None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _shown(name: str) -> str:
    """The name as text; undecodable bytes become question marks."""
    return name.encode("utf-8", "replace").decode("utf-8")


def _host_order(file: Found) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    folder, _, name = file.path.rpartition(os.sep)
    return _natural(folder), _natural(name)


def _natural(text: str) -> list[tuple[int, str]]:
    """A sort key with "b10" after "b9"."""
    parts: Iterator[str] = (part for part in re.split(r"([0-9]+)", text.lower()) if part)
    return [
        (int(part), "") if part.isdecimal() and part.isascii() else (-1, part) for part in parts
    ]
