"""Small real implementations of the ports, deterministic and readable, and makers of cards and
entries for tests.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from stylus_ext.core.card import AdapterCard, AdapterKey
from stylus_ext.core.composition import Candidates
from stylus_ext.core.entry import Description, Entry, View
from stylus_ext.core.errors import Cancelled, InvalidInput
from stylus_ext.core.feedback import Verdict
from stylus_ext.core.fetching import Fetched, NotFetched
from stylus_ext.core.file_names import safe_file_stem
from stylus_ext.core.ports import Embedder, Hit, Matrix, Progress, Query, VectorItem
from stylus_ext.core.probe import Probe
from stylus_ext.core.prompt.words import content_words
from stylus_ext.core.recipes import Recipe


@dataclass
class BagEmbedder:
    """Each word has a fixed random direction; a text is the sum of its words: shared words mean a
    higher cosine.
    """

    name: str = "bag"
    dimensions: int = 64
    texts: list[str] = field(default_factory=list)

    def embed(self, texts: Sequence[str]) -> Matrix:
        self.texts.extend(texts)
        out = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()) or [""]:
                seed = int.from_bytes(
                    hashlib.sha256(f"{self.name}/{word}".encode("utf-8", "surrogatepass")).digest()[
                        :8
                    ],
                    "big",
                )
                out[row] += (
                    np.random.default_rng(seed).standard_normal(self.dimensions).astype(np.float32)
                )
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
    values: dict[str, Any] = {
        "key": AdapterKey.civitai(version_id),
        "name": name,
        "source": "starter",
        "base_model": "SD 1.5",
    }
    return AdapterCard(**{**values, **changes})


def make_entry(
    version_id: int = 1, name: str = "Rainy Alley", text: str = "", **changes: Any
) -> Entry:
    """`changes` go to the card, except those of the entry and the description."""
    outer = {
        key: changes.pop(key) for key in ("family", "edits", "files", "probe") if key in changes
    }
    about = {key: changes.pop(key) for key in ("slider", "speed", "utility") if key in changes}
    described = {
        "text": text or name,
        "kind": changes.pop("kind", "style"),
        "weight": changes.pop("recommended", None),
    }
    card = make_card(version_id, name, **changes)
    description = Description(source="card", fingerprint=f"test-{version_id}", **described, **about)
    return Entry(card=card, description=description, **{"family": "sd1", **outer})


def make_probe(**changes: Any) -> Probe:
    """An ordinary LoRA's; of a file of one byte."""
    ordinary = Probe(
        strength=0.4,
        consistency=0.8,
        breaks_at=None,
        weight=None,
        trouble="",
        checkpoint="tiny.safetensors",
        features="tests",
        settings="0" * 16,
        made="2026-11-30",
        size=1,
    )
    return replace(ordinary, **changes)


@dataclass
class MemoryIndex:
    """A vector index in two dictionaries."""

    mark: str = ""
    rows: dict[tuple[View, AdapterKey], tuple[VectorItem, Matrix]] = field(default_factory=dict)

    def fingerprints(self, view: View) -> dict[AdapterKey, str]:
        return {key: item.fingerprint for (of, key), (item, _) in self.rows.items() if of == view}

    def write(self, items: Sequence[VectorItem], vectors: Matrix) -> None:
        if len(items) != len(vectors):
            raise InvalidInput("There must be one vector for each item.")
        for item, vector in zip(items, vectors, strict=True):
            self.rows[item.view, item.key] = item, vector

    def set_mark(self, mark: str) -> None:
        self.mark = mark

    def remove(self, keys: Iterable[AdapterKey]) -> None:
        gone = set(keys)
        self.rows = {place: row for place, row in self.rows.items() if place[1] not in gone}

    def search(
        self, view: View, queries: Matrix, top: int, families: frozenset[str] | None = None
    ) -> list[list[Hit]]:
        fitting = [
            row
            for (of, _), row in self.rows.items()
            if of == view and (families is None or row[0].family in families)
        ]
        found = []
        for query in queries:
            hits = [
                Hit(item.key, float(query.astype(np.float64) @ vector)) for item, vector in fitting
            ]
            found.append(sorted(hits, key=lambda hit: (-hit.cosine, hit.key))[: max(top, 0)])
        return found

    def vector(self, view: View, key: AdapterKey) -> Matrix | None:
        held = self.rows.get((view, key))
        return None if held is None else held[1][np.newaxis]

    def cosines(self, view: View, queries: Matrix, keys: Sequence[AdapterKey]) -> Matrix:
        zero = np.zeros(queries.shape[1], dtype=np.float32)
        rows = [self.rows[view, key][1] if (view, key) in self.rows else zero for key in keys]
        return (
            queries @ np.array(rows, dtype=np.float32).reshape(len(rows), queries.shape[1]).T
        ).astype(np.float32)


