"""Measure refiner and composer against the language model's own time, and their cost.

The model is simulated by a local server with a fixed latency.
"""

from __future__ import annotations

import json
import math
import statistics
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stylus_ext.catalogue.embedders.local import SentenceTransformerEmbedder
from stylus_ext.core.card import AdapterCard, AdapterKey, Example
from stylus_ext.core.composition import Candidates
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Progress, Query, Sighting
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.engine.operations.sources import run_refiner
from stylus_ext.engine.requests import RefineInput
from stylus_ext.engine.stylus import Stylus, freeze_gc
from stylus_ext.evaluation.measuring import opened, seconds
from stylus_ext.evaluation.selection import cards
from stylus_ext.evaluation.servers import serving

REFINER_CARDS, AT_ONCE, REFINER_LATENCY_S, REFINER_WARM = 1600, 16, 0.1, 32
_QUESTION = b"x" * 4000
_PROMPT = (
    "masterpiece, wet city street at night, red paper lanterns, rain on old stone, heavy ink lines,"
    " wide angle"
)
_SHOWN = ("a cat under an umbrella", "an empty tram stop", "two people running")
_TEXT = (
    "Wet city streets at night, drawn with heavy ink, red paper lanterns and mirrors of rain on old"
    " stone. " * 6
)


def measure_refiner(folder: Path, progress: Progress, cards: int = REFINER_CARDS) -> dict[str, Any]:
    """Measure refining in an empty folder, storing included, embedding excluded."""
    with (
        serving("chat", REFINER_LATENCY_S) as url,
        opened(folder, {"chat": {"chat_url": url, "chat_model": "measured"}}) as stylus,
    ):
        fill(stylus, 0, REFINER_WARM)
        refine = partial(
            run_refiner,
            stylus.catalogue,
            stylus.services.language_model,
            RefineInput(at_once=AT_ONCE, pictures=0),
            progress,
        )
        refine()  # opens connections
        fill(stylus, REFINER_WARM, cards)
        freeze_gc()  # as an engine does
        bare = _bare_seconds(url, cards)
        began = time.perf_counter()
        report = refine()
        took = time.perf_counter() - began
    ideal = math.ceil(cards / AT_ONCE) * REFINER_LATENCY_S
    return {
        "refiner_efficiency": round(ideal / took, 3) if report.refined == cards else 0.0,
        "refiner_cards": report.refined,
        "refiner_bare_efficiency": round(ideal / bare, 3),
        "refiner_at_once": AT_ONCE,
        "refiner_per_s": round(report.refined / took, 1),
        "refiner_ideal_s": round(ideal, 2),
        "refiner_took_s": round(took, 2),
    }


def _bare_seconds(url: str, questions: int) -> float:
    """Return the seconds that bare requests take, as the machine allows now."""
    where, local = urlsplit(url), threading.local()
    connections: list[HTTPConnection] = []
    headers = {"Content-Type": "application/json"}

    def ask(_: int) -> None:
        if not hasattr(local, "connection"):
            local.connection = HTTPConnection(where.hostname or "", where.port)
            connections.append(local.connection)
        local.connection.request("POST", "/v1/chat/completions", _QUESTION, headers)
        local.connection.getresponse().read()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        took = seconds(lambda: list(pool.map(ask, range(questions))))
    for connection in connections:
        connection.close()
    return took


def fill(stylus: Stylus, start: int, number: int) -> None:
    """Store cards with a page of text and pictures with prompts each."""
    stylus.catalogue.refresh.take([Sighting(card=_card(start + at + 1)) for at in range(number)])


