"""A catalogue of the benchmark in, cards out; ids are opaque, so a card's key is made of the id and
gives it back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stylus_ext.core.card import AdapterCard, AdapterKey, Example
from stylus_ext.core.errors import InvalidInput

MOST_STARS, FEWEST_VOTES = 5, 10


def key_of(adapter_id: str) -> AdapterKey:
    return AdapterKey.path(adapter_id)


def id_of(key: AdapterKey) -> str:
    return key.value


def records(path: Path, **needed: type | tuple[type, ...]) -> Iterator[Mapping[str, Any]]:
    """The objects of a file with one JSON object a line; each must have what is `needed`, of that
    type.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    record = _record(line, path, number)
                    lacking = [
                        name
                        for name, kind in needed.items()
                        if not isinstance(record.get(name), kind)
                    ]
                    if lacking:
                        raise InvalidInput(
                            f"Line {number} of {path} has no {lacking[0]!r}, or it is not what the"
                            " benchmark has there."
                        )
                    yield record
    except OSError as problem:
        raise InvalidInput(f"{path} cannot be read: {problem.strerror or problem}.") from problem
    except UnicodeDecodeError as problem:
        raise InvalidInput(f"{path} is not text in UTF-8.") from problem


def cards(path: Path) -> Iterator[AdapterCard]:
    for record in records(path):
        try:
            yield _card(record)
        except (KeyError, TypeError, ValueError) as problem:
            raise InvalidInput(
                f"{path} holds a record that is no adapter of the benchmark: {problem!r} is missing"
                " or wrong."
            ) from problem


def _rating(stats: Mapping[str, Any]) -> float | None:
    """Stars as the share of those who are for it, as cards have it."""
    return stats["rating"] / MOST_STARS if (stats.get("ratingCount") or 0) >= FEWEST_VOTES else None


def _record(line: str, path: Path, number: int) -> Mapping[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as problem:
        raise InvalidInput(f"Line {number} of {path} is not JSON: {problem}.") from problem
    if not isinstance(record, dict):
        raise InvalidInput(f"Line {number} of {path} is not a JSON object.")
    return record


def _card(record: Mapping[str, Any]) -> AdapterCard:
    if not (isinstance(record["id"], str) and isinstance(record["name"], str)):
        raise TypeError("id or name")
    prompts = record.get("example_prompts") or ()
    weights = list(record.get("example_weights") or ()) + [None] * len(prompts)
    stats = record.get("stats") or {}
    return AdapterCard(
        key=key_of(record["id"]),
        name=record["name"],
        source="civitai",
        model_id=record.get("civitai_model_id"),
        base_model=record.get("base_model") or "",
        tags=tuple(record.get("tags") or ()),
        triggers=tuple(record.get("trained_words") or ()),
        text=record.get("description") or "",
        examples=tuple(Example(prompt, weight) for prompt, weight in zip(prompts, weights)),  # noqa: B905
        downloads=stats.get("downloadCount"),
        rating=_rating(stats),
        creator=record.get("creator") or "",
    )
