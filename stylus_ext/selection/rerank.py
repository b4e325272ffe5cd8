"""The `Reranker` of a server: prompt and card texts go to its rerank route, scores come back.
Cohere, Jina, vLLM and TEI answer alike enough; which of their two ways this one wants is tried once
and remembered.
"""

from __future__ import annotations

import logging
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Candidate, Candidates
from stylus_ext.core.entry import Entry
from stylus_ext.core.errors import DeadlineExceeded, InvalidInput, Unavailable
from stylus_ext.core.ports import Query
from stylus_ext.core.settings import Reranking
from stylus_ext.net import (
    BadAnswer,
    Http,
    HttpRefusal,
    Key,
    KeyName,
    TimeLimits,
    origin_of,
    safe_url,
)

logger = logging.getLogger(__name__)


_MOST_TEXT = 1200
_MOST_TRIGGERS = 6
_MOST_TAGS = 12
_MOST = sys.float_info.max
_PLACES = 5
"""So much of a score is the same however texts were put together in batches."""


def document(entry: Entry) -> str:
    """What is compared with the prompt: a card as one would tell it."""
    parts = [
        entry.card.name,
        ", ".join(entry.triggers[:_MOST_TRIGGERS]),
        entry.text,
        ", ".join(entry.card.tags[:_MOST_TAGS]),
    ]
    text = ". ".join(part for part in parts if part)[:_MOST_TEXT]
    return text.encode("utf-8", "replace").decode("utf-8") or " "


def foremost(candidates: Candidates, most: int) -> list[Candidate]:
    """Those worth being looked at again; the same ones whatever order they come in."""
    return sorted(candidates.found, key=lambda candidate: (-candidate.score, candidate.key))[:most]


def ordered(
    candidates: Candidates, looked_at: Sequence[Candidate], scores: Mapping[int, float]
) -> Candidates:
    """`scores` by place in `looked_at`; what has none comes after all that has, in the order that
    it had.
    """
    scored = [
        replace(candidate, score=round(scores[place], _PLACES))
        for place, candidate in enumerate(looked_at)
        if place in scores
    ]
    known: set[AdapterKey] = {candidate.key for candidate in scored}
    lowest = min((candidate.score for candidate in scored), default=0.0)
    rest = [
        candidate
        for candidate in foremost(candidates, len(candidates.found))
        if candidate.key not in known
    ]
    best = sorted(scored, key=lambda candidate: (-candidate.score, candidate.key))
    return replace(
        candidates,
        found=(
            *best,
            *(replace(candidate, score=min(candidate.score, lowest)) for candidate in rest),
        ),
    )


def usable(score: object) -> bool:
    return (
        isinstance(score, (int, float)) and not isinstance(score, bool) and -_MOST <= score <= _MOST
    )


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
        limits = TimeLimits(
            connect_s=self._deadline_s,
            stall_s=self._deadline_s,
            total_s=self._deadline_s,
            tries=_TRIES,
            first_pause_s=0.2,
        )
        http = Http(self._key(), limits=limits)
        refused: HttpRefusal | None = None
        try:
            for way in self._ways:
                try:
                    answer = http.json(
                        way[0],
                        body=self._body(way, prompt, texts),
                        check=lambda: self._check(until),
                    )
                except HttpRefusal as refusal:
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
            f"{safe_url(self._ways[0][0])} has no rerank route that Stylus knows, or does not know"
            f" the model {self._model!r}: {refused}"
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
                f"{safe_url(self._ways[0][0])} did not rank the candidates within"
                f" {self._deadline_s:g} s."
            )

    def _said(self, refusal: HttpRefusal) -> Unavailable:
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
        raise BadAnswer(f"{safe_url(where)} did not answer like a rerank server.")
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
            raise BadAnswer(f"{safe_url(where)} ranked something that it was not given.")
        scores[place] = float(score)  # type: ignore[arg-type]  # `usable` has looked
    if not scores:
        raise BadAnswer(f"{safe_url(where)} ranked nothing.")
    return scores


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


__all__ = ["RERANK_KEY", "CrossEncoderReranker", "EndpointReranker", "reranker_for"]

RERANK_KEY = KeyName("reranker", "STYLUS_RERANK_KEY", "https://api.cohere.com")


def reranker_for(
    said: Reranking, device: str, find: Callable[[str], Path], key: Callable[[str], Key | None]
) -> CrossEncoderReranker | EndpointReranker | None:
    """`find` knows the folder of a model, `key` the key that was entered for an address. None where
    nothing is set.
    """
    if said.rerank_url:
        return EndpointReranker(
            said.rerank_url,
            said.rerank_model,
            lambda: key(said.rerank_url),
            said.rerank_most,
            said.rerank_deadline,
        )
    if said.rerank_model:
        return CrossEncoderReranker(
            lambda: find(said.rerank_model), device, said.rerank_most, said.rerank_deadline
        )
    return None
