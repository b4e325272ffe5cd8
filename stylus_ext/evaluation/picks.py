"""Picks for benchmark prompts: a sample of prompts, asking for picks, and files of picks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from stylus_ext.core.composition import Pick
from stylus_ext.core.errors import InvalidInput
from stylus_ext.engine.stylus import Stylus
from stylus_ext.evaluation.selection import kind_of, query_of, records

FindPicks = Callable[[str], Sequence[Pick]]
"""Returns the picks for a prompt."""


def picker(stylus: Stylus) -> FindPicks:
    limits = stylus.settings.selection
    retriever = stylus.planner.retriever(limits.policy)
    composer = stylus.planner.composer(limits.composer)

    def find(prompt: str) -> Sequence[Pick]:
        query = query_of({"prompt": prompt}, limits)
        return composer.compose(query, retriever.find(query)).picks

    return find


def sample(queries: Iterable[Mapping[str, Any]], number: int) -> list[Mapping[str, Any]]:
    """Return so many queries, the same ones every time, as many of each kind as there are."""
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for query in sorted(queries, key=lambda query: order_of(str(query["id"]))):
        kinds.setdefault(kind_of(query), []).append(query)
    rounds = chain.from_iterable(zip_longest(*(kinds[kind] for kind in sorted(kinds))))
    return [query for query in rounds if query is not None][:number]


def order_of(text: str) -> str:
    """A sort key that is as good as random, and the same everywhere."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class PromptPicks:
    """A prompt of a file of picks, with the names of what was picked."""

    id: str
    prompt: str
    picks: tuple[str, ...]


def read_picks(path: Path) -> dict[str, PromptPicks]:
    """Read a file of picks; each pick is a name, or an object with one."""
    found: dict[str, PromptPicks] = {}
    for record in records(path, id=str, prompt=str, picks=list):
        named = [pick.get("name") if isinstance(pick, dict) else pick for pick in record["picks"]]
        names = tuple(name for name in named if isinstance(name, str))
        if len(names) < len(named):
            raise InvalidInput(f"{path}: a pick of {record['id']!r} has no name.")
        if record["id"] in found:
            raise InvalidInput(f"{path} has the prompt {record['id']!r} twice.")
        found[record["id"]] = PromptPicks(record["id"], record["prompt"], names)
    return found
