"""Rerankers: one asks the rerank route of a server, one runs a cross-encoder in this process.

The servers (Cohere, Jina, vLLM, TEI) have two request formats. The one that works is found with the
first request.
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


_MAX_TEXT = 1200
_MAX_TRIGGERS = 6
_MAX_TAGS = 12
_MAX_SCORE = sys.float_info.max
_DIGITS = 5
"""Digits of a score that do not depend on how texts were batched."""


def document(entry: Entry) -> str:
    """The text of a card that is compared with the prompt."""
    parts = [
        entry.card.name,
        ", ".join(entry.triggers[:_MAX_TRIGGERS]),
        entry.text,
        ", ".join(entry.card.tags[:_MAX_TAGS]),
    ]
    text = ". ".join(part for part in parts if part)[:_MAX_TEXT]
    return text.encode("utf-8", "replace").decode("utf-8") or " "


def best_candidates(candidates: Candidates, most: int) -> list[Candidate]:
    """The highest scores, whatever the order of the candidates."""
    return sorted(candidates.found, key=lambda candidate: (-candidate.score, candidate.key))[:most]


def reordered(
    candidates: Candidates, scored: Sequence[Candidate], scores: Mapping[int, float]
) -> Candidates:
    """Order by `scores`, keyed by place in `scored`; candidates without one come last."""
    best = [
        replace(candidate, score=round(scores[place], _DIGITS))
        for place, candidate in enumerate(scored)
        if place in scores
    ]
    known = {candidate.key for candidate in best}
    lowest = min((candidate.score for candidate in best), default=0.0)
    rest = (
        replace(candidate, score=min(candidate.score, lowest))
        for candidate in best_candidates(candidates, len(candidates.found))
        if candidate.key not in known
    )
    best.sort(key=lambda candidate: (-candidate.score, candidate.key))
    return replace(candidates, found=(*best, *rest))


def _prompt_text(query: Query) -> str:
    return query.prompt.text.encode("utf-8", "replace").decode("utf-8") or " "


def is_score(value: object) -> bool:
    """A finite number, and no bool."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and -_MAX_SCORE <= value <= _MAX_SCORE  # type: ignore[operator]


