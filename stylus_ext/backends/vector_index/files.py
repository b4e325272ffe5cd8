"""Small files that are either the old or the new one, whatever kills the writer between."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


def write_json(path: Path, value: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.part")
    with fresh.open("w", encoding="ascii") as out:
        json.dump(value, out)
        out.flush()
        os.fsync(out.fileno())
    os.replace(fresh, path)  # noqa: PTH105


def read_json(path: Path) -> dict[str, Any] | None:
    """None when there is no such file, or none that makes sense: whoever asks then starts anew."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        logger.warning("%s cannot be read and is made anew.", path)
        return None
    return value if isinstance(value, dict) else None


def discard(path: Path) -> None:
    """Deletes a file that nothing needs; one that a reader on Windows still has mapped is swept on
    a later opening.
    """
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        logger.debug("%s is still in use and stays for now.", path)