@dataclass
class CosineReranker:
    """By the cosine of the prompt with name and text of the card."""

    embedder: Embedder

    def rerank(self, query: Query, candidates: Candidates) -> Candidates:
        asked = self.embedder.embed([query.prompt.text])[0]
        texts = [
            f"{candidate.entry.card.name} {candidate.entry.text}" for candidate in candidates.found
        ]
        cosines = self.embedder.embed(texts) @ asked if texts else np.zeros(0, dtype=np.float32)
        return _ordered(candidates, np.round(cosines, 5).tolist())


@dataclass
class WordReranker:
    """By the share of the prompt's words that the card has."""

    def rerank(self, query: Query, candidates: Candidates) -> Candidates:
        said = set(content_words(query.prompt.text))
        cards = [
            set(content_words(f"{candidate.entry.card.name} {candidate.entry.text}"))
            for candidate in candidates.found
        ]
        return _ordered(candidates, [len(said & card) / max(len(said), 1) for card in cards])


def _ordered(candidates: Candidates, scores: Sequence[float]) -> Candidates:
    scored = [
        replace(candidate, score=score)
        for candidate, score in zip(candidates.found, scores, strict=True)
    ]
    return replace(
        candidates,
        found=tuple(sorted(scored, key=lambda candidate: (-candidate.score, candidate.key))),
    )


@dataclass
class FolderDownloader:
    """Has some files in memory, by version, and writes them into a folder."""

    folder: Path
    files: dict[int, bytes]

    def fetch(self, card: AdapterCard, progress: Progress) -> Fetched:
        progress.report(f"Fetching {card.name}", 0)
        body = self.files.get(int(card.key.value))
        if body is None:
            raise NotFetched("missing", f"{card.name} is not here.")
        stem = safe_file_stem(card.name, ())
        path = self.folder / f"{stem}.safetensors"
        new = not path.exists()
        path.write_bytes(body)
        return Fetched(
            card.key,
            str(path),
            stem,
            hashlib.sha256(body).hexdigest(),
            len(body) if new else 0,
            new,
        )


@dataclass
class MemoryVerdicts:
    """Counts in a dictionary."""

    said: dict[tuple[AdapterKey, str], int] = field(default_factory=dict)
    changes: int = 0

    @property
    def mark(self) -> str:
        return str(self.changes)

    def tell(self, key: AdapterKey, prompt: str, *, wrong: bool) -> None:
        self.changes += 1
        if wrong:
            self.said[key, prompt] = self.said.get((key, prompt), 0) + 1
        else:
            self.said.pop((key, prompt), None)

    def all(self) -> tuple[Verdict, ...]:
        return tuple(Verdict(key, prompt, times) for (key, prompt), times in self.said.items())


@dataclass
class MemoryRecipes:
    """Keeps them in a dictionary."""

    kept: dict[str, Recipe] = field(default_factory=dict)

    def keep(self, recipe: Recipe) -> None:
        self.kept[recipe.name] = recipe

    def forget(self, name: str) -> bool:
        return self.kept.pop(name, None) is not None

    def all(self) -> tuple[Recipe, ...]:
        return tuple(self.kept[name] for name in sorted(self.kept))
