"""What every refiner keeps to, whoever reads the card."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stylus_ext.catalogue.refine.llm import LlmRefiner
from stylus_ext.catalogue.refine.llm_prompt import CardImages
from stylus_ext.catalogue.refine.rules import CardRefiner
from stylus_ext.core.card import AdapterCard, Example
from stylus_ext.core.entry import KINDS
from stylus_ext.core.ports import Refiner
from stylus_ext.llm import LlmClient, LlmEndpoint
from stylus_ext.net.thumbnails import Thumbnails
from tests.chat_service.answers import says
from tests.chat_service.server import serving
from tests.fakes import make_card
from tests.refining import GOOD

REFINERS = ("card", "chat")
CARDS = [
    make_card(name=""),
    make_card(
        name="Rainy Alley",
        text="<p>Wet streets with red lanterns.</p>",
        tags=("background",),
        triggers=("rainalley",),
    ),
    make_card(name="灯笼街", text="雨中的红灯笼。推荐权重0.7", tags=("style",)),
    make_card(name="Age Slider", examples=(Example("old man", 0.5), Example("young man", -2.0))),
    make_card(name="\x00<script>", text="<" * 10_000, tags=("", " "), triggers=("",)),
]


@pytest.fixture(params=REFINERS)
def refiner(request: pytest.FixtureRequest) -> Iterator[Refiner]:
    if request.param == "card":
        yield CardRefiner()
        return
    with serving(says(GOOD)) as service:
        client = LlmClient(LlmEndpoint(service.url, "seer-1"))
        yield LlmRefiner(client, CardImages(0, Thumbnails()))
        client.close()


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name[:10] or "empty")
def test_every_card_gets_a_whole_description(refiner: Refiner, card: AdapterCard) -> None:
    told = refiner.refine(card)
    assert told.kind in KINDS
    assert told.source.split(":")[0] == refiner.name
    assert told.fingerprint
    assert told.weight is None or 0 < told.weight <= 2
    assert told.text.isprintable()


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name[:10] or "empty")
def test_the_same_card_has_the_same_fingerprint_and_a_changed_one_another(
    refiner: Refiner, card: AdapterCard
) -> None:
    assert refiner.refine(card).fingerprint == refiner.refine(card).fingerprint
    changed = make_card(name=card.name + " anew", text=card.text)
    assert refiner.refine(changed).fingerprint != refiner.refine(card).fingerprint
