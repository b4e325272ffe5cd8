"""Measure speed and recall at a given size on the real stores, indexes and encoder.

Recall uses real embeddings, timing uses mixtures of them. Compared times are taken in turns within
one run, since machines are noisy: see the ratios.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from stylus_ext.core.card import AdapterCard, AdapterKey
from stylus_ext.core.entry import VIEWS, Entry, View, embedded_text, text_fingerprint
from stylus_ext.core.ports import Matrix, Progress, Sighting, VectorItem
from stylus_ext.engine.encoders import new_index
from stylus_ext.engine.stylus import Stylus
from stylus_ext.evaluation import invented
from stylus_ext.evaluation.measuring import Command, figure_lines, opened, percentiles, seconds
from stylus_ext.selection.plan import PlanRequest

TOP = 150
_BATCH = 2000
_WARM = 5


def measure(
    folder: Path, entries: int, real: int, plans: int, command: Command, progress: Progress
) -> dict[str, Any]:
    """Build an invented catalogue in an empty folder and measure it."""
    with opened(folder) as stylus:
        found: dict[str, Any] = {"entries": entries, "real_embeddings": real}
        basis, found["build_s"] = build(stylus, real, entries, progress)
        found |= _retrieval(stylus, plans, progress)
        found["recall_at_150"] = _recall(folder, stylus, basis["card"], plans)
        found["index_ratio_to_encode"] = _indexing(stylus, progress)
        stylus.warm()  # what an index job does last
    progress.report("planning", 0, plans)
    ran = subprocess.run(
        command(__name__, str(folder), str(plans)), check=True, stdout=subprocess.PIPE, text=True
    )
    found |= json.loads(ran.stdout)
    return found


def build(
    stylus: Stylus, real: int, entries: int, progress: Progress
) -> tuple[dict[View, Matrix], float]:
    """Build a catalogue with mixed vectors; return real vectors and the seconds taken."""
    basis = _embedded(stylus, real, progress)
    started = time.perf_counter()
    _fill(stylus, basis, entries, progress)
    return basis, round(time.perf_counter() - started, 1)


def planning(folder: Path, plans: int) -> dict[str, Any]:
    """Measure a fresh engine in its own process: start, plans, memory."""
    began = time.perf_counter()
    with opened(folder) as stylus:
        requests = [PlanRequest(text) for text in invented.prompts(plans + _WARM, seed=2)]
        stylus.warm()
        ready = time.perf_counter() - began
        for request in requests[:_WARM]:
            stylus.planner.plan(request)
        times = [seconds(partial(stylus.planner.plan, request)) for request in requests[_WARM:]]
        return {
            "engine_ready_s": round(ready, 2),
            **percentiles("plan", times),
            "engine_memory_mb": private_memory_mb(),
        }


def private_memory_mb() -> float | None:
    """Return this process's memory without mapped files; None if unknown."""
    try:
        lines = Path("/proc/self/smaps_rollup").read_text("ascii").splitlines()
    except OSError:
        return None
    own = {
        name: int(rest.split()[0])
        for name, _, rest in (line.partition(":") for line in lines)
        if name in ("Anonymous", "Swap")
    }
    return round(sum(own.values()) / 1024, 1)


