"""The composer that asks a model: its choices within the rules, and the rules in its place whenever
it fails.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.composition import Composition
from stylus_ext.core.entry import Edits
from stylus_ext.llm import client as asking_module
from stylus_ext.selection.compose.llm import FAILED
from stylus_ext.selection.compose.rules import RuleComposer
from tests.chat_service.answers import says, status
from tests.chat_service.composing import answers, cards, sensible
from tests.chat_service.server import Asked, Sent
from tests.fakes import make_entry
from tests.selection.compose.chatting import Salon, codes, names, salon
from tests.selection.retrieve.house import House, catalogue, filling, open_house

SCENE = "a copper train beside a teapot, night market"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder: Path = tmp_path_factory.mktemp("house")
    made = [
        *catalogue(),
        make_entry(
            21,
            "Copper Train XL",
            "Draws steam trains.",
            kind="vehicle",
            family="sdxl",
            tags=("train",),
            model_id=900,
        ),
        make_entry(
            22,
            "Teapot Style",
            "Everything looks like a teapot.",
            kind="style",
            tags=("teapot",),
            model_id=901,
        ),
        make_entry(
            23, "Market Style", "Night market look.", kind="style", tags=("market",), model_id=902
        ),
    ]
    opened = open_house(folder, [*made, *filling(60)])
    yield opened
    opened.store.close()


@pytest.fixture
def room(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Salon]:
    monkeypatch.setattr(asking_module, "RETRY", replace(asking_module.RETRY, first_pause_s=0.01))
    with salon(house) as opened:
        yield opened


def picks(**tasks: list[str]) -> Any:
    """A model that gives these tasks (with _ for the space) the cards of these names."""

    def answer(asked: Asked) -> dict[str, Any]:
        known = {card.name: card.number for card in cards(asked.user)}
        return {
            "tasks": [
                {
                    "task": text.replace("_", " "),
                    "adapters": [
                        {"number": known.get(name, 99), "reason": f"is {name}"} for name in wanted
                    ],
                }
                for text, wanted in tasks.items()
            ],
            "prune": [],
        }

    return answers(answer)


def test_tasks_and_picks_are_the_models(room: Salon) -> None:
    room.server.always = picks(
        copper_train=["Copper Train"], teapot=[], night_market=["Night Market"]
    )
    composition = room.compose(SCENE)
    assert [(task.text, SCENE[task.start : task.end]) for task in composition.tasks] == [
        (text, text) for text in ("copper train", "teapot", "night market")
    ]
    assert [(pick.name, pick.task, pick.reason) for pick in composition.picks] == [
        ("Copper Train", 2, "is Copper Train"),
        ("Night Market", SCENE.index("night"), "is Night Market"),
    ]
    assert composition.notes == ()
    assert composition.near_misses


def test_what_is_asked_is_one_short_question(room: Salon) -> None:
    room.compose(SCENE + " <lora:rain:0.5>", negative="blurry, knitted things")
    (asked,) = room.server.seen
    assert (
        f"Prompt: {SCENE}\nNot wanted: blurry, knitted things\nIn use already, for their own tasks:"
        " rain\n" in asked.user
    )
    assert "Draws steam trains of polished copper." in asked.user
    assert "<lora" not in asked.user
    assert "at most 2 styles and 2 adapters in all" in asked.system
    assert len(cards(asked.user)) <= 24
    assert not {"Muscle Slider", "Quick LCM", "Fern"} & {card.name for card in cards(asked.user)}


def test_only_so_many_cards_are_shown(room: Salon) -> None:
    room.compose(SCENE, room.composer(cards=5))
    assert len(cards(room.server.seen[0].user)) == 5


def test_what_the_model_chooses_twice_or_out_of_the_air_is_dropped_with_a_note(room: Salon) -> None:
    room.server.always = picks(
        copper_train=["Copper Train", "Nobody"], teapot=["Copper Train", "Teapot World"]
    )
    composition = room.compose(SCENE)
    assert names(composition) == ["Copper Train", "Teapot World"]
    assert codes(composition) == ["chat_dropped"] * 2
    assert "Copper Train" in composition.notes[1].text


def test_if_nothing_that_it_chose_can_be_used_the_rules_compose(room: Salon) -> None:
    query, candidates = room.question(SCENE)
    by_rules = names(RuleComposer().compose(query, candidates))
    assert by_rules
    room.server.always = picks(copper_train=["Nobody"], teapot=["No one else"])
    composition = room.compose(SCENE)
    assert names(composition) == by_rules
    assert codes(composition) == ["chat_failed", "chat_dropped"]


def test_to_choose_nothing_is_an_answer(room: Salon) -> None:
    room.server.always = picks(copper_train=[], teapot=[])
    composition = room.compose(SCENE)
    assert names(composition) == []
    assert "chat_failed" not in codes(composition)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a spaceship", False),
        ("", False),
        ("train copper", False),
        ("COPPER  Trains", True),
        ("the copper train", True),
    ],
)
def test_a_task_is_made_of_the_prompts_words(room: Salon, text: str, kept: bool) -> None:
    room.server.always = picks(**{text: ["Copper Train"], "teapot": ["Teapot World"]})
    composition = room.compose(SCENE)
    assert (names(composition) == ["Copper Train", "Teapot World"]) is kept
    assert ("chat_dropped" in codes(composition)) is not kept


def test_tasks_do_not_overlap(room: Salon) -> None:
    room.server.always = picks(
        copper_train_beside_a_teapot=["Copper Train"], teapot=["Teapot World"]
    )
    composition = room.compose(SCENE)
    assert [task.text for task in composition.tasks] == ["copper train beside a teapot"]
    assert names(composition) == ["Copper Train"]


def test_the_limits_hold(room: Salon) -> None:
    everything = picks(
        copper_train=["Copper Train"],
        teapot=["Teapot World", "Teapot Style"],
        night_market=["Night Market", "Market Style"],
    )
    room.server.always = everything
    assert names(room.compose(SCENE)) == ["Copper Train", "Teapot World", "Night Market"]
    room.server.always = everything
    assert names(room.compose(SCENE, max_adapters=1)) == ["Copper Train"]
    assert names(room.compose(SCENE, max_adapters=5, per_task=2, max_styles=1)) == [
        "Copper Train",
        "Teapot World",
        "Teapot Style",
        "Night Market",
    ]
    assert room.compose(SCENE, max_adapters=0).picks == ()


def test_one_family_for_a_plan(room: Salon) -> None:
    room.server.always = picks(
        copper_train=["Copper Train XL", "Copper Train"], teapot=["Teapot World"]
    )
    composition = room.compose(SCENE, max_adapters=5, per_task=2)
    families = {room.house.store.read([pick.key])[pick.key].family for pick in composition.picks}
    assert len(families) == 1


def test_nobody_who_is_not_named_and_no_tool(room: Salon) -> None:
    scene = "a mage with purple hair beside a pilot with goggles"
    room.server.always = picks(
        mage=["Fern"],
        pilot=["Mira Vanthal | Skyreach Saga", "Mira Vanthal Skyreach Saga"],
        hair=["Muscle Slider", "Quick LCM"],
    )
    composition = room.compose(scene, strictness=0.0)
    assert composition.picks == ()
    assert "Fern" not in room.server.seen[0].user


def test_what_is_always_wanted_is_there_and_leaves_the_rest_less_room(tmp_path: Path) -> None:
    made = [
        (
            replace(entry, edits=Edits(state="always"))
            if entry.card.name == "Knitted Everything"
            else entry
        )
        for entry in catalogue()
    ]
    own = open_house(tmp_path / "own", [*made, *filling(60)])
    with salon(own) as room:
        room.server.always = picks(copper_train=["Copper Train"], teapot=["Teapot World"])
        composition = room.compose(SCENE, max_adapters=2)
        assert names(composition) == ["Knitted Everything", "Copper Train"]
        assert composition.picks[0].pinned
        assert "Knitted Everything" not in [card.name for card in cards(room.server.seen[0].user)]
    own.store.close()


def test_what_the_model_prunes_is_told(room: Salon) -> None:
    def answer(asked: Asked) -> dict[str, Any]:
        known = {card.name: card.number for card in cards(asked.user)}
        return {
            "tasks": [{"task": "teapot", "adapters": []}],
            "prune": [{"number": known["Teapot World"], "reason": "many teapots, not one"}],
        }

    room.server.always = answers(answer)
    misses = {miss.name: miss.reason for miss in room.compose(SCENE).near_misses}
    assert "many teapots, not one" in misses["Teapot World"]


def test_a_second_turn_takes_away(room: Salon) -> None:
    def answer(asked: Asked) -> dict[str, Any]:
        if "You check a choice" in asked.system:
            assert "for 'teapot'" in asked.user
            return {
                "drop": [
                    {"number": number, "reason": "merely similar"}
                    for number in (card.number for card in cards(asked.user))
                    if number
                ]
            }
        return sensible(asked)

    room.server.always = answers(answer)
    composition = room.compose(SCENE, room.composer(twice=True))
    assert len(room.server.seen) == 2
    assert composition.picks == ()
    assert any("merely similar" in miss.reason for miss in composition.near_misses)


def test_a_second_turn_that_fails_leaves_the_first(room: Salon) -> None:
    room.server.script = [answers(sensible)]
    room.server.always = status(401)
    composition = room.compose(SCENE, room.composer(twice=True))
    assert names(composition)
    assert codes(composition) == ["chat_dropped"]


def test_the_same_question_is_asked_once(room: Salon) -> None:
    composer = room.composer()
    first = room.compose(SCENE, composer)
    assert room.compose(SCENE, composer, seed=5) == first
    assert len(room.server.seen) == 1
    room.compose(SCENE, composer, max_adapters=1)
    assert len(room.server.seen) == 2


def test_with_a_temperature_each_seed_is_asked_for_and_remembered(room: Salon) -> None:
    composer = room.composer(temperature=0.9)
    found = [room.compose(SCENE, composer, seed=seed) for seed in (3, 4, 3)]
    assert [asked.body["seed"] for asked in room.server.seen] == [3, 4]
    assert found[0] == found[2]


@pytest.mark.parametrize(
    "step",
    [
        status(401),
        status(503),
        says("no"),
        says(""),
        says({"tasks": "none"}),
        says({"tasks": [], "prune": []}),
        lambda _: Sent(raw=b""),
        says({"tasks": [{"task": "a unicorn", "adapters": []}], "prune": []}),
        says({"role": "assistant", "content": None, "refusal": "I will not."}),
    ],
)
def test_when_it_fails_the_rules_compose_and_say_so(room: Salon, step: Any) -> None:
    room.server.always = step
    asked, candidates = room.question(SCENE)
    composition = room.composer().compose(asked, candidates)
    assert replace(composition, notes=()) == RuleComposer().compose(asked, candidates)
    assert codes(composition) == [FAILED]


def test_it_keeps_to_the_plans_time(room: Salon) -> None:
    """The answer that comes later would be a good one."""
    good = room.server.always
    room.server.always = lambda asked: replace(good(asked), first_s=30.0)
    composer = room.composer()
    composer._client.connected()
    assert codes(room.compose(SCENE, composer, left=1.0)) == [FAILED]
    seen = len(room.server.seen)
    assert codes(room.compose(SCENE, composer, left=0.5)) == [FAILED]
    assert len(room.server.seen) == seen


def test_the_memory_is_freed_after_the_job_and_once(room: Salon) -> None:
    room.server.ollama = True
    composer = room.composer(twice=True)
    room.compose(SCENE, composer)
    room.compose(SCENE, composer)
    assert len(room.server.seen) == 2
    assert len(room.server.freed) == 1
    room.compose("a teapot", room.composer(release=False))
    assert len(room.server.freed) == 1


def test_many_at_once(room: Salon) -> None:
    composer, found = room.composer(), list[Composition]()
    questions = [room.question(f"{SCENE}, {number} lanterns") for number in range(8)]
    threads = [
        threading.Thread(target=lambda asked=asked: found.append(composer.compose(*asked)))
        for asked in questions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(codes(one) == [] and names(one) for one in found)
