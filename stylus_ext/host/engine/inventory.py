"""What this WebUI can load, for an engine that does not see its disk.

Nothing is hashed: SHA256 comes from the host's cache or sidecars, AutoV3 and families from the
host.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylus_ext.core.family import family_of, known_families
from stylus_ext.host.checkpoint import object_at

MOST = 100_000
_SHA256 = 64
_KIB = 1024
_LOOK_AGAIN_S = 300.0
_VERSIONS = {"sdxl": "sdxl", "sd2": "sd2", "sd3": "sd3", "flux": "flux1"}
"""Families by the Lora extension's names; it gives SD1 to any file with metadata, so not that."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """`stems` are those of the LoRAs among the items."""

    items: tuple[Mapping[str, str], ...] = ()
    stems: frozenset[str] = frozenset()


class HostInventory:
    """Refreshes when the host's listing changes, and periodically for new hashes.

    `files` returns the Lora extension's objects by stem.
    """

    def __init__(
        self,
        files: Callable[[], Mapping[str, Any]],
        listing: Callable[[], object],
        cached: Callable[[str, str], str],
        others: Callable[[], Sequence[Mapping[str, str]]] = tuple,
    ) -> None:
        """`others` gives the items of adapters that are no LoRAs."""
        self._files = files
        self._listing = listing
        self._cached = cached
        self._others = others
        self._seen: tuple[object, float] | None = None
        self._inventory = Inventory()
        self._sums: dict[tuple[str, float, int], str] = {}
        self.sent: tuple[Inventory, str] | None = None
        """What the engine has, and the number that it gave it."""

    def now(self) -> Inventory:
        others = tuple(self._others())
        listing, clock = (self._listing(), others), time.monotonic()
        if self._seen is None or self._seen[0] != listing or clock - self._seen[1] >= _LOOK_AGAIN_S:
            items = tuple(
                self._item(stem, file) for stem, file in sorted(self._files().items())[:MOST]
            )
            self._seen = (listing, clock)
            if items + others != self._inventory.items:
                stems = frozenset(item["stem"] for item in items)
                self._inventory = Inventory(items + others, stems)
        return self._inventory

    def _item(self, stem: str, file: Any) -> dict[str, str]:
        item = {
            "stem": stem,
            "sha256": self._sum(stem, str(getattr(file, "filename", "") or "")),
            "auto_v3": str(getattr(file, "shorthash", "") or ""),
            "family": family(file),
        }
        return {name: value for name, value in item.items() if value}

    def _sum(self, stem: str, path: str) -> str:
        cached = self._cached(path, stem)
        if cached or not path:
            return cached
        try:
            at = Path(path).stat()
        except (OSError, ValueError):
            return ""
        place = (path, at.st_mtime, at.st_size)
        if place not in self._sums:
            self._sums[place] = sidecar_sum(Path(path), at.st_size)
        return self._sums[place]


def family(file: Any) -> str:
    """Family from metadata, else the host's guess; empty if neither is certain."""
    metadata = getattr(file, "metadata", None)
    fields = metadata if isinstance(metadata, Mapping) else {}
    for name in ("modelspec.architecture", "ss_base_model_version"):
        found = family_of(str(fields.get(name) or ""))
        if found in known_families():
            return found
    version = getattr(file, "sd_version", None)
    return _VERSIONS.get(str(getattr(version, "name", version)).lower(), "")


def sidecar_sum(path: Path, size: int) -> str:
    """SHA256 stated by a Civitai or LoRA Manager sidecar for a file of this size."""
    manager = object_at(path.with_suffix(".metadata.json"))
    if manager.get("size") == size and _is_sum(manager.get("sha256")):
        return str(manager["sha256"]).lower()
    files = object_at(path.with_suffix(".civitai.info")).get("files")
    for entry in files if isinstance(files, list) else ():
        hashes = entry.get("hashes") if isinstance(entry, Mapping) else None
        sha256 = hashes.get("SHA256") if isinstance(hashes, Mapping) else None
        kib = entry.get("sizeKB") if isinstance(entry, Mapping) else None
        if _is_sum(sha256) and isinstance(kib, (int, float)) and abs(kib * _KIB - size) < _KIB:
            return str(sha256).lower()
    return ""


def _is_sum(text: object) -> bool:
    return (
        isinstance(text, str)
        and len(text) == _SHA256
        and all(letter in "0123456789abcdefABCDEF" for letter in text)
    )
