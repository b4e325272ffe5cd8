"""Thumbnails of the user's own pictures, from the WebUI's output folders only."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stylus_ext.core.errors import InvalidInput
from stylus_ext.host.web.jobs import picture_folders
from stylus_ext.host.web.responses import ActionRequest, File

_EDGE = 320
_LARGEST = 64 * 1024 * 1024
_KINDS = (".png", ".jpg", ".jpeg", ".webp")


def with_own_pictures(entry: dict[str, Any]) -> None:
    """Leave out the pictures of an entry's uses that the WebUI may not serve."""
    uses = entry.get("uses")
    if uses:
        folders = picture_folders()
        uses["newest"] = [use for use in uses["newest"] if served_path(use["path"], folders)]


def served_path(path: object, folders: Sequence[str]) -> Path | None:
    """The file at `path` if it is a picture below one of the folders, links resolved."""
    if not isinstance(path, str) or "\0" in path or not path.lower().endswith(_KINDS):
        return None
    # The plain comparison comes first: resolving asks the server of a network path.
    plain = Path(os.path.abspath(path))  # noqa: PTH100
    if not any(plain.is_relative_to(folder) for folder in folders):
        return None
    try:
        real = plain.resolve(strict=True)
        inside = any(real.is_relative_to(Path(folder).resolve()) for folder in folders)
        return real if inside and real.is_file() else None
    except (OSError, RuntimeError):
        return None


def thumbnail(request: ActionRequest) -> File:
    from PIL import Image

    path = served_path(request.payload.get("path"), picture_folders())
    if path is None:
        raise InvalidInput("There is no such picture in the output folders.")
    out = io.BytesIO()
    try:
        if path.stat().st_size > _LARGEST:
            raise InvalidInput("The picture is too large for a thumbnail.")
        with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as picture:
            picture.draft("RGB", (_EDGE, _EDGE))
            picture.thumbnail((_EDGE, _EDGE))
            picture.convert("RGB").save(out, "JPEG", quality=85)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InvalidInput("The picture cannot be read.") from error
    return File(out.getvalue(), "image/jpeg")
