"""The `Reranker` of a server: prompt and card texts go to its rerank route, scores come back.
Cohere, Jina, vLLM and TEI answer alike enough; which of their two ways this one wants is tried once
and remembered.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from threading import Lock
from urllib.parse import urlsplit

from stylus_ext.backends.http import BadAnswer, Http, Key, Limits, Refusal, origin_of, shown
from stylus_ext.backends.rerankers.ranking import document, foremost, ordered, usable
from stylus_ext.core.candidates import Candidates
from stylus_ext.core.errors import DeadlineExceeded, InvalidInput, Unavailable
from stylus_ext.core.ports import Query

logger = logging.getLogger(__name__)

_ANOTHER_WAY = {
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
_KEY_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_ROUTE = "/rerank"
_TRIES = 2
Way = tuple[str, bool]
"""A route, and whether the texts are called `texts`, as TEI wants it, or `documents`."""


class EndpointReranker:
    """The key goes to its origin alone; what it costs is the server's affair."""

    def __init__(
        self,
        url: str,
        model: str,
        key: Callable[[], Key | None],
        most: int = 50,
        deadline_s: float = 5.0,
    ) -> None:
        self._ways, self._model, self._key, self._most, self._deadline_s = (
            ways(url),
            model,
            key,
            most,
            deadline_s,
        )
        self._guard = Lock()

    def rerank(self, query: Query, candidates: Candidates) -> Candidates:
        chosen = foremost(candidates, self._most)
        if not chosen:
            return candidates
        prompt = query.prompt.text.encode("utf-8", "replace").decode("utf-8") or " "
        return ordered(
            candidates,
            chosen,
            self._asked(prompt, [document(candidate.entry) for candidate in chosen]),
        )

    def _asked(self, prompt: str, texts: Sequence[str]) -> dict[int, float]:
        until = time.monotonic() + self._deadline_s
        limits = Limits(
            connect_s=self._deadline_s,
            stall_s=self._deadline_s,
            total_s=self._deadline_s,
            tries=_TRIES,
            first_pause_s=0.2,
        )
        http = Http(self._key(), limits=limits)
        refused: Refusal | None = None
        try:
            for way in self._ways:
                try:
                    answer = http.json(
                        way[0],
                        body=self._body(way, prompt, texts),
                        check=lambda: self._check(until),
                    )
                except Refusal as refusal:
                    if refusal.status not in _ANOTHER_WAY:
                        raise self._said(refusal) from refusal
                    refused = refusal
                    continue
                scores = _scores(answer, len(texts), way[0])
                with self._guard:
                    self._ways = (way,)
                return scores
        finally:
            http.close()
        raise Unavailable(
            f"{shown(self._ways[0][0])} has no rerank route that Stylus knows, or does not know the"
            f" model {self._model!r}: {refused}"
        )

    def _body(self, way: Way, prompt: str, texts: Sequence[str]) -> Mapping[str, object]:
        if way[1]:
            return {"query": prompt, "texts": list(texts), "truncate": True}
        return {
            "model": self._model,
            "query": prompt,
            "documents": list(texts),
            "top_n": len(texts),
        }

    def _check(self, until: float) -> None:
        if time.monotonic() > until:
            raise DeadlineExceeded(
                f"{shown(self._ways[0][0])} did not rank the candidates within"
                f" {self._deadline_s:g} s."
            )

    def _said(self, refusal: Refusal) -> Unavailable:
        if refusal.status in _KEY_REFUSED:
            return Unavailable(
                f"{refusal.where} refuses the key, or wants one; put the right one into"
                " STYLUS_RERANK_KEY, and its address into STYLUS_RERANK_KEY_ORIGIN."
            )
        return Unavailable(str(refusal))


def ways(url: str) -> tuple[Way, ...]:
    """An address with a rerank route is taken as it is; of a bare one, and of one with /v1, both
    ways are tried.
    """
    origin, parts = origin_of(url), urlsplit(url.strip())
    if parts.query or parts.fragment:
        raise InvalidInput(
            "The address of the rerank server ends before the question mark; it looks like"
            " https://host/v1."
        )
    path = parts.path.rstrip("/")
    if path.endswith(_ROUTE):
        return (origin + path, False), (origin + path, True)
    if path:
        return (
            (origin + path + _ROUTE, False),
            (origin + path + _ROUTE, True),
            (origin + _ROUTE, True),
        )
    return (f"{origin}/v1{_ROUTE}", False), (origin + _ROUTE, True), (origin + _ROUTE, False)


def _scores(answer: object, wanted: int, where: str) -> dict[int, float]:
    rows = answer.get("results", answer.get("data")) if isinstance(answer, dict) else answer
    if not isinstance(rows, list):
        raise BadAnswer(f"{shown(where)} did not answer like a rerank server.")
    scores: dict[int, float] = {}
    for row in rows:
        place = row.get("index") if isinstance(row, dict) else None
        score = row.get("relevance_score", row.get("score")) if isinstance(row, dict) else None
        if (
            type(place) is not int
            or not 0 <= place < wanted
            or place in scores
            or not usable(score)
        ):
            raise BadAnswer(f"{shown(where)} ranked something that it was not given.")
        scores[place] = float(score)  # type: ignore[arg-type]  # `usable` has looked
    if not scores:
        raise BadAnswer(f"{shown(where)} ranked nothing.")
    return scores
