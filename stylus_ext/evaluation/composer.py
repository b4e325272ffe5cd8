"""What asking a model to compose costs on our side, and how short the question is: a folder goes
in, figures come out.

The question of the published composer is counted as it was: its instructions, of about 2,000
tokens, and 150 cards at their full length.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stylus_ext.app.wiring import open_stylus
from stylus_ext.app.wiring_stylus import Stylus
from stylus_ext.app.wiring_tokens import tokens_of
from stylus_ext.core.candidates import Candidates
from stylus_ext.core.ports import Progress, Query, Sighting
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.evaluation.bench_catalogue import cards
from stylus_ext.evaluation.refiner_speed import serving

INSTRUCTIONS, CARDS, LONGEST = 2000, 150, 1000
"""Of the published composer: tokens, cards, and characters of a description."""

LATENCY_S, WARM = 0.05, 5
_SUBJECTS = (
    "corgi, dragon, old castle, sports car, mage, red fox, teapot, robot, city street, mountain"
    " lake".split(", ")
)
_LOOKS = (
    "watercolor, pixel art, graffiti, oil painting, film grain, neon light, paper cutout, ink"
    " sketch".split(", ")
)
_ANSWER = {
    "tasks": [
        {"task": "lantern", "adapters": [{"number": 1, "reason": "its main purpose is just that"}]},
        {"task": "rain", "adapters": [{"number": 2, "reason": "fits the weather of the prompt"}]},
    ],
    "prune": [{"number": 3, "reason": "merely similar to the task"}],
}


def measure(
    folder: Path, catalogue: Path | None, progress: Progress, compositions: int = 60
) -> dict[str, Any]:
    """`folder` is empty; without a catalogue of its own, the starter catalogue is what is chosen
    from.
    """
    with serving(LATENCY_S, json.dumps(_ANSWER)) as url:
        values: dict[str, dict[str, Any]] = {
            "chat": {"chat_url": url, "chat_model": "measured", "chat_release": False},
            "selection": {"composer": "chat"},
        }
        stylus = open_stylus(folder, with_values(Settings(), values))
        try:
            if catalogue is None:
                stylus.prepare(progress)
            else:
                stylus.refresh.take([Sighting(card=card) for card in cards(catalogue)])
                stylus.bring_in_step(progress)
            return _figures(stylus, compositions)
        finally:
            stylus.close()


def _figures(stylus: Stylus, compositions: int) -> dict[str, Any]:
    composer, took, spent, ours, theirs, by_rules = (
        stylus.composers("chat"),
        list[float](),
        list[float](),
        list[int](),
        list[int](),
        0,
    )
    asked = [
        (query, stylus.retrievers("hybrid").find(query))
        for query in _queries(stylus, compositions + WARM)
    ]
    for query, candidates in asked:
        began, worked = time.perf_counter(), time.thread_time()
        made = composer.compose(query, candidates)
        took.append(1000 * (time.perf_counter() - began - LATENCY_S))
        spent.append(1000 * (time.thread_time() - worked))
        by_rules += any(note.code == "chat_failed" for note in made.notes)
    for query, candidates in asked[WARM:]:
        ours.append(tokens_of(stylus.embedder, stylus.chat.text_of(query, candidates)))
        theirs.append(INSTRUCTIONS + tokens_of(stylus.embedder, published(query, candidates)))
    took = took[WARM:]  # the library is loaded, the connection is there
    return {
        "overhead_p50_ms": round(statistics.median(took), 1),
        "overhead_p95_ms": round(sorted(took)[int(0.95 * len(took))], 1),
        "overhead_cpu_p50_ms": round(statistics.median(spent[WARM:]), 1),
        "tokens_ratio": round(sum(theirs) / sum(ours), 2),
        "tokens": round(statistics.mean(ours)),
        "tokens_published": round(statistics.mean(theirs)),
        "cards_published": round(
            statistics.mean(min(CARDS, len(candidates.found)) for _, candidates in asked)
        ),
        "compositions": len(took),
        "composed_by_rules": by_rules,
    }


def published(query: Query, candidates: Candidates) -> str:
    """Its catalogue as the published code writes it: number, title, tags and description of
    each.
    """
    rows = [
        f"Index: {number}\nTitle: {one.entry.card.name}\nTags:"
        f" {', '.join(one.entry.card.tags)}\nDescription:"
        f" {max(one.entry.description.text, one.entry.card.text, key=len)[:LONGEST]}"
        for number, one in enumerate(candidates.found[:CARDS])
    ]
    return "\n\n".join([query.prompt.text, *rows])


def _queries(stylus: Stylus, number: int) -> Iterator[Query]:
    for at in range(number):
        subject, look = _SUBJECTS[at % len(_SUBJECTS)], _LOOKS[at % len(_LOOKS)]
        yield Query(
            parse_prompt(f"a {subject} with a lantern in the rain, {look}, scene {at}"),
            parse_prompt(""),
            stylus.settings.selection,
        )


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"Our side of a composition: p50 {found['overhead_p50_ms']} ms, p95"
        f" {found['overhead_p95_ms']} ms, {found['overhead_cpu_p50_ms']} ms of them at work, over"
        f" {found['compositions']} of them"
    )
    yield (
        f"Tokens of a question: {found['tokens']:,}; the published composer's, with"
        f" {found['cards_published']} cards: {found['tokens_published']:,} ({found['tokens_ratio']}"
        " times)"
    )
    if "refiner_efficiency" in found:
        yield (
            f"Refining: {found['refiner_efficiency']:.0%} of what a server with 100 ms allows at"
            f" {found['refiner_at_once']} at once (bare requests:"
            f" {found['refiner_bare_efficiency']:.0%})"
        )
