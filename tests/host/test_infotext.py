"""The fields of an infotext: short, readable by the host's own reader, and true of one picture."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.errors import Note
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.host import infotext
from stylus_ext.host.infotext import (
    Picture,
    Replay,
    load_replay,
    of_generation,
    of_picture,
    pasted,
    replay_of,
    tags_of,
    whole_texts,
)
from stylus_ext.host.values import PanelValues
from tests.host.double.processing import parse_generation_parameters, quote


def read_back(fields: dict[str, str]) -> dict[str, object]:
    """As the host writes them and reads them."""
    last = ", ".join(
        f"{name}: {quote(value)}"
        for name, value in {"Steps": 20, "Sampler": "Euler", "Seed": 1, **fields}.items()
    )
    return {
        name: value
        for name, value in parse_generation_parameters(f"a prompt\n{last}").items()
        if name in infotext.OURS
    }


def test_a_set_that_the_user_confirmed_is_marked() -> None:
    notes = [Note("busy", "Busy."), Note("locked", "Locked."), Note("replayed", "Again.")]
    assert of_generation(PanelValues(), "sd1", iter(notes))["Stylus kept"] == "locked"
    assert "Stylus kept" not in of_generation(PanelValues(), "sd1", notes[:1])


def test_what_is_at_its_default_goes_unsaid() -> None:
    from stylus_ext import __version__

    assert of_generation(PanelValues(enabled=True), "", []) == {"Stylus": __version__}


def test_only_notes_about_the_picture_are_written() -> None:
    notes = [
        Note("nothing_fits", "Nothing fits."),
        Note("replayed", "Again."),
        Note("nothing_fits", "Nothing fits."),
    ]
    once = of_generation(PanelValues(), "sd1", notes[:1])
    assert of_generation(PanelValues(), "sd1", notes) == once


def test_a_picture_has_facts_and_neither_advice_nor_paths() -> None:
    texts = ("Set up Stylus in /home/jane/webui: no space left.", "C:\\Users\\Jane: tick a box.")
    said = of_generation(PanelValues(), "", [Note("failed", text) for text in texts])
    assert said["Stylus notes"]
    assert said == of_generation(PanelValues(), "", [Note("failed", "")])


def test_a_picture_says_what_changed_and_no_more() -> None:
    picture = Picture("a corgi", "blurry", ("corgi_dog",), ("oil",))
    assert of_picture(picture, "a corgi <lora:corgi_dog:1>", "blurry") == {
        "Stylus prompt": "a corgi",
        "Stylus mask": "+corgi_dog -oil",
    }
    assert of_picture(picture, "a corgi", "blurry, lowres") == {
        "Stylus negative prompt": "blurry",
        "Stylus mask": "+corgi_dog -oil",
    }
    assert of_picture(Picture("", "", ()), "<lora:x:1>", "") == {}


def test_fields_come_back_as_they_were() -> None:
    fields = {
        **of_generation(
            PanelValues(strength=0.55, seed=4), "sd1", [Note("late", ""), Note("failed", "")]
        ),
        **of_picture(Picture('a "corgi", (red:1.2)\nBREAK [a:b:0.5] \\(x\\)', ""), "other", ""),
    }
    assert read_back(fields) == fields


@given(
    st.builds(
        PanelValues,
        enabled=st.just(True),
        max_adapters=st.integers(0, 10),
        per_task=st.integers(0, 5),
        strength=st.integers(0, 40).map(lambda steps: steps * 0.05),
        diversity=st.sampled_from(["varied", "paper", "all", "subsets"]),
        vary_inside_batch=st.booleans(),
        seed=st.integers(-1, 2**63 - 1),
    )
)
def test_settings_survive_the_way_through_a_picture(values: PanelValues) -> None:
    params = read_back(of_generation(values, "", []))
    for name in ("enabled", "max_adapters", "per_task", "diversity", "vary_inside_batch", "seed"):
        assert pasted(name, params) == getattr(values, name)
    assert abs(pasted("strength", params) - values.strength) < 1e-5


@given(st.text(max_size=60))
def test_settings_of_a_strangers_picture_do_no_harm(said: str) -> None:
    params = {"Stylus": "9.9", "Stylus settings": said, "Prompt": "x"}
    assert pasted("enabled", params) is True
    assert 0 <= pasted("max_adapters", params) <= 10


def test_settings_out_of_range_fall_back_together() -> None:
    params = {"Stylus": "0.1.0", "Stylus settings": "max_adapters=99 strength=0.5"}
    assert (
        pasted("max_adapters", params),
        pasted("strength", params),
        pasted("enabled", params),
    ) == (3, 1.0, True)


@given(st.text(max_size=80), st.lists(st.text(max_size=20), max_size=4))
def test_a_set_survives_the_hidden_field(prompt: str, tags: list[str]) -> None:
    replay = Replay(prompt, tuple(tags), {"Stylus": "0.1.0", "Stylus prompt": prompt})
    assert load_replay(replay.dump()) == replay


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["prompt", "tags", "fields", "x"]), inner, max_size=4)
        ),
        max_leaves=8,
    )
)
def test_anything_else_in_it_is_no_set_or_a_harmless_one(said: object) -> None:
    found = load_replay(json.dumps(said))
    assert found is None or all(isinstance(tag, str) for tag in found.tags)


def test_only_fields_of_ours_are_taken_from_a_paste() -> None:
    replay = replay_of(
        {
            "Stylus": "0.1.0",
            "Stylus mask": "+a",
            "Prompt": "x <lora:a:1>",
            "Seed": "5",
            "Stylus evil": "y",
        }
    )
    assert replay is not None
    assert replay.fields == {"Stylus": "0.1.0", "Stylus mask": "+a"}
    assert replay_of({"Prompt": "x", "Seed": "5"}) is None


def test_notes_of_an_earlier_picture_are_our_facts_or_nothing() -> None:
    fact = of_generation(PanelValues(), "", [Note("late", "")])["Stylus notes"]
    for said in ("http://127.0.0.1:8000/v1 said: no", "/home/jane/x", fact):
        text = f"{said} {fact} more of a server's words"
        replay = replay_of({"Stylus": "0.1.0", "Stylus notes": text, "Prompt": "x"})
        assert replay is not None
        assert replay.fields["Stylus notes"] == fact
    replay = replay_of({"Stylus": "0.1.0", "Stylus notes": "C:\\x failed", "Prompt": "x"})
    assert replay is not None
    assert "Stylus notes" not in replay.fields


def test_tags_are_adapters_only() -> None:
    text = "a <lora:x:0.5>, <hypernet:y:1> <lyco:z:1:2> and <lora:x:0.5>"
    assert tags_of(text) == ("<lora:x:0.5>", "<lyco:z:1:2>", "<lora:x:0.5>")


def test_a_set_fits_by_its_tags_in_whatever_order() -> None:
    replay = Replay("a <lora:x:1> <lora:y:1>", ("<lora:x:1>", "<lora:y:1>"), {})
    assert replay.fits(["b <lora:y:1> c <lora:x:1>"])
    assert replay.fits(["", "b <lora:y:1> c <lora:x:1>"])
    assert not replay.fits(["b <lora:x:1>"])
    assert not replay.fits(["b <lora:x:1> <lora:y:1> <lora:y:1>"])
    assert not replay.fits(["b <lora:x:1> <lora:y:0.9>"])
    assert not replay.fits([])


def test_the_prompts_of_an_infotext_as_they_stand() -> None:
    assert whole_texts("a\nb\nNegative prompt: c\nd\nSteps: 1, Seed: 2") == ("a\nb", "c\nd")
    assert whole_texts("a\nSteps: 1") == ("a", "")
    assert whole_texts("Steps: 1") == ("", "")


def test_what_another_batch_left_is_taken_away() -> None:
    params = {
        "Stylus": "0.1.0",
        "Stylus mask": "+a",
        "Lora hashes": "a: 1",
        "Denoising strength": 0.5,
    }
    infotext.forget(params)
    assert params == {"Denoising strength": 0.5}


@given(st.text(max_size=60))
def test_reading_tags_never_fails(text: str) -> None:
    assert len(tags_of(text)) <= len(parse_prompt(text).user_tags)
