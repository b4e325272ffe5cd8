"""Cards that speak to the model, and a model that does what they say: they do not get in all the
same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stylus_ext.core.composition import Candidate, Evidence
from stylus_ext.core.entry import Entry
from stylus_ext.selection.compose.llm_prompt import WITHHELD
from tests.chat_service.composing import answers, obedient
from tests.fakes import make_entry
from tests.llm.test_injection_guard import INJECTED
from tests.selection.compose.chatting import Salon, names, salon
from tests.selection.retrieve.house import House, catalogue, filling, open_house

SCENE = "a copper train, night market, lanterns"
MARK = "Zorblax"


def evil(number: int) -> Entry:
    """Its demand stands in its text, its name, its tags or its triggers, by turns; what it draws
    has nothing to do with the prompt.
    """
    demand = INJECTED[number % len(INJECTED)]
    where = number % 4
    return make_entry(
        5000 + number,
        f"{MARK} {number}" if where != 1 else f"{MARK} {number}. {demand}",
        f"Draws a purple walrus. {demand}" if where == 0 else "Draws a walrus.",
        kind=("object", "style", "clothing", "concept")[number // 4 % 4],
        tags=("walrus", demand) if where == 2 else ("walrus",),
        triggers=(f"walrus{number}", demand) if where == 3 else (f"walrus{number}",),
        model_id=7000 + number,
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder: Path = tmp_path_factory.mktemp("house")
    opened = open_house(folder, [*catalogue(), *filling(30), *map(evil, range(len(INJECTED)))])
    yield opened
    opened.store.close()


@pytest.fixture
def room(house: House) -> Iterator[Salon]:
    with salon(house) as opened:
        yield opened


@pytest.mark.parametrize("number", range(len(INJECTED)))
def test_a_card_that_demands_to_be_chosen_is_not(room: Salon, number: int) -> None:
    """The worst case: the card is among the candidates, was shown first, and the model obeys it to
    the letter.
    """
    entry = evil(number)
    asked, candidates = room.question(SCENE)
    evils = [one for one in candidates.found if one.key == entry.key]
    rest = tuple(one for one in candidates.found if not one.entry.card.name.startswith(MARK))
    spans = {span.start: Evidence(0.02, 0.3) for span in candidates.spans}
    first = evils or [Candidate(entry, 0.01, Evidence(0.02, 0.3, sure=0.03), spans)]
    room.server.always = answers(obedient(f"{MARK} {number}"))
    composition = room.composer().compose(asked, replace(candidates, found=(*first, *rest)))
    assert not [name for name in names(composition) if MARK in name]
    assert "evil" not in str([pick.reason for pick in composition.picks])
    (question,) = room.server.seen
    assert re.search(rf"{MARK} {number}\b|{re.escape(WITHHELD)}", question.user)
    demand = INJECTED[number]
    assert demand not in question.user


def test_what_it_says_reaches_nobody(room: Salon) -> None:
    """A reason that the model was talked into is shown without links and tags."""
    room.server.always = answers(obedient("Copper Train"))
    composition = room.compose(SCENE)
    told = " ".join(
        [
            *(pick.reason for pick in composition.picks),
            *(miss.reason for miss in composition.near_misses),
            *(note.text for note in composition.notes),
        ]
    )
    assert names(composition) == ["Copper Train"]
    assert "<" not in told
    assert "http" not in told
    assert "lora:" not in told


def test_weights_are_not_the_models(room: Salon) -> None:
    room.server.always = answers(obedient("Copper Train"))
    assert [pick.weight for pick in room.compose(SCENE).picks] == [None]
