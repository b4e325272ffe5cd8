"""Embedder for an OpenAI-compatible embeddings API.

The key is sent only to the origin it was entered for, texts only to the configured address,
regardless of redirects. A slow or endless answer ends with the deadline.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np

from stylus_ext.catalogue.embedders.questions import VectorCache
from stylus_ext.core.errors import DeadlineExceeded, Unavailable
from stylus_ext.core.ports import Matrix
from stylus_ext.net import BadAnswer, Http, HttpRefusal, Key, TimeLimits, Unreachable
from stylus_ext.net.keys import api_base

_BATCH = 64
_CHARACTERS = 2000
"""More than a card or a prompt says; small servers refuse what is longer than their model reads."""
_FIRST_PAUSE_S = 0.5
_ENDLESS_S = 24 * 3600.0
"""Each request has a deadline of its own, which the check holds."""
_MOST_BYTES = 32 * 1024 * 1024
"""Twice what a batch of the longest vectors takes."""


class EndpointEmbedder:
    """Requests vectors of `dimensions`, or of the model's own length if 0."""

    def __init__(
        self,
        url: str,
        model: str,
        key: Key | None = None,
        *,
        dimensions: int = 0,
        deadline: float = 60.0,
    ) -> None:
        self._base = api_base(url, "/embeddings", "embeddings server")
        self._model, self._key, self._deadline = model, key, deadline
        self._recent = VectorCache()
        self._lock = Lock()
        self._http: Http | None = None
        self._wanted = self._dimensions = dimensions

    @property
    def name(self) -> str:
        """Includes the vector length: other lengths count as another embedder's vectors."""
        shortened = f" with {self._wanted} dimensions" if self._wanted else ""
        return f"{self._model}{shortened} at {self._base}"

    @property
    def dimensions(self) -> int:
        """Vector length, requested from the server on first use."""
        if not self._dimensions:
            self.embed(["a first text"])
        return self._dimensions

    @property
    def known(self) -> int:
        """Vector length if known, else 0; sends nothing."""
        return self._dimensions

    def remember(self, dimensions: int) -> None:
        """Set the vector length of an earlier answer."""
        with self._lock:
            self._dimensions = self._dimensions or dimensions

    def probe(self, seconds: float = 1.0) -> None:
        """Check the server with one short request; raises if it does not answer."""
        self._fetch(["a first text"], time.monotonic() + seconds)

    def embed(self, texts: Sequence[str]) -> Matrix:
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        return self._recent.embed([_sendable(text) for text in texts], self._fetch_all)

    def embed_within(self, texts: Sequence[str], seconds: float) -> Matrix:
        """The same for the few texts of a prompt, in `seconds` at most."""
        until = time.monotonic() + seconds
        try:
            return self._recent.embed(
                [_sendable(text) for text in texts], lambda wanted: self._fetch(wanted, until)
            )
        except DeadlineExceeded as late:
            raise Unavailable(str(late)) from late

    def close(self) -> None:
        """Close connections; the next request opens new ones."""
        with self._lock:
            http, self._http = self._http, None
        if http is not None:
            http.close()

    def _fetch_all(self, texts: Sequence[str]) -> Matrix:
        until = time.monotonic() + self._deadline * (1 + len(texts) // _BATCH)
        batches = range(0, len(texts), _BATCH)
        return np.concatenate(
            [self._fetch(texts[start : start + _BATCH], until) for start in batches]
        )

    def _fetch(self, texts: Sequence[str], until: float) -> Matrix:
        def check() -> None:
            if time.monotonic() >= until:
                raise DeadlineExceeded(
                    f"The embeddings server at {self._base} did not answer in time. Try again"
                    " later."
                )

        body: dict[str, Any] = {
            "model": self._model,
            "input": list(texts),
            "encoding_format": "float",
        }
        if self._wanted:
            body["dimensions"] = self._wanted
        try:
            answer = self._connected().json(f"{self._base}/embeddings", body=body, check=check)
        except HttpRefusal as refusal:
            raise Unavailable(self._refusal(refusal.status)) from refusal
        except Unreachable as problem:
            raise Unavailable(
                f"{problem} Check that the embeddings server runs, or empty the setting"
                " encoder.endpoint to encode on this machine."
            ) from problem
        except BadAnswer as problem:
            raise self._wrong(f"did not answer like an embeddings server: {problem}") from problem
        return self._checked(answer, len(texts))

    def _refusal(self, status: int) -> str:
        key = (
            "refuses the key, or wants one; put the right one into STYLUS_ENCODER_KEY, and its"
            " address into STYLUS_ENCODER_KEY_ORIGIN"
        )
        dimensions = " and the dimensions that are set" if self._wanted else ""
        why = {
            400: f"refuses the request (status 400); see whether it knows the model{dimensions}",
            401: key,
            403: key,
            404: f"does not know the model {self._model!r} or has no embeddings there; check both",
            429: "has had too many requests; try again later",
        }.get(status, f"answered with the status {status}")
        return f"The embeddings server at {self._base} {why}."

    def _wrong(self, why: str) -> Unavailable:
        return Unavailable(f"The server at {self._base} {why}.")

    def _checked(self, answer: Any, wanted: int) -> Matrix:
        try:
            data = sorted(answer["data"], key=lambda item: item["index"])
            places = [item["index"] for item in data]
            vectors = np.array([item["embedding"] for item in data], dtype=np.float64)
        except (TypeError, ValueError, KeyError) as problem:
            raise self._wrong(f"did not answer like an embeddings server: {problem}") from problem
        if places != list(range(wanted)):
            raise self._wrong(f"answered {wanted} texts with the vectors number {places[:8]}")
        lengths = (
            np.linalg.norm(vectors, axis=-1, keepdims=True) if vectors.ndim > 1 else np.zeros(1)
        )
        if not np.isfinite(lengths).all() or not lengths.all():
            raise self._wrong("answered with vectors that are zero or not finite")
        length = vectors.shape[1]
        if self._wanted and length != self._wanted:
            raise self._wrong(
                f"answers with {length} numbers a text, though {self._wanted} were requested: its"
                " model cannot be shortened so. Set encoder.dimensions to 0"
            )
        with self._lock:
            self._dimensions = self._dimensions or length
            if length != self._dimensions:
                raise self._wrong(
                    f"now answers with {length} numbers a text, before it was {self._dimensions}:"
                    " another model runs there. Restart the engine and index again"
                )
        return (vectors / lengths).astype(np.float32)

    def _connected(self) -> Http:
        """The client; a server that asks for a longer pause than the deadline is given up."""
        with self._lock:
            if self._http is None:
                limits = TimeLimits(
                    connect_s=5.0,
                    stall_s=_ENDLESS_S,
                    total_s=_ENDLESS_S,
                    first_pause_s=_FIRST_PAUSE_S,
                    longest_pause_s=8.0,
                    longest_retry_after_s=self._deadline,
                    largest_json=_MOST_BYTES,
                )
                self._http = Http(self._key, limits=limits)
            return self._http


def _sendable(text: str) -> str:
    """Replace the empty text and lone surrogates, which servers refuse."""
    return text[:_CHARACTERS].encode("utf-8", "replace").decode("utf-8") or " "
