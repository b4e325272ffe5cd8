"""Measure how fast a catalogue is read, compared with encoding alone.

The cards come in parts: each is encoded alone and then read, in turns, so that a busy machine slows
both.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from stylus_ext.core.card import AdapterCard
from stylus_ext.core.entry import VIEWS, embedded_text
from stylus_ext.core.errors import Unavailable
from stylus_ext.core.ports import Filter, Progress
from stylus_ext.core.sources import Wanted
from stylus_ext.engine.stylus import Stylus
from stylus_ext.evaluation import invented
from stylus_ext.evaluation.measuring import figure_lines, opened, seconds
from stylus_ext.evaluation.servers import serving

PARTS = 5
PAGE_SIZE = 100
_SAMPLE = 250
"""How many cards are encoded alone before and after each part."""


def measure(folder: Path, cards: int, progress: Progress) -> dict[str, Any]:
    with serving_catalogue(cards) as url:
        values = {"civitai": {"civitai_url": url, "request_interval": 0.0}}
        with opened(folder, values) as stylus:
            return _measured(stylus, cards, progress)


def _measured(stylus: Stylus, cards: int, progress: Progress) -> dict[str, Any]:
    texts = _texts(stylus, max(1, min(_SAMPLE, cards // PARTS)))
    embed = stylus.catalogue.embedder.embed
    embed(texts[:64])
    shares, whole, bare = [], 0.0, 0.0
    before = seconds(lambda: embed(texts))
    for number in range(PARTS):
        began = time.perf_counter()
        synced = stylus.services.civitai.sync(
            stylus.catalogue.ingest, Wanted(tag=part(number)), progress
        )
        took = time.perf_counter() - began
        after = seconds(lambda: embed(texts))
        alone = (before + after) / 2 * synced.kept * len(VIEWS) / len(texts)
        whole, bare, before = whole + took, bare + alone, after
        shares.append(alone / took)
    found = stylus.catalogue.store.search("", Filter(), limit=1).total
    if found != cards or not stylus.catalogue.embed.is_current():
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
    """Return the texts that the encoder gets for similar cards."""
    entries = [stylus.catalogue.refresh.entry(card) for card in invented.cards(number, seed=22)]
    return [embedded_text(entry, view) for view in VIEWS for entry in entries]


def part(number: int) -> str:
    """Return the tag that selects one part of the server's cards."""
    return f"part{number}"


def as_model(place: int, card: AdapterCard) -> dict[str, Any]:
    """Return a card as Civitai lists it, with pictures and HTML."""
    version_id, remote = 20_000_000 + place, card.remote
    sha256 = (remote.sha256 or "").upper() if remote else ""
    about = "".join(f"<p>{sentence}</p>" for sentence in card.text.split(". "))
    pictures = [
        {
            "id": place * 10 + number,
            "url": f"https://image.civitai.com/x/{place}.jpeg",
            "nsfwLevel": 1,
            "type": "image",
            "meta": {"prompt": example.prompt},
        }
        for number, example in enumerate(card.examples)
    ]
    file = {
        "id": place,
        "name": remote.name if remote else "",
        "type": "Model",
        "sizeKB": (remote.size if remote else 0) / 1024,
        "primary": True,
        "metadata": {"format": "SafeTensor", "fp": "fp16"},
        "pickleScanResult": "Success",
        "virusScanResult": "Success",
        "hashes": {"SHA256": sha256, "AutoV2": sha256[:10], "AutoV3": sha256[20:32]},
    }
    version = {
        "id": version_id,
        "name": "v1.0",
        "baseModel": card.base_model,
        "publishedAt": "2026-01-02T03:04:05.000Z",
        "availability": "Public",
        "nsfwLevel": 1,
        "trainedWords": list(card.triggers),
        "files": [file],
        "images": pictures,
        "stats": {"downloadCount": card.downloads},
    }
    return {
        "id": 10_000_000 + place,
        "name": card.name,
        "type": "LORA",
        "nsfw": False,
        "nsfwLevel": 1,
        "poi": False,
        "minor": False,
        "tags": list(card.tags),
        "description": (
            f'<h2>{card.name}</h2>{about}<p>Support me: <a href="https://ko-fi.com/x">ko-fi</a></p>'
        ),
        "creator": {"username": "author"},
        "allowCommercialUse": ["Image"],
        "stats": {"downloadCount": card.downloads, "thumbsUpCount": 40, "thumbsDownCount": 2},
        "modelVersions": [version],
    }


def pages(number: int, parts: int) -> Mapping[str, Sequence[str]]:
    """Return all pages as the server sends them, by tag."""
    cards = invented.cards(number, seed=21)
    models = [as_model(place, card) for place, card in enumerate(cards, 1)]
    share = -(-number // parts)
    return {part(at): list(_pages(models[at * share : (at + 1) * share])) for at in range(parts)}


def _pages(models: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for start in range(0, len(models), PAGE_SIZE):
        after = start + PAGE_SIZE
        metadata = {"nextCursor": str(after // PAGE_SIZE)} if after < len(models) else {}
        yield json.dumps({"items": models[start:after], "metadata": metadata})


@contextmanager
def serving_catalogue(cards: int) -> Iterator[str]:
    """Serve that many invented cards in `PARTS` parts; yield the address."""
    with tempfile.TemporaryDirectory(prefix="stylus-pages-") as folder:
        file = Path(folder, "pages.json")
        file.write_text(json.dumps(pages(cards, PARTS)), "utf-8")
        with serving("pages", file) as url:
            yield url


lines = figure_lines({"share_of_encoder_speed": ">= 0.8"})
