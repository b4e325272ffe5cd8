"""img2img and inpainting: empty prompts, the interrogator, and what an inpainted spot may get."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from tests.host.double.fixtures import Stage
from tests.host.double.processing import parse_generation_parameters

ON = {"enabled": True}


class Seen:
    """A picture that an interrogator can look at."""

    info: dict[str, str] = {}
    pixels = ("seen",)

    def convert(self, mode: str) -> Seen:
        assert mode == "RGB"
        return self


def interrogating(
    monkeypatch: pytest.MonkeyPatch, loaded: bool, text: str = "a corgi in watercolor"
) -> list[Any]:
    asked: list[Any] = []

    def interrogate(image: Any) -> str:
        asked.append(image)
        return text

    model = object() if loaded else None
    made = SimpleNamespace(blip_model=model, clip_model=model, interrogate=interrogate)
    monkeypatch.setattr(sys.modules["modules.shared"], "interrogator", made)
    return asked


def prompt_of(done: Any) -> str:
    return str(parse_generation_parameters(done.infotexts[0])["Prompt"])


def test_a_prompt_in_img2img_is_planned_like_any_other(stage: Stage) -> None:
    done = stage.host.api(ON, prompt="a corgi", init_images=[Seen()])
    assert prompt_of(done) == "a corgi <lora:corgi_dog:0.8>"


def test_an_empty_prompt_stays_empty(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = interrogating(monkeypatch, loaded=True)
    done = stage.host.api(ON, prompt="", init_images=[Seen()])
    assert prompt_of(done) == ""
    assert asked == []


def test_the_picture_is_described_first_if_one_wants_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = interrogating(monkeypatch, loaded=True)
    stage.host.opts.data["stylus_describe"] = True
    done = stage.host.api(ON, prompt="", init_images=[Seen()], n_iter=2)
    assert len(asked) == 1
    assert stage.asked[0]["description"] == "a corgi in watercolor"
    assert prompt_of(done) == "<lora:corgi_dog:0.75> <lora:watercolor_style:0.75>"
    for image, text in zip(done.images, done.infotexts, strict=True):
        assert stage.host.without_stylus(text, init_images=[Seen()]).pixels == image.pixels


def test_words_of_ones_own_need_no_description(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = interrogating(monkeypatch, loaded=True)
    stage.host.opts.data["stylus_describe"] = True
    stage.host.api(ON, prompt="a knight", init_images=[Seen()])
    assert asked == []
    assert stage.asked[0]["prompts"][0]["prompt"] == "a knight"


def test_an_interrogator_that_is_not_loaded_is_not_loaded_for_us(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would download, and take the GPU's memory."""
    asked = interrogating(monkeypatch, loaded=False)
    stage.host.opts.data["stylus_describe"] = True
    assert prompt_of(stage.host.api(ON, prompt="", init_images=[Seen()])) == ""
    assert asked == []


def test_inpainting_gets_no_style_and_no_scene(stage: Stage) -> None:
    done = stage.host.api(
        ON,
        prompt="a corgi, watercolor, glass skyscraper",
        init_images=[Seen()],
        image_mask="mask",
        n_iter=2,
    )
    assert prompt_of(done) == "a corgi, watercolor, glass skyscraper <lora:corgi_dog:0.8>"
    for image, text in zip(done.images, done.infotexts, strict=True):
        assert stage.host.without_stylus(text, init_images=[Seen()]).pixels == image.pixels


def test_unless_they_are_asked_for(stage: Stage) -> None:
    stage.host.opts.data["stylus_inpaint_styles"] = True
    done = stage.host.api(ON, prompt="a corgi, watercolor", init_images=[Seen()], image_mask="mask")
    assert (
        prompt_of(done) == "a corgi, watercolor <lora:corgi_dog:0.75> <lora:watercolor_style:0.75>"
    )


def test_an_inpainted_spot_with_only_a_style_is_left_alone(stage: Stage) -> None:
    done = stage.host.api(ON, prompt="watercolor", init_images=[Seen()], image_mask="mask")
    assert prompt_of(done) == "watercolor"
    assert "Lora hashes" not in done.infotexts[0]
