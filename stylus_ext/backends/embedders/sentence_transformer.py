"""The `Embedder` of this machine: any sentence-transformers model; texts in, unit vectors out, no
network once it is here.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Sequence
from threading import Lock, RLock
from typing import Any

import numpy as np

from stylus_ext.backends.embedders.model_files import (
    DEFAULT_MODEL,
    ModelFiles,
    model_files,
    quiet_libraries,
)
from stylus_ext.backends.embedders.recent import Recent
from stylus_ext.core.errors import Unavailable
from stylus_ext.core.ports import Matrix

logger = logging.getLogger(__name__)

_BATCH = 32
_NAME_AT_MOST = 64


class SentenceTransformerEmbedder:
    """Found when its name is asked for, loaded by the first text or by `warm`, one batch at a time
    whoever asks.
    """

    def __init__(self, model: str = DEFAULT_MODEL, device: str = "cpu", threads: int = 2) -> None:
        self._wanted, self._device, self._threads = model, device, threads
        self._lock = RLock()
        self._finding = (
            Lock()
        )  # apart, so that whoever asks for the name does not wait for the loading
        self._recent = Recent()
        self._files: ModelFiles | None = None
        self._model: Any = None

    @property
    def name(self) -> str:
        files = self._found()
        return f"{self._wanted[-_NAME_AT_MOST:]}@{files.identity}/{files.longest}"

    @property
    def dimensions(self) -> int:
        return self._found().dimensions or int(self._loaded().get_embedding_dimension())

    def warm(self) -> None:
        """Loads the model and lets it see a first text, so that the first prompt does not wait for
        either.
        """
        self.embed(["a first text"])

    def embed(self, texts: Sequence[str]) -> Matrix:
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        return self._recent.embed([_plain(text) for text in texts], self._encode)

    def tokens(self, text: str) -> int:
        """How many its own tokenizer counts, however many it would read."""
        return len(
            self._loaded().tokenizer(
                _plain(text), add_special_tokens=False, truncation=False, verbose=False
            )["input_ids"]
        )

    def _encode(self, texts: Sequence[str]) -> Matrix:
        model = self._loaded()
        with self._lock:
            made = model.encode(
                list(texts),
                batch_size=_BATCH,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        vectors = np.asarray(made, dtype=np.float32)
        if not np.isfinite(vectors).all():
            raise Unavailable(
                f"The model {self._wanted!r} gave vectors that are not numbers; try device cpu or"
                " another model."
            )
        return vectors

    def _found(self) -> ModelFiles:
        with self._finding:
            if self._files is None:
                self._files = model_files(self._wanted)
            return self._files

    def _loaded(self) -> Any:
        with self._lock:
            if self._model is None:
                began = time.perf_counter()
                self._model = self._load(self._found())
                logger.info("Loaded %s in %.1f s.", self._wanted, time.perf_counter() - began)
            return self._model

    def _load(self, files: ModelFiles) -> Any:
        quiet_libraries()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import torch
            from sentence_transformers import SentenceTransformer

            torch.set_num_threads(self._threads)
            try:
                return SentenceTransformer(
                    str(files.folder),
                    device=self._device,
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
            ) as problem:
                raise Unavailable(
                    f"The model {self._wanted!r} could not be loaded on {self._device}: {problem} "
                    f"Use {DEFAULT_MODEL} on cpu, which is always there."
                ) from problem


def _plain(text: str) -> str:
    """Half a surrogate pair, which the tokenizer refuses, as the replacement mark that it stands
    for.
    """
    return text.encode("utf-8", "replace").decode("utf-8")
