"""Find saved recipes by their prompts: by embedding, or by shared words if no encoder answers."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stylus_ext.core.lru import LruCache
from stylus_ext.core.ports import Embedder, Matrix
from stylus_ext.core.prompt.words import content_words
from stylus_ext.core.recipes import Recipe

_VECTORS_KEPT = 5000


@dataclass(frozen=True)
class FindRecipes:
    """Embeddings are cached, since the prompts of recipes do not change."""

    embedder: Embedder
    _vectors: LruCache[tuple[str, str], Matrix] = field(
        default_factory=lambda: LruCache(_VECTORS_KEPT)
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, recipes: Sequence[Recipe], prompt: str) -> list[tuple[Recipe, float]]:
        """The recipes with their similarity from 0 to 1, best first."""
        if not recipes:
            return []
        vectors = self._embed([prompt, *(recipe.prompt for recipe in recipes)])
        scores = vectors[1:] @ vectors[0]
        if not vectors[0].any():
            shared = [_shared_words(prompt, recipe.prompt) for recipe in recipes]
            scores = np.asarray(shared, dtype=np.float32)
        scored = [
            (recipe, round(float(min(1.0, max(0.0, score))), 4))
            for recipe, score in zip(recipes, scores, strict=True)
        ]
        return sorted(scored, key=lambda pair: (-pair[1], pair[0].name))

    def _embed(self, texts: Sequence[str]) -> Matrix:
        """Zeros if no encoder answers."""
        name = self.embedder.name
        with self._lock:
            known = {
                text: self._vectors[name, text] for text in texts if (name, text) in self._vectors
            }
            missing = [text for text in dict.fromkeys(texts) if text not in known]
            if missing:
                made = self.embedder.embed(missing)
                if not made.any(axis=1).all():
                    return np.zeros((len(texts), made.shape[1]), dtype=np.float32)
                for text, vector in zip(missing, made, strict=True):
                    known[text] = self._vectors[name, text] = vector
            return np.stack([known[text] for text in texts])


def _shared_words(prompt: str, other: str) -> float:
    first, second = set(content_words(prompt)), set(content_words(other))
    return len(first & second) / len(first | second) if first and second else 0.0
