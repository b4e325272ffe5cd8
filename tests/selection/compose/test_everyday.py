"""An everyday word calls an adapter only with more of its card beside it."""

from __future__ import annotations

from typing import Any

import pytest

from stylus_ext.core.composition import Candidate, Evidence, Task
from stylus_ext.core.prompt.words import content_words, words
from stylus_ext.selection.compose.everyday import everyday_refusal, is_inside, other_thing
from tests.fakes import make_entry


def is_refused(prompt: str, name: str, *, trigger: str = "", **more: Any) -> bool:
    triggers = more.pop("triggers", (trigger,) if trigger else ())
    named = () if trigger else tuple(word for word in content_words(name) if word in words(prompt))
    entry = make_entry(1, name, triggers=triggers, **more)
    candidate = Candidate(entry, 1.0, Evidence(0.5, 0.3, named, trigger, 5.0))
    return everyday_refusal(candidate, frozenset(words(prompt))) != ""


@pytest.mark.parametrize(
    ("prompt", "name", "facts"),
    [
        ("a knight with a sword", "GameIcon_sword", {"trigger": "sword", "kind": "style"}),
        ("a sketch of a horse", "Map Sketch", {"trigger": "sketch", "kind": "style"}),
        ("a red flower", "Flower Fields And Grass", {"trigger": "flower", "kind": "background"}),
        ("a red dress", "School Skirt", {"trigger": "red dress", "kind": "clothing"}),
        ("a trip to rio", "Rio", {"kind": "unknown"}),
    ],
)
def test_a_common_word_alone_is_refused(prompt: str, name: str, facts: dict[str, Any]) -> None:
    assert is_refused(prompt, name, **facts)


@pytest.mark.parametrize(
    ("prompt", "name", "facts"),
    [
        ("a sword, game icon", "GameIcon_sword", {"trigger": "sword", "kind": "style"}),
        ("a sketch of a horse", "Sketch Style", {"trigger": "sketch", "kind": "style"}),
        ("a horse in the snow", "EdobHorse", {"trigger": "horse", "kind": "animal"}),
        ("an oil painting of a ship", "Oil Painting", {"kind": "style"}),
        ("ggx heels on a floor", "Pointed Shoes", {"trigger": "ggx heels", "kind": "clothing"}),
        ("rio ferreyn, smile", "Rio", {"kind": "unknown", "tags": ("ferreyn",)}),
    ],
)
def test_more_of_the_card_or_a_rare_word_is_enough(
    prompt: str, name: str, facts: dict[str, Any]
) -> None:
    assert not is_refused(prompt, name, **facts)


def test_without_a_name_or_trigger_it_says_nothing() -> None:
    entry = make_entry(1, "Map Sketch", kind="style")
    assert everyday_refusal(Candidate(entry, 1.0, Evidence(0.5, 0.3)), frozenset(("map",))) == ""


@pytest.mark.parametrize(
    ("prompt", "word", "inside"),
    [
        ("a room with a painting of a dog on the wall", "painting", True),
        ("a man holding a photo", "photo", True),
        ("a painting of a dog", "painting", False),
        ("oil painting of a dog", "oil painting", False),
        ("a room with a corgi", "corgi", False),
    ],
)
def test_a_picture_in_the_picture_is_no_style(prompt: str, word: str, inside: bool) -> None:
    start = prompt.index(word)
    assert is_inside(Task(word, start, start + len(word)), prompt) is inside


def other_reason(prompt: str, name: str, kind: str, trigger: str = "") -> str:
    entry = make_entry(1, name, kind=kind, triggers=(trigger,) if trigger else ())
    candidate = Candidate(entry, 1.0, Evidence(0.5, 0.3, (), trigger, 5.0))
    return other_thing(candidate, frozenset(words(prompt)))


@pytest.mark.parametrize(
    ("prompt", "name", "kind"),
    [
        ("a zebra in the savanna", "Elephants", "animal"),
        ("a horse on a hill", "Unicorns", "animal"),
        ("rain over a bridge", "umbrellaLORA", "object"),
        ("a red ball", "Red Foxes", "animal"),
        ("a cozy living room", "Cozy Bedroom", "background"),
        ("an animal in a field", "Elephants", "animal"),
        ("a dog on a sofa", "Corgi Dog Plush", "animal"),
    ],
)
def test_another_thing_or_one_sort_of_it_is_refused(prompt: str, name: str, kind: str) -> None:
    assert other_reason(prompt, name, kind)


@pytest.mark.parametrize(
    ("prompt", "name", "kind"),
    [
        ("a pizza on a table", "Food Photography", "object"),
        ("a corgi on a sofa", "Dogs", "animal"),
        ("a wizard in a tower", "Wizard Robes", "clothing"),
        ("crystals in a cave", "Crystal Clusters", "object"),
        ("a horse on a hill", "EdobHorse", "animal"),
        ("a quiet street", "Xqzvb", "background"),
        ("a quiet street", "Unicorns", "style"),
    ],
)
def test_a_more_general_name_or_an_unknown_word_is_not(prompt: str, name: str, kind: str) -> None:
    assert other_reason(prompt, name, kind) == ""


def test_a_part_of_a_name_as_trigger_does_not_call_the_rest_of_it() -> None:
    name = "Red Bowtie School Skirt"
    assert other_reason("a corgi with a red bowtie", name, "clothing", "red bowtie")
    assert not other_reason("a red bowtie, school skirt", name, "clothing", "red bowtie")
    assert not other_reason("a corgi, skirtmix", name, "clothing", "skirtmix")
