from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition, Mask, Pick, Tag, Task
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.core.tags import TagInputs, write_tags

ONE, TWO = AdapterKey.civitai(1), AdapterKey.civitai(2)
BOTH = Mask(frozenset({ONE, TWO}))


def sheet(
    text: str,
    *served: str,
    triggers: tuple[str, ...] = (),
    negative: str = "",
    extra: str = "",
    settings: Settings | None = None,
) -> TagInputs:
    """A pick for each of the words `served` of the prompt."""
    prompt = parse_prompt(text)
    tasks, picks, tags = [], [], {}
    for number, word in enumerate(served, 1):
        start = text.index(word)
        segment = next(s.index for s in reversed(prompt.segments) if s.start <= start)
        key = AdapterKey.civitai(number)
        tasks.append(Task(word, start, start + len(word), segment))
        picks.append(Pick(key, start, f"pick {number}", 0.7, "fits"))
        tags[key] = Tag(key, f"file{number}", True, triggers, extra)
    return TagInputs(
        prompt,
        parse_prompt(negative),
        Composition(tuple(tasks), tuple(picks)),
        tags,
        settings or Settings(),
    )


def test_tags_follow_the_unchanged_text() -> None:
    assert (
        write_tags(sheet("A Fox,  (RED:1.2)", "Fox"), BOTH).prompt
        == "A Fox,  (RED:1.2) <lora:file1:0.7>"
    )


def test_only_what_the_mask_has_on_is_written() -> None:
    made = sheet("a fox and a tree", "fox", "tree")
    assert write_tags(made, Mask(frozenset({TWO}))).prompt == "a fox and a tree <lora:file2:0.7>"
    assert write_tags(made, Mask(frozenset())).prompt == "a fox and a tree"


def test_trigger_words_go_into_the_segment_that_owns_the_task() -> None:
    written = write_tags(
        sheet("a fox BREAK a tree AND rain :1.2", "fox", triggers=("foxstyle",)), BOTH
    )
    assert written.prompt == "a fox, foxstyle BREAK a tree AND rain :1.2 <lora:file1:0.7>"


def test_a_segment_that_ends_inside_a_bracket_gets_no_triggers_and_a_note_says_so() -> None:
    written = write_tags(sheet("a (fox", "fox", triggers=("foxstyle",)), BOTH)
    assert written.prompt == "a (fox <lora:file1:0.7>"
    assert [note.code for note in written.notes] == ["no_trigger"]


def test_a_comment_does_not_swallow_the_tags() -> None:
    assert write_tags(sheet("a fox # mine", "fox"), BOTH).prompt == "a fox # mine\n<lora:file1:0.7>"


def test_debias_is_added_whenever_something_was_picked_even_where_the_mask_is_off() -> None:
    settings = with_values(Settings(), {"text": {"debias": "realistic"}})
    made = sheet("a fox", "fox", settings=settings)
    assert write_tags(made, BOTH).prompt == "a fox, realistic <lora:file1:0.7>"
    assert write_tags(made, Mask(frozenset())).prompt == "a fox, realistic"
    assert write_tags(sheet("a fox", settings=settings), BOTH).prompt == "a fox"


def test_uncovered_tasks_can_be_emphasised() -> None:
    settings = with_values(Settings(), {"text": {"emphasis": 1.1}})
    made = sheet("a fox and a tree", "fox", "tree", settings=settings)
    made = replace(made, composition=replace(made.composition, picks=made.composition.picks[:1]))
    assert write_tags(made, BOTH).prompt == "a fox and a (tree:1.1) <lora:file1:0.7>"


def test_the_sidecars_negative_text_is_added_once() -> None:
    assert (
        write_tags(sheet("a fox", "fox", negative="blurry", extra="bad fur"), BOTH).negative_prompt
        == "blurry, bad fur"
    )
    assert (
        write_tags(
            sheet("a fox", "fox", negative="Bad Fur, x", extra="bad fur"), BOTH
        ).negative_prompt
        == "Bad Fur, x"
    )
    assert write_tags(sheet("a fox", "fox", extra="bad fur"), BOTH).negative_prompt == "bad fur"
    off = with_values(Settings(), {"text": {"negative_text": False}})
    assert (
        write_tags(sheet("a fox", "fox", extra="bad fur", settings=off), BOTH).negative_prompt == ""
    )


