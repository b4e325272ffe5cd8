from __future__ import annotations

from typing import Any

import pytest

from stylus_ext.core.card import AdapterKey, RemoteFile
from stylus_ext.core.entry import Edits
from stylus_ext.core.errors import InvalidInput
from stylus_ext.engine.operations.catalogue import link_of
from stylus_ext.engine.stylus import Stylus
from tests.engine.test_operations import ask, plan, stylus
from tests.fakes import make_entry

__all__ = ["stylus"]


def test_cards_are_listed_by_the_requested_key(stylus: Stylus) -> None:
    answer = ask(stylus, "cards", keys=["civitai:2", "civitai:1", "civitai:77"])["cards"]
    assert list(answer) == ["civitai:2", "civitai:1"]
    assert answer["civitai:1"] == {
        **ask(stylus, "search", text="corgi")["entries"][0],
        "family_name": "SD 1.5",
        "text": "A small corgi dog with short legs.",
        "nsfw": False,
        "preview": False,
        "favourite": False,
        "measured": False,
        "trouble": "",
        "link": "https://civitai.com/model-versions/1",
    }
    with pytest.raises(InvalidInput):
        ask(stylus, "cards", keys=["nonsense"])


def test_the_text_of_a_card_is_short(stylus: Stylus) -> None:
    stylus.catalogue.store.edit(AdapterKey.civitai(1), Edits(text="x" * 10_000, state="always"))
    card = ask(stylus, "cards", keys=["civitai:1"])["cards"]["civitai:1"]
    assert (len(card["text"]), card["state"]) == (300, "always")


@pytest.mark.parametrize(
    ("changes", "link"),
    [
        ({"model_id": 5}, "https://civitai.com/models/5?modelVersionId=1"),
        (
            {"key": AdapterKey.path("x"), "equivalents": (AdapterKey.civitai(9),)},
            "https://civitai.com/model-versions/9",
        ),
        ({"key": AdapterKey.path("x")}, ""),
        (
            {
                "key": AdapterKey.path("x"),
                "remote": RemoteFile(
                    "a", 1, url="https://huggingface.co/some/lora/resolve/main/a.safetensors"
                ),
            },
            "https://huggingface.co/some/lora",
        ),
        (
            {
                "key": AdapterKey.path("x"),
                "remote": RemoteFile("a", 1, url="https://evil.test/huggingface.co/some/lora/x"),
            },
            "",
        ),
    ],
)
def test_a_link_leads_to_the_adapters_page_or_is_empty(changes: dict[str, Any], link: str) -> None:
    assert link_of(make_entry(1, **changes)) == link


def test_the_plan_operation_applies_corrections(stylus: Stylus) -> None:
    prompt = "a corgi dog, pixel art"
    before = plan(stylus, prompt, settings={"selection": {"strictness": 0.0}})
    key = before["picks"][0]["key"]
    after = plan(
        stylus, prompt, settings={"selection": {"strictness": 0.0}}, corrections={"reject": [key]}
    )
    assert key not in [pick["key"] for pick in after["picks"]]
    kept = plan(
        stylus,
        prompt,
        corrections={"keep": [{"key": key, "weight": 0.31, "pinned": True}], "only": True},
        batches=5,
    )
    assert [(pick["key"], pick["weight"], pick["user_weight"]) for pick in kept["picks"]] == [
        (key, 0.31, True)
    ]
    assert kept["masks"] == [[key]] * 5
    assert all(":0.31>" in text for text in kept["prompts"])
    wrong: list[dict[str, Any]] = [{"reject": ["x"]}, {"keep": [{}]}, {"more": 1}]
    for broken in wrong:
        with pytest.raises(InvalidInput):
            plan(stylus, prompt, corrections=broken)
