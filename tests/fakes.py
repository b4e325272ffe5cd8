"""Small real implementations of the ports, deterministic and readable, and makers of cards and entries for tests."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stylus_ext.core.card import AdapterCard, AdapterKey
from stylus_ext.core.description import Description, Entry
from stylus_ext.core.errors import Cancelled
from stylus_ext.core.ports import Matrix


@dataclass
class BagEmbedder:
    """Each word has a fixed random direction; a text is the sum of its words: shared words mean a higher cosine."""

    name: str = "bag"
    dimensions: int = 64
    texts: list[str] = field(default_factory=list)

    def embed(self, texts: Sequence[str]) -> Matrix:
        self.texts.extend(texts)
        out = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()) or [""]:
                seed = int.from_bytes(hashlib.sha256(f"{self.name}/{word}".encode("utf-8", "surrogatepass")).digest()[:8], "big")
                out[row] += np.random.default_rng(seed).standard_normal(self.dimensions).astype(np.float32)
        norms = np.linalg.norm(out, axis=1, keepdims=True)
        unit: Matrix = (out / np.where(norms == 0, 1, norms)).astype(np.float32)
        return unit


@dataclass
class Watch:
    """A progress that remembers; cancels after `patience` reports when that is given."""

    patience: int | None = None
    seen: list[tuple[str, int, int | None]] = field(default_factory=list)

    def report(self, step: str, done: int, total: int | None = None) -> None:
        self.seen.append((step, done, total))
        if self.patience is not None and len(self.seen) > self.patience:
            raise Cancelled("Stopped, as you asked.")


def make_card(version_id: int = 1, name: str = "Rainy Alley", **changes: Any) -> AdapterCard:
    values: dict[str, Any] = {"key": AdapterKey.civitai(version_id), "name": name, "source": "starter", "base_model": "SD 1.5"}
    return AdapterCard(**{**values, **changes})


def make_entry(version_id: int = 1, name: str = "Rainy Alley", text: str = "", **changes: Any) -> Entry:
    """`changes` go to the card, except those of the entry and the description."""
    outer = {key: changes.pop(key) for key in ("family", "edits", "files") if key in changes}
    about = {key: changes.pop(key) for key in ("slider", "speed", "utility") if key in changes}
    described = {"text": text or name, "kind": changes.pop("kind", "style"), "weight": changes.pop("recommended", None)}
    card = make_card(version_id, name, **changes)
    description = Description(source="card", fingerprint=f"test-{version_id}", **described, **about)
    return Entry(card=card, description=description, **{"family": "sd1", **outer})
