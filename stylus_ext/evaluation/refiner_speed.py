"""How near refining comes to what a server's own time allows, and what it costs: a folder goes in,
figures come out.

The server answers after 100 ms, from a process of its own; the ideal is as many of these in turn as
there are rounds of questions.
"""

from __future__ import annotations

import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stylus_ext.app.settle import settle
from stylus_ext.app.wiring import open_stylus
from stylus_ext.app.wiring_refiner import RefineWish, chat_refiner, refine
from stylus_ext.app.wiring_stylus import Stylus
from stylus_ext.core.card import AdapterCard, AdapterKey, Example
from stylus_ext.core.ports import Filter, Progress, Sighting
from stylus_ext.core.refining import Expense, RefineLimits
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.evaluation import chat_server

CARDS, AT_ONCE, LATENCY_S, WARM = 1600, 16, 0.1, 32
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


def measure(folder: Path, progress: Progress, cards: int = CARDS) -> dict[str, Any]:
    """`folder` is empty. Storing what comes is part of it, as it is of every job; embedding is
    measured elsewhere.
    """
    with serving(LATENCY_S) as url, _opened(folder, url) as stylus:
        _fill(stylus, 0, WARM)
        refine(
            stylus, RefineWish(RefineLimits(at_once=AT_ONCE), pictures=0), progress
        )  # the connections are there, the library is loaded
        _fill(stylus, WARM, cards)
        settle()  # as an engine does
        bare = _bare(url, cards)
        began = time.perf_counter()
        report = refine(stylus, RefineWish(RefineLimits(at_once=AT_ONCE), pictures=0), progress)
        took = time.perf_counter() - began
    ideal = math.ceil(cards / AT_ONCE) * LATENCY_S
    return {
        "refiner_efficiency": round(ideal / took, 3) if report.refined == cards else 0.0,
        "refiner_cards": report.refined,
        "refiner_bare_efficiency": round(ideal / bare, 3),
        "refiner_at_once": AT_ONCE,
        "refiner_per_s": round(report.refined / took, 1),
        "refiner_ideal_s": round(ideal, 2),
        "refiner_took_s": round(took, 2),
    }


def cost_of_1000(folder: Path, models: Sequence[str], pictures: int = 3) -> dict[str, Expense]:
    """What refining 1,000 adapters costs, by model: from the tokens of the questions about the
    starter catalogue, whose cards stand for others, and of a card with a page of text; nobody is
    asked.
    """
    found = {}
    for model in models:
        settings = with_values(
            Settings(), {"chat": {"chat_url": "https://models.example/v1", "chat_model": model}}
        )
        stylus = open_stylus(folder, settings)
        try:
            if not stylus.store.search("", Filter(), limit=1).total:
                _fill(stylus, 0, 200)
            found[model] = _mean_of_1000(stylus, pictures)
        finally:
            stylus.close()
    return found


def _mean_of_1000(stylus: Stylus, pictures: int) -> Expense:
    with chat_refiner(stylus.chat, pictures, fetch=True) as refiner:
        cards = [change.entry.card for change in stylus.store.changes(0) if change.entry]
        total = sum((refiner.estimate(card) for card in cards), Expense())
    share = 1000 / max(len(cards), 1)
    return Expense(
        round(total.tokens_in * share),
        round(total.tokens_out * share),
        None if total.cost is None else round(total.cost * share, 2),
    )


def _bare(url: str, questions: int) -> float:
    """Seconds of the same number of questions without anything of ours around them: what this
    machine allows just now.
    """
    left, guard = list(range(questions)), threading.Lock()
    where = urlsplit(url)

    def ask() -> None:
        connection = HTTPConnection(where.hostname or "", where.port)
        while True:
            with guard:
                if not left:
                    break
                left.pop()
            connection.request(
                "POST", "/v1/chat/completions", _QUESTION, {"Content-Type": "application/json"}
            )
            connection.getresponse().read()
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(AT_ONCE)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


@contextmanager
def serving(latency_s: float, *said: str) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, str(Path(chat_server.__file__)), str(latency_s), *said],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        port = int(process.stdout.readline()) if process.stdout else 0
        yield f"http://127.0.0.1:{port}"
    finally:
        process.communicate()


@contextmanager
def _opened(folder: Path, url: str) -> Iterator[Stylus]:
    stylus = open_stylus(
        folder, with_values(Settings(), {"chat": {"chat_url": url, "chat_model": "measured"}})
    )
    try:
        yield stylus
    finally:
        stylus.close()


def _fill(stylus: Stylus, start: int, number: int) -> None:
    """Cards with a page of text each, and pictures with their prompts as Civitai shows them."""
    stylus.refresh.take([Sighting(card=_card(start + at + 1)) for at in range(number)])


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
