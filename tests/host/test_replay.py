"""Going on with a picture: paste, the API's infotext, the upscale button, "send to img2img",
selecting afresh.
"""

from __future__ import annotations

from typing import Any

from tests.host.double.fixtures import Stage
from tests.host.double.processing import (
    Picture,
    Processing,
    parse_generation_parameters,
    process_images,
)

ON = {"enabled": True}
PROMPT = "a corgi, watercolor"


def made(stage: Stage, number: int = 0, **fields: Any) -> tuple[Picture, str]:
    done = stage.host.api({**ON, **fields.pop("stylus", {})}, prompt=PROMPT, n_iter=4, **fields)
    return done.images[number], done.infotexts[number]


def value(stage: Stage, tab: str, name: str) -> Any:
    elem_id = f"stylus_{tab}_{name}" + ("-checkbox" if name == "enabled" else "")
    return stage.host.page.by_id(elem_id).value


def test_a_paste_plays_the_same_set_again(stage: Stage) -> None:
    for number in range(4):
        image, text = made(stage, number)
        before = len(stage.asked)
        prompt = stage.host.paste(text)
        assert value(stage, "txt2img", "enabled") is True
        done = stage.host.generate(
            prompt=prompt, seed=int(parse_generation_parameters(text)["Seed"])
        )
        assert done.images[0].pixels == image.pixels
        assert done.infotexts[0] == text
        assert len(stage.asked) == before


def test_what_was_pasted_can_be_pasted_again(stage: Stage) -> None:
    _, text = made(stage, 2)
    for _ in range(3):
        done = stage.host.generate(prompt=stage.host.paste(text), seed=3)
        assert done.infotexts[0] == text


def test_a_changed_tag_is_a_new_question(stage: Stage) -> None:
    _, text = made(stage)
    prompt = stage.host.paste(text).replace("corgi_dog:0.75", "corgi_dog:0.3")
    before = len(stage.asked)
    stage.host.generate(prompt=prompt)
    assert len(stage.asked) == before + 1


def test_words_may_change_as_long_as_the_tags_stay(stage: Stage) -> None:
    _, text = made(stage)
    before = len(stage.asked)
    done = stage.host.generate(prompt=stage.host.paste(text).replace("a corgi", "two corgis"))
    assert len(stage.asked) == before
    assert parse_generation_parameters(done.infotexts[0])["Prompt"].startswith("two corgis")


def test_a_pasted_picture_without_tags_is_played_again_only_as_it_was(stage: Stage) -> None:
    image, text = next(
        (image, text)
        for image, text in (
            made(stage, number, stylus={"diversity": "paper"}) for number in range(4)
        )
        if "<lora:" not in text
    )
    seed = int(parse_generation_parameters(text)["Seed"])
    prompt = stage.host.paste(text)
    before = len(stage.asked)
    assert stage.host.generate(prompt=prompt, seed=seed).images[0].pixels == image.pixels
    assert len(stage.asked) == before
    stage.host.generate(prompt=f"{prompt}, a knight", seed=seed)
    assert len(stage.asked) == before + 1


def test_settings_come_back_with_a_paste(stage: Stage) -> None:
    _, text = made(
        stage,
        stylus={
            "strength": 0.5,
            "diversity": "subsets",
            "max_adapters": 2,
            "seed": 9,
            "vary_inside_batch": True,
        },
    )
    said = parse_generation_parameters(text)["Stylus settings"]
    assert said == "max_adapters=2 strength=0.5 diversity=subsets vary_inside_batch=true seed=9"
    stage.host.paste(text)
    found = [
        value(stage, "txt2img", name)
        for name in (
            "max_adapters",
            "strength",
            "diversity",
            "vary_inside_batch",
            "seed",
            "per_task",
        )
    ]
    assert found == [2, 0.5, "subsets", True, 9, 1]


def test_a_picture_without_stylus_switches_it_off(stage: Stage) -> None:
    _, text = made(stage)
    stage.host.paste(text)
    plain = stage.host.api(prompt="the sea").infotexts[0]
    stage.host.paste(plain)
    assert value(stage, "txt2img", "enabled") is False
    assert value(stage, "txt2img", "replay") == ""


def test_the_apis_infotext_behaves_like_a_paste(stage: Stage) -> None:
    image, text = made(stage, 2)
    before = len(stage.asked)
    done = stage.host.api(infotext=text)
    assert done.images[0].pixels == image.pixels
    assert done.infotexts[0] == text
    assert len(stage.asked) == before


def test_the_upscale_button_uses_the_selected_pictures_set(stage: Stage) -> None:
    """The page's prompt has no tags; what tells is the picture's own infotext."""
    image, text = made(stage, 2)
    assert image.info["parameters"] == text
    done = upscale(stage, image, seed=3)
    said, before = parse_generation_parameters(done.infotexts[0]), parse_generation_parameters(text)
    assert said["Prompt"] == before["Prompt"]
    assert said["Stylus mask"] == before["Stylus mask"]
    assert done.images[0].pixels[3][2] == image.pixels[2][2]


def test_the_upscale_button_knows_a_picture_without_infotext(stage: Stage) -> None:
    image, text = made(stage, 2)
    done = upscale(stage, Picture(image.pixels), seed=3)
    assert (
        parse_generation_parameters(done.infotexts[0])["Prompt"]
        == parse_generation_parameters(text)["Prompt"]
    )


def test_upscaling_with_another_prompt_keeps_the_set(stage: Stage) -> None:
    image, text = made(stage)
    done = upscale(stage, image, seed=1, prompt="two corgis, watercolor")
    assert (
        parse_generation_parameters(done.infotexts[0])["Prompt"]
        == "two corgis, watercolor <lora:corgi_dog:0.75> <lora:watercolor_style:0.75>"
    )