_OTHER_FORMAT = {
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
_KEY_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_ROUTE = "/rerank"
_TRIES = 2
RequestFormat = tuple[str, bool]
"""A route, and whether the field is called `texts`, as in TEI, instead of `documents`."""


class EndpointReranker:
    """Implements `Reranker` with a server. The key is sent to its own origin only."""

    def __init__(
        self,
        url: str,
        model: str,
        key: Callable[[], Key | None],
        most: int = 50,
        deadline_s: float = 5.0,
    ) -> None:
        self._formats = request_formats(url)
        self._model, self._key, self._most, self._deadline_s = model, key, most, deadline_s
        self._guard = Lock()

    def rerank(self, query: Query, candidates: Candidates) -> Candidates:
        chosen = best_candidates(candidates, self._most)
        if not chosen:
            return candidates
        texts = [document(candidate.entry) for candidate in chosen]
        return reordered(candidates, chosen, self._ask(_prompt_text(query), texts))

    def _ask(self, prompt: str, texts: Sequence[str]) -> dict[int, float]:
        most = self._deadline_s
        until = time.monotonic() + most
        limits = TimeLimits(
            connect_s=most, stall_s=most, total_s=most, tries=_TRIES, first_pause_s=0.2
        )
        http = Http(self._key(), limits=limits)
        refused: HttpRefusal | None = None
        try:
            for route, has_texts in self._formats:
                try:
                    answer = http.json(
                        route,
                        body=self._body(has_texts, prompt, texts),
                        check=lambda: self._check(until),
                    )
                except HttpRefusal as refusal:
                    if refusal.status not in _OTHER_FORMAT:
                        raise self._error(refusal) from refusal
                    refused = refusal
                    continue
                scores = _scores(answer, len(texts), route)
                with self._guard:
                    self._formats = ((route, has_texts),)
                return scores
        finally:
            http.close()
        raise Unavailable(
            f"{safe_url(self._formats[0][0])} has no rerank route for the model {self._model!r}:"
            f" {refused}"
        )

    def _body(self, has_texts: bool, prompt: str, texts: Sequence[str]) -> Mapping[str, object]:
        if has_texts:
            return {"query": prompt, "texts": list(texts), "truncate": True}
        documents = {"documents": list(texts), "top_n": len(texts)}
        return {"model": self._model, "query": prompt, **documents}

    def _check(self, until: float) -> None:
        if time.monotonic() > until:
            raise DeadlineExceeded(
                f"{safe_url(self._formats[0][0])} did not rank the candidates in"
                f" {self._deadline_s:g} s."
            )

    def _error(self, refusal: HttpRefusal) -> Unavailable:
        if refusal.status in _KEY_REFUSED:
            return Unavailable(
                f"{refusal.where} refuses the key. Set STYLUS_RERANK_KEY, and its address in"
                " STYLUS_RERANK_KEY_ORIGIN."
            )
        return Unavailable(str(refusal))


def request_formats(url: str) -> tuple[RequestFormat, ...]:
    """The formats to try, in order. An address that ends with a rerank route is not changed."""
    origin, parts = origin_of(url), urlsplit(url.strip())
    if parts.query or parts.fragment:
        raise InvalidInput(
            "The address of the rerank server has a query or fragment. Use https://host/v1."
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
        raise BadAnswer(f"{safe_url(where)} sent no rerank response.")
    scores: dict[int, float] = {}
    for row in rows:
        place = row.get("index") if isinstance(row, dict) else None
        score = row.get("relevance_score", row.get("score")) if isinstance(row, dict) else None
        is_known = type(place) is int and 0 <= place < wanted and place not in scores
        if not is_known or not is_score(score):
            raise BadAnswer(f"{safe_url(where)} sent an invalid ranking.")
        scores[place] = float(score)  # type: ignore[arg-type,index]  # both were checked
    if not scores:
        raise BadAnswer(f"{safe_url(where)} sent an empty ranking.")
    return scores


_BATCH = 8
_LOAD_ERRORS = (
    OSError,
    ValueError,
    RuntimeError,
    LookupError,
    AssertionError,
    ImportError,
    TypeError,
)
_LONGEST = 512


class CrossEncoderReranker:
    """Implements `Reranker` with a local model, loaded with the first prompt that needs it.

    Loading is not part of the deadline.
    """

    def __init__(
        self, find: Callable[[], Path], device: str = "cpu", most: int = 50, deadline_s: float = 5.0
    ) -> None:
        self._find, self._device, self._most, self._deadline_s = find, device, most, deadline_s
        self._lock = Lock()
        self._model: Any = None

    def rerank(self, query: Query, candidates: Candidates) -> Candidates:
        chosen = best_candidates(candidates, self._most)
        if not chosen:
            return candidates
        prompt = _prompt_text(query)
        pairs = [(prompt, document(candidate.entry)) for candidate in chosen]
        scores: dict[int, float] = {}
        with self._lock:
            model = self._loaded()
            until = time.monotonic() + self._deadline_s
            for start in range(0, len(pairs), _BATCH):
                if time.monotonic() > until:
                    raise DeadlineExceeded(
                        f"The cross-encoder did not rank {len(pairs)} cards in"
                        f" {self._deadline_s:g} s. Raise reranking.rerank_deadline or lower"
                        " reranking.rerank_most."
                    )
                made = model.predict(
                    pairs[start : start + _BATCH],
                    batch_size=_BATCH,
                    show_progress_bar=False,
                    convert_to_numpy=True,
                )
                scores.update(enumerate((self._number(score) for score in made), start))
        return reordered(candidates, chosen, scores)

    def _number(self, score: Any) -> float:
        """A classifier with several outputs cannot rank."""
        if getattr(score, "ndim", 0):
            raise Unavailable(
                "This cross-encoder gives several numbers per pair and cannot rank. Use another."
            )
        if not is_score(float(score)):
            raise Unavailable(
                "The cross-encoder returned no finite number. Try device cpu or another model."
            )
        return float(score)

    def _loaded(self) -> Any:
        if self._model is None:
            folder, began = self._find(), time.perf_counter()
            self._model = self._load(folder)
            took = time.perf_counter() - began
            logger.info("Loaded the cross-encoder in %s in %.1f s.", folder.name, took)
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
            except _LOAD_ERRORS as problem:
                raise Unavailable(
                    f"The cross-encoder {folder.name!r} cannot be loaded on {self._device}:"
                    f" {problem}"
                ) from problem


__all__ = ["RERANK_KEY", "CrossEncoderReranker", "EndpointReranker", "reranker_for"]

RERANK_KEY = KeyName("reranker", "STYLUS_RERANK_KEY", "https://api.cohere.com")


def reranker_for(
    settings: Reranking, device: str, find: Callable[[str], Path], key: Callable[[str], Key | None]
) -> CrossEncoderReranker | EndpointReranker | None:
    """None if no reranker is set. `find` returns a model's folder, `key` an address's key."""
    url, model = settings.rerank_url, settings.rerank_model
    most, deadline_s = settings.rerank_most, settings.rerank_deadline
    if url:
        return EndpointReranker(url, model, lambda: key(url), most, deadline_s)
    if model:
        return CrossEncoderReranker(lambda: find(model), device, most, deadline_s)
    return None
