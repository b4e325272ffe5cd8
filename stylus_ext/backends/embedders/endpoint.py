"""The `Embedder` of a server that speaks OpenAI's embeddings API: texts go there, unit vectors come back.

The key and the texts go to the one origin that was entered, whatever it answers and whatever the environment says.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Sequence
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from stylus_ext.backends.embedders.recent import Recent
from stylus_ext.core.errors import DeadlineExceeded, InvalidInput, Unavailable
from stylus_ext.core.ports import Matrix

logger = logging.getLogger(__name__)

_BATCH = 64
_CHARACTERS = 2000
"""More than a card or a prompt says; small servers refuse what is longer than their model reads."""

_TRIES = 3
_PASSING = (408, 429)
_SERVER_ERROR = 500
_KEPT_HEADERS = {"host", "accept", "accept-encoding", "connection", "content-type", "content-length", "user-agent"}


class EndpointEmbedder:
    def __init__(self, url: str, model: str, key: str = "", *, deadline: float = 60.0) -> None:
        self._base, self._model, self._key, self._deadline = base_url(url), model, key, deadline
        self._recent = Recent()
        self._lock = Lock()
        self._client: Any = None
        self._dimensions = 0

    @property
    def name(self) -> str:
        return f"{self._model} at {self._base}"

    @property
    def dimensions(self) -> int:
        """Asked of the server with the first text, since nothing else says it."""
        if not self._dimensions:
            self.embed(["a first text"])
        return self._dimensions

    @property
    def known(self) -> int:
        """The dimensions as far as somebody said them, 0 before: nobody is asked."""
        return self._dimensions

    def remember(self, dimensions: int) -> None:
        """What they were when it last answered."""
        with self._lock:
            self._dimensions = self._dimensions or dimensions

    def look(self, seconds: float = 1.0) -> None:
        """Raises when it does not answer, asked with one text and not for long."""
        self._fetch(["a first text"], time.monotonic() + seconds)

    def embed(self, texts: Sequence[str]) -> Matrix:
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        return self._recent.embed([_sendable(text) for text in texts], self._fetch_all)

    def close(self) -> None:
        """Gives its connections back; the next text opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _fetch_all(self, texts: Sequence[str]) -> Matrix:
        until = time.monotonic() + self._deadline * (1 + len(texts) // _BATCH)
        return np.concatenate([self._fetch(texts[start : start + _BATCH], until) for start in range(0, len(texts), _BATCH)])

    def _fetch(self, texts: Sequence[str], until: float) -> Matrix:
        from openai import APIConnectionError, APIStatusError, OpenAIError

        for attempt in range(1, _TRIES + 1):
            left = until - time.monotonic()
            if left <= 0:
                raise DeadlineExceeded(f"The embeddings server at {self._base} did not answer in time. Try again later.")
            try:
                answer = self._connected().with_options(timeout=left, max_retries=0).embeddings.create(
                    model=self._model, input=list(texts), encoding_format="float"
                )
            except APIStatusError as problem:
                status = problem.status_code
                pause = _pause(attempt, problem.response.headers.get("retry-after", ""))
                passing = status in _PASSING or status >= _SERVER_ERROR
                if not passing or attempt == _TRIES or pause >= until - time.monotonic():
                    raise Unavailable(self._refusal(status)) from problem
            except APIConnectionError as problem:
                pause = _pause(attempt, "")
                if attempt == _TRIES or pause >= until - time.monotonic():
                    raise Unavailable(
                        f"The embeddings server at {self._base} cannot be reached ({problem.__cause__ or problem}). "
                        "Check that it runs, or empty the setting encoder.endpoint to encode on this machine."
                    ) from problem
            except (OpenAIError, ValueError, TypeError, AttributeError) as problem:
                raise Unavailable(f"The server at {self._base} did not answer like an embeddings server: {problem}.") from problem
            else:
                return self._checked(answer, len(texts))
            logger.info("%s: try %d failed, again in %.1f s.", self._base, attempt, pause)
            time.sleep(pause)
        raise AssertionError(attempt)

    def _refusal(self, status: int) -> str:
        why = {
            401: "refuses the key; enter the right one",
            403: "refuses the key; enter the right one",
            404: f"does not know the model {self._model!r} or has no embeddings there; check both",
            429: "has had too many requests; try again later",
        }.get(status, f"answered with the status {status}")
        return f"The embeddings server at {self._base} {why}."

    def _checked(self, answer: Any, wanted: int) -> Matrix:
        try:
            data = sorted(answer.data, key=lambda item: item.index)
            places = [item.index for item in data]
            vectors = np.array([item.embedding for item in data], dtype=np.float64)
        except (TypeError, ValueError, AttributeError) as problem:
            raise Unavailable(f"The server at {self._base} did not answer like an embeddings server: {problem}.") from problem
        if places != list(range(wanted)):
            raise Unavailable(f"The server at {self._base} answered {wanted} texts with the vectors number {places[:8]}.")
        lengths = np.linalg.norm(vectors, axis=-1, keepdims=True) if vectors.ndim > 1 else np.zeros(1)
        if not np.isfinite(lengths).all() or not lengths.all():
            raise Unavailable(f"The server at {self._base} answered with vectors that point nowhere.")
        with self._lock:
            self._dimensions = self._dimensions or vectors.shape[1]
            if vectors.shape[1] != self._dimensions:
                raise Unavailable(
                    f"The server at {self._base} now answers with {vectors.shape[1]} numbers a text, before it was "
                    f"{self._dimensions}: another model runs there. Restart the engine and index again."
                )
        return (vectors / lengths).astype(np.float32)

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                from openai import DefaultHttpxClient, OpenAI

                secure = self._base.startswith("https:")
                self._client = OpenAI(
                    base_url=self._base,
                    api_key=self._key or "none",
                    http_client=DefaultHttpxClient(
                        follow_redirects=False, trust_env=secure, event_hooks={"request": [self._only_what_was_entered]}
                    ),
                )
            return self._client

    def _only_what_was_entered(self, request: Any) -> None:
        """The library adds what it finds: organisation, project and headers from the environment, what machine this is."""
        for header in [name for name in request.headers if name.lower() not in _KEPT_HEADERS]:
            del request.headers[header]
        request.headers["user-agent"] = "sd-webui-stylus"
        if self._key:
            request.headers["authorization"] = f"Bearer {self._key}"


def base_url(url: str) -> str:
    """`url` as the client wants it: a bare origin gets /v1, and /embeddings at the end is its own addition."""
    parts = urlsplit(url.strip())
    try:
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = None
    if not usable or parts.username is not None or parts.query or parts.fragment:
        raise InvalidInput(
            "The address of the embeddings server cannot be used. It looks like https://host/v1, without a name, a key or "
            "a question mark in it."
        )
    path = parts.path.rstrip("/").removesuffix("/embeddings") or "/v1"
    return f"{parts.scheme}://{parts.netloc}{path}"


def _sendable(text: str) -> str:
    """Servers refuse the empty text and half a surrogate pair."""
    return text[:_CHARACTERS].encode("utf-8", "replace").decode("utf-8") or " "


def _pause(attempt: int, asked: str) -> float:
    if asked.isascii() and asked.isdigit():
        return float(asked)
    return float(min(8.0, 0.5 * 2 ** (attempt - 1)) * random.uniform(0.75, 1.25))  # noqa: S311  spreading retries is no secret
