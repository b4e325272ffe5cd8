"""Find recipes again: a prompt goes in, those whose prompts are most like it come out; by their
words where no encoder answers.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stylus_ext.core.lru import LruCache
from stylus_ext.core.ports import Embedder, Matrix
from stylus_ext.core.prompt.words import content_words
from stylus_ext.core.recipes import Recipe

_REMEMBERED = 5000


@dataclass(frozen=True)
class FindRecipes:
    """The use case. What was encoded once is remembered, since a recipe's prompt stays."""

    embedder: Embedder
    _known: LruCache[tuple[str, str], Matrix] = field(default_factory=lambda: LruCache(_REMEMBERED))
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, recipes: Sequence[Recipe], prompt: str) -> list[tuple[Recipe, float]]:
        """Best first, with how alike they are, from 0 to 1."""
        if not recipes:
            return []
        vectors = self._vectors([prompt, *(recipe.prompt for recipe in recipes)])
        alike = vectors[1:] @ vectors[0]
        if not vectors[0].any():
            alike = np.asarray(
                [_shared(prompt, recipe.prompt) for recipe in recipes], dtype=np.float32
            )
        scored = [
            (recipe, round(float(min(1.0, max(0.0, score))), 4))
            for recipe, score in zip(recipes, alike, strict=True)
        ]
        return sorted(scored, key=lambda pair: (-pair[1], pair[0].name))

    def _vectors(self, texts: Sequence[str]) -> Matrix:
        name = self.embedder.name
        with self._guard:
            known = {text: self._known[name, text] for text in texts if (name, text) in self._known}
            missing = [text for text in dict.fromkeys(texts) if text not in known]
            if missing:
                made = self.embedder.embed(missing)
                if not made.any(axis=1).all():  # the server does not answer
                    return np.zeros((len(texts), made.shape[1]), dtype=np.float32)
                for text, vector in zip(missing, made, strict=True):
                    known[text] = self._known[name, text] = vector
            return np.stack([known[text] for text in texts])


def _shared(one: str, other: str) -> float:
    first, second = set(content_words(one)), set(content_words(other))
    return len(first & second) / len(first | second) if first and second else 0.0
