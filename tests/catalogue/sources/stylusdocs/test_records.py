"""Published records as cards, and answers of the paper's refiner."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.sources.stylusdocs import (
    card_of,
    model_id,
    parse_answer,
    stated_description,
)
from stylus_ext.core.card import AdapterKey, Example
from tests.published import adapter

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = list(asdict(adapter(1)))


def record(**changes: Any) -> dict[str, Any]:
    return asdict(adapter(7, **changes))


def test_a_record_as_a_card() -> None:
    card = card_of(record())
    assert card is not None
    assert (card.key, card.model_id, card.source, card.base_model) == (
        AdapterKey.civitai(1_000_007),
        7,
        "stylusdocs",
        "SD 1.5",
    )
    assert (card.name, card.tags, card.triggers, card.text) == (
        "Adapter 7",
        ("style", "tag7"),
        ("trigger7",),
        "The author's words about 7.",
    )
    assert (card.downloads, card.rating, card.images) == (107, 0.9, 5)
    assert card.examples == tuple(Example(f"a picture {at} of adapter 7") for at in range(4))
    assert card.remote is not None
    assert (card.remote.name, card.remote.size, card.remote.sha256) == (
        "adapter_7.safetensors",
        0,
        None,
    )


@pytest.mark.parametrize(
    ("url", "version"),
    [
        ("https://civitai.com/api/download/models/12345", 12345),
        ("https://civitai.com/api/download/models/12345?type=Model&format=SafeTensor", 12345),
        ("https://www.civitai.com/api/download/models/9/", 9),
        ("https://civitai.com.evil.example/api/download/models/12345", None),
        ("https://civitai.com/models/12345", None),
        ("file:///etc/passwd", None),
        ("", None),
        (None, None),
        (12345, None),
        (["x"], None),
        ("https://civitai.com/api/download/models/" + "9" * 40, None),
        ("https://civitai.com/api/download/models/12345abc", None),
    ],
)
def test_the_version_is_told_by_the_address_alone(url: Any, version: int | None) -> None:
    card = card_of(record(download_url=url))
    assert (card.key if card else None) == (AdapterKey.civitai(version) if version else None)


def test_a_file_name_is_made_safe() -> None:
    card = card_of(record(alias="../../etc/pass:wd<lora>"))
    assert card is not None
    assert card.remote is not None
    assert not set(card.remote.name) & set("/\\:<>")


def test_the_name_of_the_file_stands_in_for_a_title() -> None:
    card = card_of(record(title=None))
    assert card is not None
    assert card.name == "adapter_7"


@given(st.fixed_dictionaries({name: PLAIN for name in FIELDS if name != "download_url"}))
def test_values_of_any_type(values: dict[str, Any]) -> None:
    card = card_of({**values, "download_url": "https://civitai.com/api/download/models/5"})
    assert card is not None
    assert len(card.tags) <= 40
    assert len(card.examples) <= 8
    assert len(card.text) <= 6000
    assert model_id(values) is None or model_id(values) == int(values["adapter_id"])
    said = stated_description(values)
    assert said is None or (said[0].isprintable() and (said[1] is None or 0 < said[1] <= 2))


def test_lists_of_any_length_cost_little() -> None:
    endless: list[Any] = ["word"] * 5
    endless[0] = endless
    card = card_of({**record(), "tags": endless, "image_prompts": ["x" * 10_000] * 100_000})
    assert card is not None
    assert card.tags == ("word",)
    assert [len(example.prompt) for example in card.examples] == [600]


@pytest.mark.parametrize(
    ("answer", "text", "weight"),
    [
        ("- Chinese ink painting, in washes.\n- 0.85", "Chinese ink painting, in washes.", 0.85),
        ("- A blue - green coat.\n\n- 0.8\n", "A blue - green coat.", 0.8),
        ("- One line - 1", "One line", 1.0),
        ("- Weighted.\n- Recommended Weight: 0.7", "Weighted.", 0.7),
        ("- No weight here.", "No weight here.", None),
        ("Plain words", "Plain words", None),
        ("- **Bold** see https://example.org/x?y now.\n- .5", "Bold see now.", 0.5),
        ("- Far too strong.\n- 7", "Far too strong.", None),
        ("- Zero.\n- 0.", "Zero.", None),
    ],
)
def test_answers_of_the_papers_refiner(answer: str, text: str, weight: float | None) -> None:
    assert parse_answer(answer) == (text, weight)


@pytest.mark.parametrize("answer", ["Failed", "failed", "", " \n", "- \n- 0.8", "None"])
def test_failed_answers_give_no_description(answer: str) -> None:
    assert parse_answer(answer) is None


@given(st.text())
def test_any_answer(answer: str) -> None:
    found = parse_answer(answer)
    assert found is None or (found[0] and found[0].isprintable() and "http://" not in found[0])


def test_a_record_may_hold_its_description() -> None:
    assert stated_description(record(llm_description="Ink washes.", weight=0.6)) == (
        "Ink washes.",
        0.6,
    )
    assert stated_description(record(llm_description=None)) is None
