"""Files of probes in the data folder: pictures being made, and the small ones that are kept."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from stylus_ext.core.card import LocalFile
from stylus_ext.core.entry import Entry
from stylus_ext.core.errors import InvalidInput, StoreProblem
from stylus_ext.core.files import write_file
from stylus_ext.core.probing import ProbePlace
from stylus_ext.net.thumbnails import EDGE, Thumbnails

FOLDER = "probes"
_BASE, _PREVIEWS = "base", "previews"
_FAILED = ".failed"
_LONGEST_ID = 16


def file_id(file: LocalFile) -> str:
    """Names the folder of a LoRA's pictures; another file has another."""
    about = f"{file.stem}\0{file.size}\0{file.sha256 or file.mtime_ns}"
    return hashlib.sha256(about.encode("utf-8", "surrogatepass")).hexdigest()[:_LONGEST_ID]


@dataclass(frozen=True, slots=True)
class ProbePictures:
    """Pictures made with the same settings. Those without a LoRA stay for the next LoRA.

    A picture is complete where its file is; one that the WebUI could not make has a mark instead.
    """

    folder: Path

    @classmethod
    def of(cls, data_folder: Path, fingerprint: str) -> ProbePictures:
        return cls(data_folder / FOLDER / fingerprint)

    def file(self, place: ProbePlace, lora: str) -> Path:
        return self.folder / (lora if place.weight else _BASE) / place.file

    def has(self, place: ProbePlace, lora: str) -> bool:
        return self.file(place, lora).is_file() or self.has_failed(place, lora)

    def has_failed(self, place: ProbePlace, lora: str) -> bool:
        return _failed(self.file(place, lora)).is_file()

    def keep(self, place: ProbePlace, lora: str, data: bytes | None) -> None:
        """Write a picture, or the mark that there is none."""
        file = self.file(place, lora)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_file(file if data is not None else _failed(file), data or b"", durable=True)
        except OSError as error:
            raise StoreProblem(f"{file} cannot be written: {error.strerror or error}.") from error

    def forget(self, lora: str) -> None:
        """Delete the pictures of one LoRA, after they were measured."""
        shutil.rmtree(self.folder / lora, ignore_errors=True)


def _failed(file: Path) -> Path:
    return file.with_suffix(_FAILED)


class ProbePreviews:
    """Small pictures made with LoRAs that have none of their own, by their path in the data
    folder.
    """

    def __init__(self, data_folder: Path) -> None:
        self._data_folder = data_folder

    def keep(self, data: bytes) -> str:
        """Store a small JPEG of a picture; returns its path."""
        small = Thumbnails(edge=EDGE).small(data)
        path = f"{FOLDER}/{_PREVIEWS}/{hashlib.sha256(small).hexdigest()[:32]}.jpg"
        file = self._data_folder / path
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_file(file, small)
        except OSError as error:
            raise StoreProblem(f"{file} cannot be written: {error.strerror or error}.") from error
        return path

    def has(self, entry: Entry) -> bool:
        return entry.probe is not None and bool(entry.probe.preview)

    def small(self, entry: Entry) -> bytes:
        name = entry.card.name[:80]
        if entry.probe is None or not entry.probe.preview:
            raise InvalidInput(f"No picture was made with {name!r}.")
        try:
            return (self._data_folder / entry.probe.preview).read_bytes()
        except OSError as error:
            raise InvalidInput(f"The picture of {name!r} is gone.") from error

    def forget(self, path: str) -> None:
        if path:
            with contextlib.suppress(OSError):
                (self._data_folder / path).unlink()
