"""Questions while the encoder is away: no direction, one quick look now and then, and every plan
says it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event, Thread

import numpy as np
import pytest

from stylus_ext.catalogue.embedders.questions import AGAIN_S, NotingRetriever, QuestionEmbedder
from stylus_ext.core.composition import Candidates
from stylus_ext.core.errors import InvalidInput, Note, Unavailable
from stylus_ext.core.ports import Matrix, PlanContext, Query
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.settings import Selection
from tests.fakes import BagEmbedder


@dataclass
class Shaky:
    """Answers as long as nothing is wrong."""

    wrong: Exception | None = None
    bag: BagEmbedder = field(default_factory=BagEmbedder)
    asked: int = 0
    looked: int = 0
    now: float = 100.0
    name: str = "shaky"
    dimensions: int = 64

    def embed(self, texts: Sequence[str]) -> Matrix:
        self.asked += 1
        if self.wrong is not None:
            raise self.wrong
        return self.bag.embed(texts)

    def probe(self) -> None:
        self.looked += 1
        if self.wrong is not None:
            raise self.wrong

    def questions(self) -> QuestionEmbedder:
        return QuestionEmbedder(self, lambda: self.dimensions, self.probe, lambda: self.now)


def test_an_encoder_that_answers_is_just_asked() -> None:
    shaky = Shaky()
    asked = shaky.questions()
    assert (asked.embed(["a fox"]) == shaky.bag.embed(["a fox"])).all()
    assert asked.note() is None
    assert (asked.name, asked.dimensions, shaky.looked) == ("shaky", 64, 0)


def test_one_that_is_away_is_waited_for_once_and_looked_for_now_and_then() -> None:
    shaky = Shaky(Unavailable("It cannot be reached."))
    asked = shaky.questions()
    for _ in range(5):
        assert not asked.embed(["a fox", "a hen"]).any()
    assert (shaky.asked, shaky.looked) == (1, 0)
    shaky.now += AGAIN_S
    assert asked.embed(["a fox"]).shape == (1, 64)
    assert asked.embed(["a fox"]).shape == (1, 64)
    assert (shaky.asked, shaky.looked) == (1, 1)
    shaky.now += AGAIN_S
    shaky.wrong = None
    assert asked.embed(["a fox"]).any()
    assert (shaky.asked, shaky.looked) == (2, 2)


def test_it_is_said_once_and_to_the_thread_that_asked() -> None:
    asked = Shaky(Unavailable("It cannot be reached.")).questions()
    found: list[Note | None] = []
    asked.embed(["a fox"])
    other = Thread(target=lambda: found.append(asked.note()))
    other.start()
    other.join()
    assert found == [None]
    note = asked.note()
    assert note is not None
    assert note.code == "no_encoder"
    assert "words alone" in note.text
    assert "It cannot be reached." in note.text
    assert asked.note() is None


def test_what_is_no_outage_is_no_outage() -> None:
    asked = Shaky(InvalidInput("Not so.")).questions()
    with pytest.raises(InvalidInput):
        asked.embed(["a fox"])
    assert asked.note() is None


def test_a_length_that_nobody_knows_is_one() -> None:
    asked = Shaky(Unavailable("x"), dimensions=0).questions()
    assert asked.embed(["a fox"]).shape == (1, 1)


def test_the_retrievers_answer_carries_the_note() -> None:
    @dataclass
    class Asking:
        questions: QuestionEmbedder

        def find(self, query: Query) -> Candidates:
            self.questions.embed([query.prompt.text])
            return Candidates((), (), notes=(Note("other", "Something else."),))

    query = Query(parse_prompt("a fox"), parse_prompt(""), Selection())
    away, there = Shaky(Unavailable("x")).questions(), Shaky().questions()
    assert [note.code for note in NotingRetriever(Asking(away), away).find(query).notes] == [
        "other",
        "no_encoder",
    ]
    assert [note.code for note in NotingRetriever(Asking(there), there).find(query).notes] == [
        "other"
    ]


def test_zeros_are_like_nothing() -> None:
    away = Shaky(Unavailable("x")).questions()
    assert not (away.embed(["a fox"]) @ np.ones((64, 3), dtype=np.float32)).any()


@dataclass
class Slow:
    """Loads until it may go on."""

    may_go_on: Event = field(default_factory=Event)
    began: Event = field(default_factory=Event)
    wrong: Exception | None = None
    bag: BagEmbedder = field(default_factory=BagEmbedder)
    name: str = "slow"
    dimensions: int = 64

    def embed(self, texts: Sequence[str]) -> Matrix:
        self.began.set()
        self.may_go_on.wait(20.0)
        if self.wrong is not None:
            raise self.wrong
        return self.bag.embed(texts)

    def questions(self) -> QuestionEmbedder:
        return QuestionEmbedder(self, lambda: self.dimensions, lambda: None)


def test_plans_are_made_by_words_while_the_encoder_is_loaded() -> None:
    slow = Slow()
    asked = slow.questions()
    asked.defer()
    assert not asked.embed(["a fox"]).any(), "before the loading begins nothing waits for it"
    loading = Thread(target=asked.load)
    loading.start()
    assert slow.began.wait(20.0)
    asked.wait(0.02)
    assert not asked.embed(["a fox"]).any()
    note = asked.note()
    assert note is not None
    assert note.code == "no_encoder"
    slow.may_go_on.set()
    asked.wait(None)
    assert asked.embed(["a fox"]).any()
    assert asked.note() is None
    loading.join()


def test_an_encoder_that_cannot_be_loaded_ends_the_wait() -> None:
    slow = Slow(wrong=Unavailable("It cannot be loaded."))
    slow.may_go_on.set()
    asked = slow.questions()
    asked.defer()
    asked.load()
    asked.wait(None)
    assert not asked.embed(["a fox"]).any()
    assert asked.unavailable_reason() == "It cannot be loaded."


def test_a_search_waits_for_half_of_its_time() -> None:
    slow = Slow()
    asked = slow.questions()
    asked.defer()
    loading = Thread(target=asked.load)
    loading.start()
    assert slow.began.wait(20.0)
    context = PlanContext(left=lambda: 0.02)
    query = Query(parse_prompt("a fox"), parse_prompt(""), Selection(), context=context)

    class Found:
        def find(self, query: Query) -> Candidates:
            asked.embed([query.prompt.text])
            return Candidates((), ())

    found = NotingRetriever(Found(), asked).find(query)
    assert [note.code for note in found.notes] == ["no_encoder"]
    slow.may_go_on.set()
    loading.join()
    assert NotingRetriever(Found(), asked).find(query).notes == ()
