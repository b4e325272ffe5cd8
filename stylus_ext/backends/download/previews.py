"""The picture beside a fetched file: an address of an allowed host goes in, a checked picture under the host's own name comes out, or none."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable, Collection
from pathlib import Path

from stylus_ext.backends.http import Http, origin_of
from stylus_ext.core.errors import Cancelled, StylusError

logger = logging.getLogger(__name__)

ORIGINS = frozenset({"https://image.civitai.com", "https://imagecache.civitai.com"})
_LARGEST = 8 * 1024 * 1024
_MOST_PIXELS = 40_000_000
_SUFFIXES = {"PNG": "png", "JPEG": "jpeg", "WEBP": "webp"}
_SHOWN = ("png", "jpg", "jpeg", "webp", "gif")


def write_preview(http: Http, url: str, file: Path, check: Callable[[], None], origins: Collection[str] = ORIGINS) -> bool:
    """Whether there is one now that was not there; a picture is no reason to fail."""
    if not url or any(file.with_suffix(f"{infix}.{kind}").exists() for infix in ("", ".preview") for kind in _SHOWN):
        return False
    try:
        if origin_of(url) not in origins:
            return False
        data = _received(http, url, check, origins)
    except Cancelled:
        raise
    except StylusError as error:
        logger.info("no preview for %s: %s", file.name, error)
        return False
    kind = _kind(data)
    if not kind:
        return False
    with contextlib.suppress(OSError), file.with_suffix(f".preview.{kind}").open("xb") as picture:
        picture.write(data)
        return True
    return False


def _received(http: Http, url: str, check: Callable[[], None], origins: Collection[str]) -> bytes:
    data = bytearray()
    with http.stream(url, check=check) as answer:
        if answer.origin not in origins:
            return b""
        for piece in answer.pieces():
            data += piece
            if len(data) > _LARGEST:
                return b""
    return bytes(data)


def _kind(data: bytes) -> str:
    """The end of its name, if it is a picture that can be shown and is of a sane size; it is not decoded here."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=list(_SUFFIXES)) as picture:
            fits = picture.width * picture.height <= _MOST_PIXELS
            return _SUFFIXES.get(picture.format or "", "") if fits else ""
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""