def test_a_strange_picture_to_upscale_is_planned_for(stage: Stage) -> None:
    upscale(stage, Picture(()), seed=77)
    assert len(stage.asked) == 1


def upscale(stage: Stage, image: Picture, seed: int, prompt: str = PROMPT) -> Any:
    """As the host does it: hires forced on, one picture, the box's prompt."""
    stage.host.page.by_id("stylus_txt2img_enabled-checkbox").value = True
    runner = stage.host.txt2img
    p: Any = Processing(stage.host, prompt, seed=seed, enable_hr=True, firstpass_image=image)
    p.give_scripts(runner, (0, *(component.value for component in runner.inputs[1:])))
    p.txt2img_upscale = True
    return process_images(p)


def test_sending_to_img2img_carries_the_set_along(stage: Stage) -> None:
    stage.host.page.by_id("stylus_txt2img_enabled-checkbox").value = True
    stage.host.page.by_id("stylus_txt2img_strength").value = 0.5
    done = stage.host.generate(prompt=PROMPT, n_iter=3)
    stage.host.send_to_img2img()
    assert value(stage, "img2img", "enabled") is True
    assert value(stage, "img2img", "strength") == 0.5
    before = len(stage.asked)
    for image, text in zip(done.images, done.infotexts, strict=True):
        sent = stage.host.generate(stage.host.img2img, prompt=PROMPT, init_images=[image], seed=99)
        assert (
            parse_generation_parameters(sent.infotexts[0])["Prompt"]
            == parse_generation_parameters(text)["Prompt"]
        )
    assert len(stage.asked) == before


def test_a_picture_without_infotext_is_known_by_seed_and_prompt_on_the_page_only(
    stage: Stage,
) -> None:
    stage.host.page.by_id("stylus_txt2img_enabled-checkbox").value = True
    stage.host.generate(prompt=PROMPT, seed=5)
    stage.host.send_to_img2img()
    stage.host.generate(stage.host.img2img, prompt=PROMPT, init_images=[Picture(())], seed=5)
    assert len(stage.asked) == 1
    stage.host.api(ON, prompt=PROMPT, init_images=[Picture(())], seed=5)
    assert len(stage.asked) == 2


def test_another_prompt_or_setting_in_img2img_is_planned_anew(stage: Stage) -> None:
    image, _ = made(stage)
    stage.host.api(ON, prompt="a knight", init_images=[image])
    stage.host.api({**ON, "strength": 0.4}, prompt=PROMPT, init_images=[image])
    assert len(stage.asked) == 3


def test_selecting_afresh_restores_the_prompt(stage: Stage) -> None:
    _, text = made(stage)
    prompt = stage.host.paste(text)
    click = stage.host.page.by_id("stylus_txt2img_afresh").events["click"]
    assert [component.elem_id for component in click.inputs] == [
        "txt2img_prompt",
        "stylus_txt2img_replay",
    ]
    assert click.fn(prompt, value(stage, "txt2img", "replay")) == [PROMPT, ""]
    assert click.fn("untouched", "") == ["untouched", ""]


def test_the_button_shows_only_when_there_is_something_to_restore(stage: Stage) -> None:
    _, text = made(stage)
    stage.host.paste(text)
    change = stage.host.page.by_id("stylus_txt2img_replay").events["change"]
    assert change.fn(value(stage, "txt2img", "replay"))["visible"] is True
    assert change.fn("")["visible"] is False


def test_nonsense_in_the_hidden_field_is_as_if_it_were_empty(stage: Stage) -> None:
    for nonsense in ("{", "[]", '{"prompt": 1}', '"text"', "7"):
        done = stage.host.api(
            [True, "rules", 3, 1, 1.0, "paper", False, False, -1, "auto", nonsense], prompt=PROMPT
        )
        assert "<lora:" in done.infotexts[0]


def test_a_style_in_the_box_does_not_hinder_a_replay(stage: Stage) -> None:
    """The host takes a style's text out of what is pasted, and puts it back when it generates."""
    stage.host.style_texts["Car"] = "{prompt} <lora:glass_skyscraper:1>"
    done = stage.host.api(ON, prompt="a corgi", styles=["Car"])
    text = done.infotexts[0].replace(" <lora:glass_skyscraper:1>", "", 1)
    before = len(stage.asked)
    prompt = stage.host.paste(text)
    again = stage.host.generate(prompt=prompt, styles=["Car"])
    assert len(stage.asked) == before
    assert sorted(again.images[0].pixels[2][2]) == sorted(done.images[0].pixels[2][2])


def test_embeddings_of_the_earlier_picture_are_added_to_other_texts() -> None:
    from stylus_ext.host import infotext
    from stylus_ext.host.planner import MadePicture
    from stylus_ext.host.replay import _Earlier

    fields = {
        infotext.PROMPT: "a fox",
        infotext.NEGATIVE: "blurry",
        infotext.MASK: "+fox +griffin_ti +EasyNegative -owl",
    }
    written = "a fox, fox, (griffin_ti:1.2) <lora:fox:0.8>"
    earlier = _Earlier(MadePicture(written, "blurry, EasyNegative", fields))
    assert earlier.positive("a fox") == written
    assert earlier.positive("a cat") == "a cat, (griffin_ti:1.2) <lora:fox:0.8>"
    assert earlier.positive("griffin_ti") == "griffin_ti <lora:fox:0.8>"
    assert earlier.negative("noise") == "noise, EasyNegative"
    assert earlier.negative("easynegative") == "easynegative"
