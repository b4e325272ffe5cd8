"""A verdict on its way into a plan, over the real catalogue, retriever and composer."""

from __future__ import annotations

from stylus_ext.engine.stylus import Stylus
from tests.engine.test_operations import ask, plan, stylus

__all__ = ["stylus"]
PROMPT = "a corgi dog, pixel art"
LOOSE = {"selection": {"strictness": 0.0}}


def picked(stylus: Stylus, prompt: str = PROMPT) -> dict[str, str]:
    return {pick["key"]: pick["reason"] for pick in plan(stylus, prompt, settings=LOOSE)["picks"]}


def test_what_was_wrong_is_not_picked_again_for_this_prompt_and_the_plan_says_why(
    stylus: Stylus,
) -> None:
    before = picked(stylus)
    key = next(iter(before))
    assert ask(stylus, "verdict", key=key, prompt=PROMPT) == {"key": key, "times": 1}
    after = plan(stylus, PROMPT, settings=LOOSE)
    assert key not in [pick["key"] for pick in after["picks"]]
    assert "you said that it was wrong for this prompt" in [
        miss["reason"] for miss in after["near_misses"] if miss["key"] == key
    ]
    ask(stylus, "verdict", key=key, prompt=PROMPT, wrong=False)
    assert picked(stylus) == before


def test_a_prompt_like_it_is_told_and_another_one_left_alone(stylus: Stylus) -> None:
    ask(stylus, "verdict", key="civitai:1", prompt="a corgi dog, oil painting")
    assert picked(stylus)["civitai:1"].endswith(
        "; you said that it was wrong for a prompt like this"
    )
    assert "wrong" not in " ".join(
        picked(stylus, "corgi friend on a sailing boat, crgfrnd").values()
    )


def test_a_locked_one_stays_whatever_was_said_of_it(stylus: Stylus) -> None:
    ask(stylus, "verdict", key="civitai:1", prompt=PROMPT)
    kept = plan(stylus, PROMPT, corrections={"keep": [{"key": "civitai:1"}]})
    assert "civitai:1" in [pick["key"] for pick in kept["picks"]]