def _card(number: int) -> AdapterCard:
    return AdapterCard(
        AdapterKey.civitai(900_000_000 + number),
        f"Measured {number}",
        "civitai",
        base_model="SDXL 1.0",
        tags=("style", "city"),
        triggers=(f"measured{number}",),
        text=f"<p>{_TEXT}</p>",
        preview=f"https://image.civitai.com/{number}.jpeg",
        images=5,
        examples=tuple(
            Example(f"{_PROMPT}, {what}", 0.7, f"https://image.civitai.com/{number}/{at}.jpeg")
            for at, what in enumerate(_SHOWN)
        ),
    )


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
        {"task": "lantern", "adapters": []},
        {"task": "rain", "adapters": []},
    ],
    "prune": [
        {"number": 1, "reason": "its main purpose is another"},
        {"number": 2, "reason": "does not fit the weather of the prompt"},
        {"number": 3, "reason": "merely similar to the task"},
    ],
}


def measure_composer(
    folder: Path, catalogue: Path | None, progress: Progress, compositions: int = 60
) -> dict[str, Any]:
    """Measure the composer in an empty folder, on this or the starter catalogue."""
    with serving("chat", LATENCY_S, json.dumps(_ANSWER)) as url:
        values: dict[str, dict[str, Any]] = {
            "chat": {"chat_url": url, "chat_model": "measured", "chat_release": False},
            "selection": {"composer": "chat"},
        }
        with opened(folder, values) as stylus:
            if catalogue is None:
                stylus.catalogue.prepare(progress)
            else:
                stylus.catalogue.refresh.take([Sighting(card=card) for card in cards(catalogue)])
                stylus.catalogue.update_vectors(progress)
            return _figures(stylus, compositions)


def _figures(stylus: Stylus, compositions: int) -> dict[str, Any]:
    composer, retriever = stylus.planner.composer("chat"), stylus.planner.retriever("hybrid")
    pairs = [(query, retriever.find(query)) for query in _queries(stylus, compositions + WARM)]
    took, busy, by_rules = [], [], 0
    for query, candidates in pairs:
        began, worked = time.perf_counter(), time.thread_time()
        made = composer.compose(query, candidates)
        took.append(1000 * (time.perf_counter() - began - LATENCY_S))
        busy.append(1000 * (time.thread_time() - worked))
        by_rules += any(note.code == "chat_failed" for note in made.notes)
    del took[:WARM], busy[:WARM]  # the library is loaded, the connection is there
    text_of = stylus.services.language_model.text_of
    ours = [_tokens(stylus, text_of(*pair)) for pair in pairs[WARM:]]
    theirs = [INSTRUCTIONS + _tokens(stylus, published_catalogue(*pair)) for pair in pairs[WARM:]]
    shown = [min(CARDS, len(candidates.found)) for _, candidates in pairs]
    return {
        "overhead_p50_ms": round(statistics.median(took), 1),
        "overhead_p95_ms": round(sorted(took)[int(0.95 * len(took))], 1),
        "overhead_cpu_p50_ms": round(statistics.median(busy), 1),
        "tokens_ratio": round(sum(theirs) / sum(ours), 2),
        "tokens": round(statistics.mean(ours)),
        "tokens_published": round(statistics.mean(theirs)),
        "cards_published": round(statistics.mean(shown)),
        "compositions": len(took),
        "composed_by_rules": by_rules,
    }


def published_catalogue(query: Query, candidates: Candidates) -> str:
    """Return the candidates as the paper's code lists them."""
    rows = [
        f"Index: {number}\nTitle: {entry.card.name}\nTags: {', '.join(entry.card.tags)}\n"
        f"Description: {max(entry.description.text, entry.card.text, key=len)[:LONGEST]}"
        for number, entry in enumerate(each.entry for each in candidates.found[:CARDS])
    ]
    return "\n\n".join([query.prompt.text, *rows])


def _tokens(stylus: Stylus, text: str) -> int:
    embedder = stylus.catalogue.embedder
    if not isinstance(embedder, SentenceTransformerEmbedder):
        raise InvalidInput("Tokens are counted by an encoder on this machine. Omit --endpoint.")
    return embedder.tokens(text)


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
