"""Embeds prompts; while the encoder is unavailable, retrieval continues by words alone."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock

import numpy as np

from stylus_ext.core.composition import Candidates
from stylus_ext.core.errors import Note, Unavailable
from stylus_ext.core.lru import LruCache
from stylus_ext.core.ports import Embedder, Matrix, Query, Retriever

logger = logging.getLogger(__name__)


LONGEST_S = 5.0
"""What the vectors of one prompt may take, where a server makes them."""
AGAIN_S = 30.0
"""Between two looks whether the encoder is back: each may cost a plan a second."""


class QuestionEmbedder:
    """Wraps the encoder for prompts. `probe` checks cheaply if it is back; `dimensions` are the
    index's. `within` embeds in so many seconds at most, where the encoder is a server.
    """

    def __init__(
        self,
        embedder: Embedder,
        dimensions: Callable[[], int],
        probe: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        within: Callable[[Sequence[str], float], Matrix] | None = None,
    ) -> None:
        self._embedder = embedder
        self._embed_within = within
        self._dimensions = dimensions
        self._probe = probe
        self._clock = clock
        self._guard = threading.Lock()
        self._again_at: float | None = None
        self._why = ""
        self._thread = threading.local()
        self._loading: threading.Event | None = None
        self._load_began = False

    @property
    def name(self) -> str:
        return self._embedder.name

    @property
    def dimensions(self) -> int:
        return self._dimensions() or 1

    def embed(self, texts: Sequence[str]) -> Matrix:
        if self.is_loading:
            return self._without(texts, _LOADING)
        if self._is_up():
            try:
                return self._embed(texts)
            except Unavailable as problem:
                self.mark_unavailable(str(problem))
        why = f"since nothing turns text into vectors: {self._why}"
        return self._without(texts, f"The plan was made by words alone, {why}")

    def _embed(self, texts: Sequence[str]) -> Matrix:
        if self._embed_within is None:
            return self._embedder.embed(texts)
        until = getattr(self._thread, "until", None)
        return self._embed_within(texts, LONGEST_S if until is None else until - self._clock())

    def _without(self, texts: Sequence[str], note: str) -> Matrix:
        self._thread.note = Note("no_encoder", note)
        return np.zeros((len(texts), self.dimensions), dtype=np.float32)

    @property
    def is_loading(self) -> bool:
        return self._loading is not None and not self._loading.is_set()

    def defer(self) -> None:
        """Plan by words alone until `load` has ended."""
        self._loading = threading.Event()

    def load(self) -> None:
        """Load a deferred encoder; plans may wait for it from now on."""
        if self._loading is None:
            return
        self._load_began = True
        try:
            self._embedder.embed(["a first text"])
        except Unavailable as problem:
            self.mark_unavailable(str(problem))
        finally:
            self._loading.set()

    def wait(self, left: float | None) -> None:
        """Wait for an encoder that is being loaded, for half of the time at most."""
        if self._loading is not None and self._load_began:
            self._loading.wait(None if left is None else left / 2)

    @contextmanager
    def within(self, left: float | None) -> Iterator[None]:
        """All that this thread embeds inside is for one prompt, which has `left` seconds."""
        self._thread.note = None
        self._thread.until = self._clock() + min(LONGEST_S, math.inf if left is None else left / 2)
        try:
            yield
        finally:
            self._thread.until = None

    def note(self) -> Note | None:
        """Return, once, what this thread's last query had to do without."""
        note: Note | None = getattr(self._thread, "note", None)
        self._thread.note = None
        return note

    def unavailable_reason(self) -> str:
        """Reason why the encoder is unavailable; empty if it is not."""
        return "" if self._is_up() else self._why

    def mark_unavailable(self, why: str) -> None:
        """Mark the encoder as unavailable, so that queries stop waiting for it."""
        logger.warning("plans are made by words alone: %s", why)
        with self._guard:
            self._again_at, self._why = self._clock() + AGAIN_S, why

    def _is_up(self) -> bool:
        with self._guard:
            if self._again_at is None:
                return True
            if self._clock() < self._again_at:
                return False
            self._again_at = self._clock() + AGAIN_S  # the others do not wait for this look
        try:
            self._probe()
        except Unavailable as problem:
            self.mark_unavailable(str(problem))
            return False
        with self._guard:
            self._again_at = None
        logger.info("the encoder answers again")
        return True


_LOADING = "The plan was made by words only, since the encoder is still being loaded."


class NotingRetriever:
    """A retriever that waits for a loading encoder; a note says that it searched by words."""

    def __init__(self, retriever: Retriever, questions: QuestionEmbedder) -> None:
        self._retriever = retriever
        self._questions = questions

    def find(self, query: Query) -> Candidates:
        self._questions.wait(query.context.left())
        with self._questions.within(query.context.left()):
            found = self._retriever.find(query)
        note = self._questions.note()
        return found if note is None else replace(found, notes=(*found.notes, note))


_MOST = 2048
_QUERY = 64
"""More texts than this at once are a catalogue being indexed, which would only push the prompts
out.
"""


class VectorCache:
    def __init__(self, most: int = _MOST) -> None:
        self._lock = Lock()
        self._kept = LruCache[str, Matrix](most)

    def embed(self, texts: Sequence[str], make: Callable[[Sequence[str]], Matrix]) -> Matrix:
        """Return vectors in order; `make` is called once for texts that are not cached."""
        if not texts or len(texts) > _QUERY:
            return make(texts)
        with self._lock:
            known = {text: self._kept[text] for text in texts if text in self._kept}
        wanted = [text for text in dict.fromkeys(texts) if text not in known]
        if wanted:
            known.update(zip(wanted, make(wanted), strict=True))
        with self._lock:
            for text in texts:
                self._kept[text] = known[text]
        return np.stack([known[text] for text in texts])
