"""The page's actions over the catalogue: what it lists, shows and edits, and pictures: those beside
the host's LoRAs, or the engine's.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stylus_ext.core.errors import InvalidInput
from stylus_ext.host import compat
from stylus_ext.host.answering import File, Payload
from stylus_ext.host.guard import Kind
from stylus_ext.host.ui_actions import Action, Asked

_LARGEST_PICTURE = 16 * 1024 * 1024
_ENDINGS = ("png", "jpg", "jpeg", "webp")
_SIGNS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def _browse(asked: Asked) -> Payload:
    """Says of each entry whether there is a picture, so that none is asked for in vain."""
    answer = asked.engine("POST", "/v1/browse", asked.payload)
    files = compat.listed_files()
    for entry in answer["entries"]:
        entry["picture"] = pictured(files, entry)
    return answer


def _show(asked: Asked) -> Payload:
    answer = asked.engine("POST", "/v1/show", asked.payload)
    answer["entry"]["picture"] = pictured(compat.listed_files(), answer["entry"])
    return answer


def _picture(asked: Asked) -> File:
    """Of what this host lists, by its name; the kind of file is read from the file, not from its
    name. Else the engine may have one.
    """
    path, key = (
        picture_of(compat.listed_files(), asked.payload.get("stem")),
        asked.payload.get("key"),
    )
    if path is None and isinstance(key, str) and key:
        said = asked.engine("POST", "/v1/picture", {"key": key})
        return File(base64.b64decode(said["data"]), str(said["type"]))
    try:
        data = (
            path.read_bytes()
            if path is not None and path.stat().st_size <= _LARGEST_PICTURE
            else b""
        )
    except OSError:
        data = b""
    kind = _kind_of(data)
    if not kind:
        raise InvalidInput("There is no picture of this LoRA.")
    return File(data, kind)


def pictured(files: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    return picture_of(files, entry.get("stem")) is not None or bool(entry.get("preview"))


def picture_of(files: Mapping[str, Any], stem: object) -> Path | None:
    if not isinstance(stem, str) or stem not in files:
        return None
    path = Path(str(getattr(files[stem], "filename", files[stem])))
    return next((one for one in _beside(path) if one.is_file()), None)


def _beside(path: Path) -> Iterator[Path]:
    """Where the host looks for the picture of its own card."""
    for middle in ("", ".preview"):
        for ending in _ENDINGS:
            yield path.with_name(f"{path.stem}{middle}.{ending}")


def _kind_of(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for sign, kind in _SIGNS.items() if data.startswith(sign)), "")


def _passed(path: str) -> Any:
    def run(asked: Asked) -> Payload:
        return asked.engine("POST", f"/v1/{path}", asked.payload)

    return run


ACTIONS: Mapping[str, Action] = {
    "browse": Action(_browse),
    "overview": Action(_passed("overview")),
    "storage": Action(_passed("storage")),
    "show": Action(_show),
    "edit": Action(_passed("edit"), Kind.CHANGE),
    "picture": Action(_picture),
}
