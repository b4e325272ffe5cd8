"""Preview pictures that lie beside the LoRA files which the host lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_ENDINGS = ("png", "jpg", "jpeg", "webp")


def pictured(files: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    return picture_of(files, entry.get("stem")) is not None or bool(entry.get("preview"))


def picture_of(files: Mapping[str, Any], stem: object) -> Path | None:
    if not isinstance(stem, str) or stem not in files:
        return None
    path = Path(str(getattr(files[stem], "filename", files[stem])))
    return next((picture for picture in _beside(path) if picture.is_file()), None)


def _beside(path: Path) -> Iterator[Path]:
    """Paths where the host looks for a card's preview picture."""
    for middle in ("", ".preview"):
        for ending in _ENDINGS:
            yield path.with_name(f"{path.stem}{middle}.{ending}")
