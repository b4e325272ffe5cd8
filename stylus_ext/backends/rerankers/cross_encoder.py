"""The `Reranker` of this machine: a sentence-transformers cross-encoder reads prompt and card
together and says how well they fit.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from stylus_ext.backends.rerankers.ranking import document, foremost, ordered, usable
from stylus_ext.core.candidates import Candidates
from stylus_ext.core.errors import DeadlineExceeded, Unavailable
from stylus_ext.core.ports import Query

logger = logging.getLogger(__name__)

_BATCH = 8
_LONGEST = 512


class CrossEncoderReranker:
    """Loaded with the first prompt that needs it, which waits for that; the deadline is for the
    reading.
    """

    def __init__(
        self, find: Callable[[], Path], device: str = "cpu", most: int = 50, deadline_s: float = 5.0
    ) -> None:
        self._find, self._device, self._most, self._deadline_s = find, device, most, deadline_s
        self._lock = Lock()
        self._model: Any = None

    def rerank(self, query: Query, candidates: Candidates) -> Candidates:
        chosen = foremost(candidates, self._most)
        if not chosen:
            return candidates
        prompt = query.prompt.text.encode("utf-8", "replace").decode("utf-8") or " "
        pairs = [(prompt, document(candidate.entry)) for candidate in chosen]
        scores: dict[int, float] = {}
        with self._lock:
            model = self._loaded()
            until = time.monotonic() + self._deadline_s
            for start in range(0, len(pairs), _BATCH):
                if time.monotonic() > until:
                    raise DeadlineExceeded(
                        f"The cross-encoder did not read {len(pairs)} cards within"
                        f" {self._deadline_s:g} s. Raise reranking.rerank_deadline, or lower"
                        " reranking.rerank_most."
                    )
                made = model.predict(
                    pairs[start : start + _BATCH],
                    batch_size=_BATCH,
                    show_progress_bar=False,
                    convert_to_numpy=True,
                )
                scores.update(enumerate((self._number(score) for score in made), start))
        return ordered(candidates, chosen, scores)

    def _number(self, score: Any) -> float:
        """A model that says how likely each of several classes is ranks nothing."""
        if getattr(score, "ndim", 0):
            raise Unavailable(
                "This cross-encoder gives several numbers for one pair, so that nothing can be"
                " ranked by it; name another one."
            )
        if not usable(float(score)):
            raise Unavailable(
                "The cross-encoder gave something that is not a number; try device cpu or another"
                " model."
            )
        return float(score)

    def _loaded(self) -> Any:
        if self._model is None:
            folder, began = self._find(), time.perf_counter()
            self._model = self._load(folder)
            logger.info(
                "Loaded the cross-encoder in %s in %.1f s.",
                folder.name,
                time.perf_counter() - began,
            )
        return self._model

    def _load(self, folder: Path) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from sentence_transformers import CrossEncoder

            try:
                return CrossEncoder(
                    str(folder),
                    device=self._device,
                    max_length=_LONGEST,
                    local_files_only=True,
                    model_kwargs={"use_safetensors": True},
                )
            except (
                OSError,
                ValueError,
                RuntimeError,
                KeyError,
                AssertionError,
                ImportError,
                TypeError,
            ) as problem:
                raise Unavailable(
                    f"The cross-encoder {folder.name!r} could not be loaded on {self._device}:"
                    f" {problem}"
                ) from problem
