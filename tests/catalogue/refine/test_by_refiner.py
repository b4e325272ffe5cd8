"""One catalogue as each refiner describes it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stylus_ext.catalogue.refine.by_refiner import REFINERS, RefinerName, described_by, refiner_of
from stylus_ext.catalogue.refine.rules import CardRefiner
from stylus_ext.core.card import AdapterCard, AdapterKey
from stylus_ext.core.entry import Edits, Entry

CARD = AdapterCard(AdapterKey.path("qx7.safetensors"), "qx7", "local")
RULES = CardRefiner().refine(CARD)
CAPTIONS = [{"blip": "a red fox in the snow near a river"}]


def entry(source: str = "card", text: str = "") -> Entry:
    made = replace(RULES, source=source, text=text or RULES.text)
    return Entry(CARD, made, "sd15", edits=Edits(text="My own words.", weight=0.5))


@pytest.mark.parametrize(
    ("source", "refiner"),
    [
        ("card", "rules"),
        ("captions", "captions"),
        ("stylusdocs", "published"),
        ("chat:qwen3:8b", "llm"),
        ("something older", "rules"),
    ],
)
def test_the_refiner_of_a_description(source: str, refiner: RefinerName) -> None:
    assert refiner_of(replace(RULES, source=source)) == refiner


@pytest.mark.parametrize("refiner", REFINERS)
def test_the_users_text_is_no_refiners_and_his_other_edits_stay(refiner: RefinerName) -> None:
    made = described_by(refiner, entry(), CAPTIONS)
    assert made.edits == Edits(weight=0.5)


def test_each_refiner_has_its_own_text() -> None:
    by_model = entry("chat:m", "A model's text.")
    assert described_by("none", by_model, CAPTIONS).text == ""
    assert described_by("rules", by_model, CAPTIONS).text == RULES.text
    assert "fox" in described_by("captions", by_model, CAPTIONS).text
    assert described_by("llm", by_model).text == "A model's text."


@pytest.mark.parametrize("refiner", ["captions", "published", "llm"])
def test_the_rules_stand_in_for_a_refiner_without_a_description(refiner: RefinerName) -> None:
    assert described_by(refiner, entry()).description == RULES


def test_captions_that_say_nothing_leave_the_rules() -> None:
    assert described_by("captions", entry(), [{"blip": ""}]).description == RULES
