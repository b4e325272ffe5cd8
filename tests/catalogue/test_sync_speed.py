"""Ten thousand models of the local Civitai, over real sockets, with the real encoder: how near the
whole comes to bare encoding.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.card import AdapterCard
from stylus_ext.core.entry import VIEWS, embedded_text
from stylus_ext.core.ports import Filter
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.core.sources import Wanted
from stylus_ext.engine.stylus import Stylus, open_stylus
from stylus_ext.evaluation import invented
from tests.civitai_service.service import serving
from tests.civitai_service.shapes import a_file, a_made_picture, a_model, a_picture, a_version
from tests.fakes import Watch

_SAMPLE = 1000


def as_model(place: int, card: AdapterCard) -> dict[str, Any]:
    """An invented card as Civitai would list it, with pictures and HTML."""
    version = a_version(
        10_000_000 + place,
        trainedWords=list(card.triggers),
        baseModel=card.base_model,
        files=[a_file(place, card.remote.name if card.remote else "", b"%d" % place)],
        images=[
            a_picture(place * 10 + number, meta=a_made_picture(place, example.prompt)["meta"])
            for number, example in enumerate(card.examples)
        ],
    )
    paragraphs = "".join(f"<p>{sentence}</p>" for sentence in card.text.split(". "))
    links = '<p>Support me: <a href="https://ko-fi.com/x">ko-fi</a></p>'
    return a_model(
        place,
        version,
        name=card.name,
        tags=list(card.tags),
        description=f"<h2>{card.name}</h2>{paragraphs}{links}",
    )


def bare_seconds(stylus: Stylus, number: int) -> float:
    """What the encoder alone would need for the texts of all entries, judged by those of some, cut
    as the crawl cuts them.
    """
    entries = stylus.catalogue.store.search("", Filter(), limit=_SAMPLE).entries
    began = time.perf_counter()
    for start in range(0, len(entries), 100):
        for view in VIEWS:
            stylus.catalogue.embedder.embed(
                [f"{embedded_text(entry, view)} " for entry in entries[start : start + 100]]
            )
    return (time.perf_counter() - began) / len(entries) * number


@pytest.mark.long
@pytest.mark.parametrize("number", [10_000])
def test_a_crawl_is_nearly_as_fast_as_its_encoder(tmp_path: Path, number: int) -> None:
    with serving() as service:
        service.add(
            *(
                as_model(place, card)
                for place, card in enumerate(invented.cards(number, seed=21), 1)
            )
        )
        settings = with_values(
            Settings(), {"civitai": {"civitai_url": service.api, "request_interval": 0.0}}
        )
        stylus = open_stylus(tmp_path / "data", settings)
        try:
            stylus.catalogue.embedder.embed(["warm up"])
            began = time.perf_counter()
            synced = stylus.services.civitai.sync(stylus.catalogue.ingest, Wanted(), Watch())
            whole = time.perf_counter() - began
            assert synced.kept == number
            assert stylus.catalogue.embed.is_current()
            assert stylus.catalogue.store.search("corgi", Filter()).total > 0
            bare = bare_seconds(stylus, number)
        finally:
            stylus.close()
    sys.stderr.write(
        f"\n{number:,} cards in {whole:.1f} s, the encoder alone {bare:.1f} s: {bare / whole:.2f}"
        " of its speed\n"
    )
    assert bare / whole >= 0.8
