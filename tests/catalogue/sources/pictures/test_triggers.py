"""Which words become triggers."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stylus_ext.catalogue.sources.pictures.triggers import (
    MAX_TRIGGERS,
    MIN_OTHERS,
    MIN_PROMPTS,
    find_triggers,
    split_pieces,
)

OTHERS = [
    "a barn, masterpiece",
    "a lake, best quality",
    "red fox, snow",
    "old man, hat",
    "blue car",
]


def learned(mine: list[str], others: list[str] | None = None) -> tuple[str, ...]:
    prompts = [*mine, *(OTHERS if others is None else others)]
    return find_triggers({"stem": range(len(mine))}, prompts)["stem"]


def test_a_piece_of_all_its_prompts_and_no_others_is_a_trigger() -> None:
    assert learned(["rainalley, cat", "dog, rainalley", "horse, rainalley, night"]) == (
        "rainalley",
    )


@pytest.mark.parametrize(
    "prompts",
    [
        ["(Rain Alley:1.2), cat", "dog, ((rain alley))", "[rain alley], horse"],
        ["rain_alley, cat", "dog, Rain Alley", "rain alley\nhorse"],
        ["rain alley BREAK cat", "dog AND rain alley", "horse、rain alley"],
    ],
)
def test_emphasis_case_and_underscores_do_not_matter(prompts: list[str]) -> None:
    (trigger,) = learned(prompts)
    assert trigger.lower().replace("_", " ") == "rain alley"


def test_escaped_brackets_belong_to_the_trigger_as_written() -> None:
    assert learned([rf"rem \(re:zero\), {other}" for other in ("cat", "dog", "cow")]) == (
        r"rem \(re:zero\)",
    )


def test_a_word_inside_sentences_is_found_when_no_piece_is() -> None:
    assert learned(
        ["photo of ohwxman in rome", "ohwxman riding a horse", "portrait of ohwxman at night"]
    ) == ("ohwxman",)


def test_a_word_of_a_longer_trigger_is_not_repeated() -> None:
    assert learned(
        ["zkw rain alley, cat", "zkw rain alley, dog", "zkw rain alley, in zkw city"]
    ) == ("zkw rain alley",)


@pytest.mark.parametrize(
    "piece",
    [
        "masterpiece",
        "best quality",
        "1girl",
        "2boys",
        "solo",
        "looking at viewer",
        "score_9",
        "8k",
        "20",
        "upper body",
        "absurdres",
    ],
)
def test_boilerplate_is_never_a_trigger(piece: str) -> None:
    assert learned([f"{piece}, cat", f"{piece}, dog", f"{piece}, cow"]) == ()


def test_common_words_inside_pieces_are_never_triggers() -> None:
    assert learned(["red cat", "red dog", "red cow"], [f"thing{i}" for i in range(20)]) == ()


def test_a_piece_of_other_prompts_is_no_trigger() -> None:
    assert learned(["snow, cat", "snow, dog", "snow, cow"], ["snow, a", "snow, b", "c", "d"]) == ()


def test_a_piece_of_few_of_its_prompts_is_no_trigger() -> None:
    assert learned(["zkw, cat", "zkw, dog", "cow", "hen"]) == ()
    assert learned(
        ["zkw, cat", "zkw, dog", "zkw, cow", "hen"], [f"thing{i}" for i in range(20)]
    ) == ("zkw",)


@pytest.mark.parametrize(
    ("mine", "others"), [(MIN_PROMPTS - 1, 10), (10, MIN_OTHERS - 1), (1, 0), (0, 5)]
)
def test_too_few_prompts_teach_nothing(mine: int, others: int) -> None:
    assert (
        learned([f"zkw, thing{i}" for i in range(mine)], [f"other{i}" for i in range(others)]) == ()
    )


def test_two_that_are_always_used_together_share_nothing_but_what_their_names_tell() -> None:
    prompts = ["rainalley, zkw, cat", "rainalley, zkw, dog", "rainalley, zkw, cow", *OTHERS]
    found = find_triggers({"RainAlley_v2": [0, 1, 2], "other": [0, 1, 2]}, prompts)
    assert found == {"RainAlley_v2": ("rainalley",), "other": ()}


def test_a_trigger_of_one_that_sometimes_goes_with_another_stays_its_own() -> None:
    prompts = ["aaa, cat", "aaa, dog", "aaa, bbb, cow", "aaa, bbb, hen", "bbb, pig", *OTHERS]
    assert find_triggers({"a": [0, 1, 2, 3], "b": [2, 3, 4]}, prompts) == {
        "a": ("aaa",),
        "b": ("bbb",),
    }


def test_at_most_so_many() -> None:
    words = ", ".join(f"zkw{letter}" for letter in "abcdefgh")
    assert len(learned([f"{words}, cat", f"{words}, dog", f"{words}, cow"])) == MAX_TRIGGERS


def test_the_form_that_was_written_most_is_taken() -> None:
    assert learned(["ZKW, a", "ZKW, b", "zkw, c", "ZKW, d"]) == ("ZKW",)


PROMPTS = st.lists(
    st.lists(
        st.sampled_from(
            ["zkw", "cat", "1girl", "(a:1.1)", "two words", "\\(", "", "猫", "masterpiece"]
        ),
        max_size=5,
    ).map(", ".join),
    max_size=12,
)


@given(PROMPTS, st.lists(st.integers(0, 11)), st.lists(st.integers(0, 11)))
def test_any_prompts_teach_the_same_in_any_order(
    prompts: list[str], first: list[int], second: list[int]
) -> None:
    pieces = prompts
    uses = {
        "one": [i for i in first if i < len(pieces)],
        "two": [i for i in second if i < len(pieces)],
    }
    found = find_triggers(uses, pieces)
    turned = {
        stem: [len(pieces) - 1 - i for i in reversed(where)]
        for stem, where in reversed(uses.items())
    }
    assert find_triggers(turned, pieces[::-1]) == found
    assert all(
        len(triggers) <= MAX_TRIGGERS and "1girl" not in triggers and "masterpiece" not in triggers
        for triggers in found.values()
    )


@given(st.text())
@example("\\")
def test_any_prompt_has_pieces(prompt: str) -> None:
    pieces = split_pieces(prompt)
    assert all(pieces.whole) or not pieces.whole
    assert not pieces.whole.keys() & pieces.words.keys()
