from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.triggers import chosen_triggers, fitting_triggers


def chosen(prompt: str, *groups: str, kind: str = "style", name: str = "") -> tuple[str, ...]:
    return fitting_triggers(groups, parse_prompt(prompt), kind, name)


def test_an_adapter_without_triggers_adds_nothing() -> None:
    assert chosen("a fox") == ()


def test_the_words_that_call_it_are_added_and_no_look_beside_them() -> None:
    assert chosen("a wet street at night", "rainalley, neon reflections") == ("rainalley",)
    assert chosen("a street", "neon rain, wet floor", name="Neon Rain") == ("neon rain",)


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


def test_the_coined_first_trigger_comes_before_generic_groups() -> None:
    groups = ("mirvael", "pink hair", "halo", "wolf ears, fluffy tail")
    for prompt in ("a girl with pink hair and a halo", "a wolf with fluffy tail", "a street"):
        assert chosen(prompt, *groups, kind="character") == ("mirvael",)
    assert chosen("mirvael, pink hair", *groups, kind="character") == ()


def test_words_of_the_name_call_it_too() -> None:
    groups = ("night", "old lighthouse", "storm")
    assert chosen("a ship in a storm", *groups, name="Old Lighthouse") == ("old lighthouse",)
    assert chosen("an old lighthouse", *groups, name="Old Lighthouse") == ()


@pytest.mark.parametrize(
    "piece", ['"id": "700101', '{"id": "700101"}', '"trainedWords": ["xyz"', '[{"id": 7']
)
def test_a_piece_of_json_is_no_trigger(piece: str) -> None:
    assert chosen("a fox", piece) == ()
    assert chosen("a cat", f"zorgfox, {piece}") == ("zorgfox",)


def test_of_several_subjects_the_one_in_the_prompt_is_called() -> None:
    groups = ("mirvael", "tessadora", "korvin")
    assert chosen("tessadora in the rain", *groups, kind="character") == ()
    assert chosen("portrait", *groups, kind="character") == ("mirvael",)
    groups = ("golem", "lava golem", "frost golem")
    assert chosen("a frost cave", *groups, kind="character", name="Golems") == ("frost golem",)


def test_the_code_word_of_a_style_is_written_beside_its_subject() -> None:
    groups = ("skywrenstyle", "captain mirvael")
    assert chosen("captain mirvael at sea", *groups) == ("skywrenstyle",)
    assert chosen("captain mirvael", *groups, kind="character") == ()


def test_looks_that_the_prompt_does_not_ask_for_are_left_out() -> None:
    group = "mirvael, black hair, red scarf, white dress"
    assert chosen("mirvael in a kimono", group, kind="character") == ()
    assert chosen("a woman at sea", group, kind="character") == ("mirvael",)
    assert chosen("a woman at sea", "black hair, red scarf", kind="character") == ()


def test_what_the_user_wrote_is_added_whole() -> None:
    groups = ("mirvael, black hair", "mirvael, red scarf, 1girl")
    assert chosen_triggers(groups, parse_prompt("a woman at sea")) == ("mirvael", "black hair")
    assert chosen_triggers(groups, parse_prompt("mirvael in a scarf")) == ("red scarf",)
    assert chosen_triggers((), parse_prompt("a woman")) == ()


def test_a_look_that_the_adapter_draws_is_written_unless_the_prompt_contradicts_it() -> None:
    assert chosen("a girl", "glowing hair", kind="concept") == ("glowing hair",)
    assert chosen("a girl with red hair", "glowing hair", kind="concept") == ()
    assert chosen("red boots", "blue boots", kind="clothing") == ()


@pytest.mark.parametrize(
    ("prompt", "trigger"),
    [
        ("a painting of a ship", "impasto painting"),
        ("an oil painting of a ship", "impasto painting"),
        ("a painting of a ship", "ink painting"),
        ("first in line", "last in line"),
    ],
)
def test_a_medium_that_the_prompt_does_not_name_is_no_contradiction(
    prompt: str, trigger: str
) -> None:
    assert chosen(prompt, trigger) == (trigger,)


@pytest.mark.parametrize(
    "trigger",
    [
        r"character \(series\)",
        "character name",
        "your prompt here",
        "0.8",
        "none",
        "trained on 80 pictures of lighthouses",
        "no trigger word is needed",
        "recommended weight 0.7",
        "training images were cropped",
        "tag: lighthouse",
        "one very long sentence that says in full what this one draws",
    ],
)
def test_placeholders_and_sentences_are_no_triggers(trigger: str) -> None:
    assert chosen("a ship", trigger) == ()
    assert chosen("a ship", trigger, "mirvael") == ("mirvael",)


@pytest.mark.parametrize("trigger", ["saber (fate)", r"saber \(fate\)"])
def test_brackets_of_a_name_are_escaped_once(trigger: str) -> None:
    assert chosen("portrait", trigger, kind="character") == (r"saber \(fate\)",)


def test_words_that_would_change_how_the_rest_is_read_are_left_out() -> None:
    assert chosen("portrait", "odd\\") == ()


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
    assert len(set(found)) == len(found) <= 2
    assert all("<" not in text or ">" not in text for text in found)
