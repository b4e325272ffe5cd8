"""How fast a catalogue is read into ours beside the encoder alone: cards from loopback are parsed,
stored, embedded and made searchable.

In: an empty folder, a number of cards and the command of this environment. Out: shares and seconds.
The cards come in parts: each is encoded alone and read in, in turns, so that a machine that is busy
for a while is so for both.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from stylus_ext.core.entry import VIEWS, embedded_text
from stylus_ext.core.errors import Unavailable
from stylus_ext.core.ports import Filter, Progress
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.core.sources import Wanted
from stylus_ext.engine.stylus import Stylus, open_stylus
from stylus_ext.evaluation import catalogue_server

PARTS = 5
_SAMPLE = 250
"""Cards that are encoded alone before each part is read, and after it."""

Command = Callable[..., Sequence[str]]
"""How `main` of a module is called in this environment, in another process."""


def measure(folder: Path, cards: int, command: Command, progress: Progress) -> dict[str, Any]:
    with _serving(cards, command) as url:
        settings = with_values(
            Settings(), {"civitai": {"civitai_url": url, "request_interval": 0.0}}
        )
        stylus = open_stylus(folder, settings)
        try:
            return _measured(stylus, cards, progress)
        finally:
            stylus.close()


def _measured(stylus: Stylus, cards: int, progress: Progress) -> dict[str, Any]:
    texts = _texts(stylus, max(1, min(_SAMPLE, cards // PARTS)))
    stylus.catalogue.embedder.embed(texts[:64])
    shares, whole, bare, before = (
        [],
        0.0,
        0.0,
        _timed(lambda: stylus.catalogue.embedder.embed(texts)),
    )
    for number in range(PARTS):
        began = time.perf_counter()
        synced = stylus.services.civitai.sync(
            stylus.catalogue.ingest, Wanted(tag=catalogue_server.part(number)), progress
        )
        seconds = time.perf_counter() - began
        after = _timed(lambda: stylus.catalogue.embedder.embed(texts))
        alone = (before + after) / 2 * synced.kept * len(VIEWS) / len(texts)
        whole, bare, before = whole + seconds, bare + alone, after
        shares.append(alone / seconds)
    found = stylus.catalogue.store.search("", Filter(), limit=1).total
    if found != cards or not stylus.catalogue.embed.in_step():
        raise Unavailable(
            f"Of {cards:,} cards {found:,} were read in: what was measured is no figure."
        )
    return {
        "share_of_encoder_speed": round(median(shares), 3),
        "cards": cards,
        "seconds": round(whole, 1),
        "encoder_alone_s": round(bare, 1),
        "cards_per_s": round(cards / whole, 1),
        "shares": [round(share, 3) for share in shares],
    }


def _texts(stylus: Stylus, number: int) -> list[str]:
    """Of cards like those that come: what the encoder is given for each."""
    entries = [stylus.catalogue.refresh.entry(card) for card in catalogue_server.cards_like(number)]
    return [embedded_text(entry, view) for view in VIEWS for entry in entries]


@contextmanager
def _serving(cards: int, command: Command) -> Iterator[str]:
    ran = subprocess.Popen(
        command(catalogue_server.__name__, str(cards), str(PARTS)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        port = ran.stdout.readline().strip() if ran.stdout else ""
        if not port:
            raise Unavailable("The local catalogue that is measured against did not start.")
        yield f"http://127.0.0.1:{port}"
    finally:
        if ran.stdin:
            ran.stdin.close()
        ran.wait()
        if ran.stdout:
            ran.stdout.close()


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    budgets = {"share_of_encoder_speed": ">= 0.8"}
    for name, value in found.items():
        yield f"{name:24} {value!s:>10}  {budgets.get(name, '')}".rstrip()
