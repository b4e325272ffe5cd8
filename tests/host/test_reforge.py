"""What reForge does otherwise than A1111, as it was seen on the live host: what the infotext says
is what happened there too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.host.double.fixtures import Stage, staged
from tests.host.double.processing import parse_generation_parameters
from tests.host.double.reforge import SAVE_COMMENTS, ReForge, strip_comments

ON = {"enabled": True}
PROMPT = "a corgi, watercolor"


@pytest.fixture
def reforge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    yield from staged(ReForge(tmp_path, monkeypatch), tmp_path, monkeypatch)


def holds(stage: Stage, done: Any, **fields: Any) -> None:
    """Every picture again, with Stylus off and the host's own script for comments on, from its own
    infotext.
    """
    for image, text in zip(done.images, done.infotexts, strict=True):
        said = parse_generation_parameters(text)
        more = {
            "prompt": said["Prompt"],
            "negative_prompt": said["Negative prompt"],
            "seed": int(said["Seed"]),
            **hires(text),
            **fields,
        }
        assert stage.host.api(**more).images[0].pixels == image.pixels
        assert ("Lora hashes" in text) == ("<lora:" in text)


def hires(text: str) -> dict[str, str]:
    said = parse_generation_parameters(text)
    return {
        "hr_prompt": said.get("Hires prompt", ""),
        "hr_negative_prompt": said.get("Hires negative prompt", ""),
    }


def prompts(done: Any) -> list[str]:
    return [parse_generation_parameters(text)["Prompt"] for text in done.infotexts]


@pytest.mark.parametrize(("count", "size"), [(1, 1), (3, 1), (2, 3), (4, 2)])
@pytest.mark.parametrize(
    "second", [{}, {"enable_hr": True}, {"enable_hr": True, "hr_prompt": "a knight, oil"}]
)
def test_every_picture_is_made_again(
    reforge: Stage, count: int, size: int, second: dict[str, Any]
) -> None:
    done = reforge.host.api(ON, prompt=PROMPT, n_iter=count, batch_size=size, **second)
    assert len(done.images) == count * size
    holds(reforge, done, **({"enable_hr": True} if second else {}))


def test_a_later_batch_tells_of_its_own_second_pass(reforge: Stage) -> None:
    """The host's function looks at the first batch's: "Hires prompt" appeared where both passes had
    the same set.
    """
    done = reforge.host.api(ON, prompt=PROMPT, n_iter=3, enable_hr=True)
    assert len(set(prompts(done))) == 3
    assert all("Hires prompt" not in text for text in [*done.infotexts, done.grid])


@pytest.mark.parametrize("size", [1, 2])
def test_a_grid_tells_of_the_last_batch_alone(reforge: Stage, size: int) -> None:
    """It used to have that batch's prompt and seed with the first picture's mask and hashes."""
    done = reforge.host.api(ON, prompt=PROMPT, n_iter=3, batch_size=size)
    said = parse_generation_parameters(done.grid)
    assert said == parse_generation_parameters(done.infotexts[2 * size])
    assert said != parse_generation_parameters(done.infotexts[0])


def test_a_grid_of_an_interrupted_generation_tells_of_what_was_made(
    reforge: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = reforge.host

    told = host.told

    def stop_in_the_second(p: Any, index: int) -> str:
        host.state.interrupted = host.state.interrupted or p.iteration == 1
        return told(p, index)

    monkeypatch.setattr(host, "told", stop_in_the_second)
    done = host.api(ON, prompt=PROMPT, n_iter=4)
    assert len(done.images) == 2
    assert parse_generation_parameters(done.grid) == parse_generation_parameters(done.infotexts[1])


@pytest.mark.parametrize(
    "prompt",
    [
        "a corgi // with a hat, watercolor",
        "a corgi /* nice */, watercolor",
        "a corgi # nice\n// x",
        "// first\na corgi",
        "*/ a knight",
    ],
)
def test_no_tag_stands_behind_a_comment(reforge: Stage, prompt: str) -> None:
    done = reforge.host.api(ON, prompt=prompt, n_iter=2, enable_hr=True)
    assert "Another script" not in done.infotexts[0]
    if "corgi" in strip_comments(prompt):
        assert "<lora:corgi_dog" in done.infotexts[0]
    holds(reforge, done, enable_hr=True)


def test_elsewhere_two_slashes_are_no_comment(stage: Stage) -> None:
    done = stage.host.api(ON, prompt="a corgi // watercolor")
    assert prompts(done) == [
        "a corgi // watercolor <lora:corgi_dog:0.75> <lora:watercolor_style:0.75>"
    ]


@pytest.mark.parametrize("size", [1, 2])
def test_saved_comments_keep_the_tags(reforge: Stage, size: int) -> None:
    """The host then writes the two boxes into every infotext, without what was in the pictures' own
    prompts.
    """
    reforge.host.opts.data[SAVE_COMMENTS] = True
    done = reforge.host.api(
        ON,
        prompt="a portrait, watercolor # of mine",
        negative_prompt="blurry",
        n_iter=2,
        batch_size=size,
    )
    assert (
        prompts(done)[0] == "a portrait, watercolor # of mine\n<lora:portrait_detail:0.75>"
        " <lora:watercolor_style:0.75>"
    )
    assert parse_generation_parameters(done.grid)["Prompt"] == prompts(done)[size]
    assert (done.p.prompt, done.p.negative_prompt) == ("a portrait, watercolor # of mine", "blurry")
    reforge.host.opts.data[SAVE_COMMENTS] = False
    holds(reforge, done)


def test_saved_comments_without_stylus_are_the_hosts_own(reforge: Stage) -> None:
    reforge.host.opts.data[SAVE_COMMENTS] = True
    assert (
        prompts(reforge.host.api(prompt=f"{PROMPT} # of mine", n_iter=2))
        == [f"{PROMPT} # of mine"] * 2
    )


def test_a_file_that_is_gone_costs_the_others_nothing(
    reforge: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host still lists it; one missing name, and it loads none of the picture's LoRAs."""
    loras = reforge.host.loras
    for stem in ("corgi_dog", "watercolor_style"):
        (tmp_path / f"{stem}.safetensors").touch()
        monkeypatch.setitem(
            loras.available_networks,
            stem,
            SimpleNamespace(filename=str(tmp_path / f"{stem}.safetensors")),
        )
        monkeypatch.setitem(loras.available_network_aliases, stem, loras.available_networks[stem])
    assert "corgi_dog" in prompts(reforge.host.api(ON, prompt=PROMPT))[0]
    (tmp_path / "corgi_dog.safetensors").unlink()
    done = reforge.host.api(ON, prompt=PROMPT, n_iter=2)
    assert prompts(done)[0] == f"{PROMPT} <lora:watercolor_style:0.8>"
    assert ["corgi_dog" in asked["stems"] for asked in reforge.asked[-2:]] == [True, False]
    assert [text for text in done.p.comments if "gone" in text] == [
        "Stylus: corgi_dog would have been used, but its file is gone; the WebUI lists it until its"
        " LoRAs are refreshed."
    ]
    holds(reforge, done)


def test_a_name_that_nobody_lists_costs_all_of_them(reforge: Stage) -> None:
    """The double's rule, and the live host's: why no such name may be written."""
    done = reforge.host.api(prompt="a corgi <lora:corgi_dog:1> <lora:nope:1>")
    assert done.images[0].pixels[2][2] == ()


def test_a_name_of_the_users_own_that_is_not_listed_is_said(reforge: Stage) -> None:
    done = reforge.host.api(
        ON,
        prompt="a corgi <lora:nope:1> <lora:oil_painting:1> <hypernet:other:1>",
        n_iter=2,
        batch_size=2,
    )
    assert any("The prompt names nope, which" in text for text in done.p.comments)
    assert "nope" not in parse_generation_parameters(done.infotexts[0])["Stylus notes"]
    assert "Lora hashes" not in done.infotexts[0]
    assert (
        "does not list"
        not in reforge.host.api(ON, prompt="a corgi <lora:oil_painting:1>").infotexts[0]
    )