def _embedded(stylus: Stylus, number: int, progress: Progress) -> dict[View, Matrix]:
    entries = [stylus.catalogue.refresh.entry(card) for card in invented.cards(number, seed=7)]
    basis: dict[View, Matrix] = {}
    for view in VIEWS:
        texts = [embedded_text(entry, view) for entry in entries]
        parts = []
        for start in range(0, number, _BATCH // 4):
            progress.report(f"embedding real texts ({view})", start, number)
            parts.append(stylus.catalogue.embedder.embed(texts[start : start + _BATCH // 4]))
        basis[view] = np.vstack(parts)
    return basis


def _fill(stylus: Stylus, basis: dict[View, Matrix], number: int, progress: Progress) -> None:
    rng = np.random.default_rng(3)
    cards = invented.cards(number)
    done = 0
    while batch := list(islice(cards, _BATCH)):
        stylus.catalogue.refresh.take([Sighting(card=card) for card in batch])
        entries = list(stylus.catalogue.store.read(card.key for card in batch).values())
        for view in VIEWS:
            items = [
                VectorItem(entry.key, view, entry.family, _fingerprint(stylus, entry, view))
                for entry in entries
            ]
            stylus.catalogue.index.write(items, _mixed(basis[view], len(items), rng))
        done += len(batch)
        progress.report("building the catalogue", done, number)
    stylus.catalogue.embed(progress)


def _fingerprint(stylus: Stylus, entry: Entry, view: View) -> str:
    text = text_fingerprint(embedded_text(entry, view))
    return stylus.catalogue.embed.made_from(entry.family, text)


def _mixed(basis: Matrix, number: int, rng: np.random.Generator) -> Matrix:
    """Return vectors between two real ones, nearer to one of them."""
    first, second = rng.integers(0, len(basis), number), rng.integers(0, len(basis), number)
    share = rng.uniform(0.5, 1.0, (number, 1)).astype(np.float32)
    mixed = share * basis[first] + (1 - share) * basis[second]
    unit: Matrix = (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _retrieval(stylus: Stylus, plans: int, progress: Progress) -> dict[str, Any]:
    """Time a query's search and a numpy pass over a matrix of that size, in turns."""
    keys = list(stylus.catalogue.index.fingerprints("card"))
    queries = stylus.catalogue.embedder.embed(list(invented.prompts(plans, seed=4)))
    plain = np.random.default_rng(5).standard_normal(
        (len(keys), queries.shape[1]), dtype=np.float32
    )
    searches, passes = [], []
    for place, query in enumerate(queries):
        progress.report("searching", place, len(queries))
        search = partial(stylus.catalogue.index.search, "card", query[None], TOP)
        searches.append(seconds(search))
        passes.append(seconds(lambda query=query: plain @ query))  # type: ignore[misc]
    return {
        "search_p50_ms": round(median(searches) * 1000, 2),
        "pass_p50_ms": round(median(passes) * 1000, 2),
        "retrieval_ratio_to_pass": round(median(searches) / median(passes), 2),
    }


def _recall(folder: Path, stylus: Stylus, real: Matrix, plans: int) -> float:
    """Return the share of the true nearest real embeddings that the index finds."""
    index = new_index(folder / "recall", stylus.catalogue.embedder, stylus.settings.vectors)
    try:
        keys = [card.key for card in invented.cards(len(real), seed=7)]
        for start in range(0, len(keys), _BATCH):
            part = slice(start, start + _BATCH)
            index.write([VectorItem(key, "card", "sd1", "real") for key in keys[part]], real[part])
        queries = stylus.catalogue.embedder.embed(list(invented.prompts(plans, seed=6)))
        top = min(TOP, len(real))
        rows = {key: row for row, key in enumerate(keys)}
        hits = 0
        for query, found in zip(queries, index.search("card", queries, top), strict=True):
            scores = real @ query
            floor = np.partition(scores, -top)[-top]
            hits += sum(scores[rows[hit.key]] >= floor - 1e-6 for hit in found)
        return round(hits / (len(queries) * top), 4)
    finally:
        index.close()


def _indexing(stylus: Stylus, progress: Progress, number: int = 1000, turns: int = 3) -> float:
    """Return the median ratio of indexing new cards to encoding their texts."""
    ratios = []
    for turn in range(turns):
        progress.report("indexing new cards", turn, turns)
        fresh = [
            _renumbered(card, turn * number + place)
            for place, card in enumerate(invented.cards(number, seed=11 + turn))
        ]
        entries = [stylus.catalogue.refresh.entry(card) for card in fresh]
        texts = [embedded_text(entry, view) for view in VIEWS for entry in entries]
        embed = partial(stylus.catalogue.embedder.embed, texts)
        index = partial(_index, stylus, fresh, progress)
        if turn % 2 == 0:
            bare, whole = seconds(embed), seconds(index)
        else:
            whole, bare = seconds(index), seconds(embed)
        ratios.append(whole / bare)
    return round(median(ratios), 2)


def _index(stylus: Stylus, cards: Sequence[AdapterCard], progress: Progress) -> None:
    stylus.catalogue.refresh.take([Sighting(card=card) for card in cards])
    stylus.catalogue.embed(progress)


def _renumbered(card: AdapterCard, place: int) -> AdapterCard:
    return replace(
        card, key=AdapterKey.civitai(90_000_000 + place), model_id=None, text=f"{card.text} {place}"
    )


lines = figure_lines(
    {
        "plan_p50_ms": "<= 150 at 100,000",
        "plan_p95_ms": "<= 300 at 100,000",
        "recall_at_150": ">= 0.99",
        "retrieval_ratio_to_pass": "<= 2 at 100,000",
        "engine_memory_mb": "<= 1024 at 100,000",
        "index_ratio_to_encode": "<= 1.2",
        "engine_ready_s": "<= 8",
    }
)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(planning(Path(sys.argv[1]), int(sys.argv[2]))))
