"""Embedder for an OpenAI-compatible embeddings API.

The key is sent only to the origin it was entered for, texts only to the configured address,
regardless of redirects and environment. A slow or endless answer ends with the deadline.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from stylus_ext.catalogue.embedders.questions import VectorCache
from stylus_ext.core.errors import DeadlineExceeded, InvalidInput, Unavailable
from stylus_ext.core.ports import Matrix
from stylus_ext.net import Key, TimeLimits
from stylus_ext.net.values import NotJson, parsed
from stylus_ext.net.waiting import is_temporary, retry_after

if TYPE_CHECKING:
    from stylus_ext.llm.connection import Connection

logger = logging.getLogger(__name__)


_BATCH = 64
_CHARACTERS = 2000
"""More than a card or a prompt says; small servers refuse what is longer than their model reads."""

_RETRY = TimeLimits(first_pause_s=0.5, longest_pause_s=8.0, longest_retry_after_s=3600.0)
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
        self._base, self._model, self._key, self._deadline = base_url(url), model, key, deadline
        self._recent = VectorCache()
        self._lock = Lock()
        self._client: Connection | None = None
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

    def close(self) -> None:
        """Close connections; the next request opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _fetch_all(self, texts: Sequence[str]) -> Matrix:
        until = time.monotonic() + self._deadline * (1 + len(texts) // _BATCH)
        return np.concatenate(
            [
                self._fetch(texts[start : start + _BATCH], until)
                for start in range(0, len(texts), _BATCH)
            ]
        )

    def _fetch(self, texts: Sequence[str], until: float) -> Matrix:
        from openai import APIConnectionError, APIStatusError, OpenAIError

        def in_time() -> None:
            if time.monotonic() >= until:
                raise DeadlineExceeded(
                    f"The embeddings server at {self._base} did not answer in time. Try again"
                    " later."
                )

        for attempt in itertools.count(1):
            in_time()
            try:
                answer = self._connected().embeddings(
                    self._question(texts), until - time.monotonic(), in_time
                )
            except APIStatusError as problem:
                status = problem.status_code
                pause = _RETRY.pause_before_retry(
                    attempt,
                    retry_after(problem.response.headers.get("retry-after", "")),
                    until - time.monotonic(),
                )
                if pause is None or not is_temporary(status):
                    raise Unavailable(self._refusal(status)) from problem
            except APIConnectionError as problem:
                in_time()
                pause = _RETRY.pause_before_retry(attempt, left_s=until - time.monotonic())
                if pause is None:
                    raise Unavailable(
                        f"The embeddings server at {self._base} cannot be reached"
                        f" ({problem.__cause__ or problem}). Check that it runs, or empty the"
                        " setting encoder.endpoint to encode on this machine."
                    ) from problem
            except (OpenAIError, ValueError, TypeError, AttributeError) as problem:
                raise Unavailable(
                    f"The server at {self._base} did not answer like an embeddings server:"
                    f" {problem}."
                ) from problem
            else:
                return self._checked(answer, len(texts))
            logger.info("%s: try %d failed, again in %.1f s.", self._base, attempt, pause)
            time.sleep(pause)
        raise AssertionError("unreachable")

    def _question(self, texts: Sequence[str]) -> dict[str, Any]:
        shortened = {"dimensions": self._wanted} if self._wanted else {}
        return {"model": self._model, "input": list(texts), "encoding_format": "float", **shortened}

    def _refusal(self, status: int) -> str:
        key = (
            "refuses the key, or wants one; put the right one into STYLUS_ENCODER_KEY, and its"
            " address into STYLUS_ENCODER_KEY_ORIGIN"
        )
        why = {
            400: (
                "refuses the request (status 400); see whether it knows the model"
                + (" and the dimensions that are set" if self._wanted else "")
            ),
            401: key,
            403: key,
            404: f"does not know the model {self._model!r} or has no embeddings there; check both",
            429: "has had too many requests; try again later",
        }.get(status, f"answered with the status {status}")
        return f"The embeddings server at {self._base} {why}."

    def _checked(self, body: bytes, wanted: int) -> Matrix:
        try:
            answer: Any = parsed(body)
            data = sorted(answer["data"], key=lambda item: item["index"])
            places = [item["index"] for item in data]
            vectors = np.array([item["embedding"] for item in data], dtype=np.float64)
        except (NotJson, TypeError, ValueError, KeyError) as problem:
            raise Unavailable(
                f"The server at {self._base} did not answer like an embeddings server: {problem}."
            ) from problem
        if places != list(range(wanted)):
            raise Unavailable(
                f"The server at {self._base} answered {wanted} texts with the vectors number"
                f" {places[:8]}."
            )
        lengths = (
            np.linalg.norm(vectors, axis=-1, keepdims=True) if vectors.ndim > 1 else np.zeros(1)
        )
        if not np.isfinite(lengths).all() or not lengths.all():
            raise Unavailable(
                f"The server at {self._base} answered with vectors that point nowhere."
            )
        if self._wanted and vectors.shape[1] != self._wanted:
            raise Unavailable(
                f"The server at {self._base} answers with {vectors.shape[1]} numbers a text, though"
                f" {self._wanted} were asked for: its model cannot be shortened so. Set"
                " encoder.dimensions to 0."
            )
        with self._lock:
            self._dimensions = self._dimensions or vectors.shape[1]
            if vectors.shape[1] != self._dimensions:
                raise Unavailable(
                    f"The server at {self._base} now answers with {vectors.shape[1]} numbers a"
                    f" text, before it was {self._dimensions}: another model runs there. Restart"
                    " the engine and index again."
                )
        return (vectors / lengths).astype(np.float32)

    def _connected(self) -> Connection:
        with self._lock:
            if self._client is None:
                from stylus_ext.llm.connection import Connection

                self._client = Connection(self._base, self._key, _MOST_BYTES)
            return self._client


def base_url(url: str) -> str:
    """Normalise a URL: add /v1 to a bare origin, drop a trailing /embeddings."""
    parts = urlsplit(url.strip())
    try:
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = None
    if not usable or parts.username is not None or parts.query or parts.fragment:
        raise InvalidInput(
            "The address of the embeddings server cannot be used. It looks like https://host/v1,"
            " without a name, a key or a question mark in it."
        )
    path = parts.path.rstrip("/").removesuffix("/embeddings") or "/v1"
    return f"{parts.scheme}://{parts.netloc}{path}"


def _sendable(text: str) -> str:
    """Replace the empty text and lone surrogates, which servers refuse."""
    return text[:_CHARACTERS].encode("utf-8", "replace").decode("utf-8") or " "
