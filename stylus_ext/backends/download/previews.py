"""The picture beside a fetched file: an address goes in, a small JPEG under the host's own name for
it comes out, or none.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

from stylus_ext.backends.thumbnails import RemotePictures
from stylus_ext.core.errors import Cancelled, StylusError

logger = logging.getLogger(__name__)

EDGE = 768
"""As large as the host shows cards on any screen."""
_SHOWN = ("png", "jpg", "jpeg", "webp", "gif")


def write_preview(
    pictures: RemotePictures, url: str, file: Path, check: Callable[[], None]
) -> bool:
    """Whether there is one now that was not there; a picture is no reason to fail."""
    if not url or any(
        file.with_suffix(f"{infix}.{kind}").exists()
        for infix in ("", ".preview")
        for kind in _SHOWN
    ):
        return False
    try:
        data = pictures.small(url, check)
    except Cancelled:
        raise
    except StylusError as error:
        logger.info("no preview for %s: %s", file.name, error)
        return False
    with contextlib.suppress(OSError), file.with_suffix(".preview.jpeg").open("xb") as picture:
        picture.write(data)
        return True
    return False