def test_a_pick_that_the_cap_leaves_no_room_is_named() -> None:
    written = write_tags(sheet("a fox <lora:mine:1.5>", "fox"), BOTH)
    assert written.prompt == "a fox <lora:mine:1.5>"
    assert [note.code for note in written.notes] == ["no_room"]


def test_an_unreadable_tag_takes_no_room_and_is_named() -> None:
    written = write_tags(sheet("a fox <lora:mine:abc>", "fox"), BOTH)
    assert written.prompt == "a fox <lora:mine:abc> <lora:file1:0.7>"
    assert [note.code for note in written.notes] == ["unreadable_tag"]


@pytest.mark.parametrize(
    "arguments",
    [
        "0.2@0,1.5@0.5",
        "[0.2@0,1.5@0.5]",
        "[0.2:1.5]",
        "[1.5:0.2:0.4]",
        "[1.5:0:8]:hr=0.2",
        "1.5:lbw=OUTALL:start=3:stop=12",
        "1.5@0,0@0.5:hr=1",
        "1.5:step=2-9",
    ],
)
def test_a_schedule_of_the_users_takes_the_room_of_its_greatest_weight(arguments: str) -> None:
    prompt = f"a fox <lora:mine:{arguments}>"
    written = write_tags(sheet(prompt, "fox"), BOTH)
    assert written.prompt == prompt
    assert [note.code for note in written.notes] == ["no_room"]


@pytest.mark.parametrize("arguments", ["[x:1]", "[1:]", "[1:2:3:4]", "[1:2", "[a@0,1@1]"])
def test_a_schedule_that_is_none_is_named(arguments: str) -> None:
    written = write_tags(sheet(f"a fox <lora:mine:{arguments}>", "fox"), BOTH)
    assert [note.code for note in written.notes] == ["unreadable_tag"]


def test_a_strength_of_zero_is_not_taken_for_the_cap() -> None:
    zero = with_values(Settings(), {"weights": {"strength": 0.0}})
    for prompt in ("a fox", "a fox <lora:mine:1.5>"):
        written = write_tags(sheet(prompt, "fox", settings=zero), BOTH)
        assert written.prompt == prompt
        assert [note.code for note in written.notes] == ["no_strength"]


def test_an_empty_prompt_takes_a_tag() -> None:
    key = AdapterKey.civitai(1)
    composition = Composition(
        (Task("", 0, 0),), (Pick(key, 0, "pinned", 0.7, "always", pinned=True),)
    )
    made = TagInputs(
        parse_prompt(""), parse_prompt(""), composition, {key: Tag(key, "file1", True)}, Settings()
    )
    assert write_tags(made, Mask(frozenset({key}))).prompt == "<lora:file1:0.7>"


@given(
    st.text(max_size=60),
    st.lists(st.sampled_from(["foxstyle", "red (fur)", "a\\(b\\)"]), max_size=2),
)
@pytest.mark.parametrize("ending", ["", ",", "\n", " BREAK", " AND x :1.2", " {a|b", " # note"])
def test_without_the_additions_the_users_text_is_left(
    ending: str, text: str, triggers: list[str]
) -> None:
    """Every character of the user's text is still there, in order, and the tag is the last thing in
    the prompt.
    """
    whole = "fox " + text + ending
    prompt = write_tags(sheet(whole, "fox", triggers=tuple(triggers)), BOTH).prompt
    assert prompt.endswith("<lora:file1:0.7>")
    rest = iter(prompt)
    assert all(character in rest for character in whole)
    assert len(re.findall("<lora:file1", prompt)) == 1 + whole.count("<lora:file1")
