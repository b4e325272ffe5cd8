from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.tags import fitting_triggers


def chosen(prompt: str, *groups: str, kind: str = "style") -> tuple[str, ...]:
    return fitting_triggers(groups, parse_prompt(prompt), kind)


def test_an_adapter_without_triggers_adds_nothing() -> None:
    assert chosen("a fox") == ()


def test_the_words_that_call_it_are_added() -> None:
    assert chosen("a wet street at night", "rainalley, neon reflections") == (
        "rainalley",
        "neon reflections",
    )


def test_what_the_prompt_has_already_is_not_repeated_whatever_its_case_or_number() -> None:
    assert chosen("RainAlley at night", "rainalley") == ()
    assert chosen("a street with neon reflections", "rainalley, neon reflection") == ("rainalley",)


@pytest.mark.parametrize(
    ("prompt", "trigger"),
    [("一个女孩初音未来站着", "初音未来"), ("桜ミクの服を着た少女", "桜ミクの服")],
)
def test_what_a_sentence_without_spaces_has_already_is_not_repeated(
    prompt: str, trigger: str
) -> None:
    assert chosen(prompt, trigger) == ()
    assert chosen("a cat", trigger) == (trigger,)


def test_the_group_that_fits_the_prompt_is_taken() -> None:
    groups = ("miko outfit, red hakama", "maid outfit, white apron", "swimsuit")
    assert chosen("a girl in a maid cafe", *groups, kind="clothing")[0] == "maid outfit"
    assert chosen("a girl", *groups, kind="clothing")[0] == "miko outfit"


def test_counts_and_quality_words_are_left_out() -> None:
    assert chosen("portrait", "masterpiece, best quality, 1girl, solo, arcanestyle") == (
        "arcanestyle",
    )


def test_lora_tags_in_triggers_are_left_out() -> None:
    assert chosen("portrait", "<lora:foo:1>, foostyle") == ("foostyle",)


def test_clothes_that_the_prompt_contradicts_are_left_out() -> None:
    group = "mikasa, black hair, red scarf, white dress"
    assert chosen("mikasa in a kimono", group, kind="character") == ("black hair",)
    assert chosen("portrait of mikasa", group, kind="character") == (
        "black hair",
        "red scarf",
        "white dress",
    )


def test_another_hair_colour_than_the_prompts_is_left_out() -> None:
    assert chosen("blonde hair, smile", "aqua, blue hair, blue eyes", kind="character") == (
        "aqua",
        "blue eyes",
    )


def test_only_a_character_takes_more_than_two() -> None:
    group = "one, two, three, four, five, six, seven"
    assert len(chosen("portrait", group, kind="character")) == 6
    assert len(chosen("portrait", group, kind="style")) == 2


@pytest.mark.parametrize("trigger", ["saber (fate)", r"saber \(fate\)"])
def test_brackets_of_a_name_are_escaped_once(trigger: str) -> None:
    assert chosen("portrait", trigger, kind="character") == (r"saber \(fate\)",)


def test_words_that_would_change_how_the_rest_is_read_are_left_out() -> None:
    assert chosen("portrait", "good style, odd\\", kind="character") == ("good style",)


@example(prompt="", groups=["0<>"], kind="style")
@given(
    st.text(max_size=80),
    st.lists(st.text(max_size=60), max_size=4),
    st.sampled_from(["style", "character"]),
)
def test_any_text_is_safe_and_nothing_comes_twice(
    prompt: str, groups: list[str], kind: str
) -> None:
    found = chosen(prompt, *groups, kind=kind)
    assert len(set(found)) == len(found) <= 6
    assert all("<" not in text or ">" not in text for text in found)
