"""What diffusers gets of a prompt: plain words, and the LoRAs with their weights."""

from __future__ import annotations

import pytest

from stylus_ext.core.errors import InvalidInput
from stylus_ext.evaluation.pictures.diffusers_prompt import LoraTag, lora_tags, plain_text


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a fox, <lora:ink:0.8>", "a fox"),
        ("a fox <lora:ink:1> at night, <lora:b:1>, high quality", "a fox at night, high quality"),
        ("a (red:1.3) [quiet] ((fox))", "a red quiet fox"),
        (r"a fox \(animal\)", "a fox (animal)"),
        ("a fox # mine <lora:ink:1>", "a fox"),
        ("", ""),
    ],
)
def test_the_words_stay_and_the_syntax_goes(prompt: str, expected: str) -> None:
    assert plain_text(prompt) == expected


@pytest.mark.parametrize(
    ("tag", "weight", "text_weight"),
    [
        ("<lora:a:0.7>", 0.7, 0.7),
        ("<lora:a>", 1, 1),
        ("<lyco:a:-1>", -1, -1),
        ("<lora:a:0.5:0.8>", 0.8, 0.5),
        ("<lora:a:te=0.25:unet=1>", 1, 0.25),
        ("<lora:a:0.5:unet=0>", 0, 0.5),
        ("<lora:a:1@0,0.5@0.6>", 1, 1),
        ("<lora:a:0.5> <lora:a:0.25>", 0.75, 0.75),
    ],
)
def test_weights_of_model_and_text_encoder(tag: str, weight: float, text_weight: float) -> None:
    assert lora_tags(f"a fox, {tag}") == (LoraTag("a", weight, text_weight),)


@pytest.mark.parametrize("tag", ["<hypernet:a:1>", "<lora:a:much>"])
def test_what_diffusers_cannot_follow_is_refused(tag: str) -> None:
    with pytest.raises(InvalidInput):
        lora_tags(tag)
