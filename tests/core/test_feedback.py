from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Candidate, Candidates, Evidence
from stylus_ext.core.entry import Edits
from stylus_ext.core.feedback import (
    REFUSED,
    Verdict,
    apply_feedback,
    doubts,
    explain,
    known_as,
    likeness,
)
from tests.fakes import make_entry

KEY, OTHER = AdapterKey.civitai(1), AdapterKey.civitai(2)
PROMPT = "a red fox in the snow, watercolor"
words = st.frozensets(st.sampled_from("fox tree snow rain castle".split()), max_size=4)


def found(sure: float = 0.8, state: str = "auto") -> Candidates:
    entry = make_entry(1, "Fox", edits=Edits(state=state))  # type: ignore[arg-type]
    seen = Evidence(sure=sure)
    return Candidates(
        (Candidate(entry, 2.0, seen, {0: seen}), Candidate(make_entry(2, "Tree"), 1.0, seen)), ()
    )


@given(words, words)
def test_likeness_is_even_and_whole_only_for_the_same_words(
    one: frozenset[str], other: frozenset[str]
) -> None:
    assert likeness(one, other) == likeness(other, one)
    assert 0 <= likeness(one, other) <= 1
    assert (likeness(one, other) == 1) == (one == other)


@given(st.lists(st.tuples(words, st.integers(1, 3)), max_size=5), words)
def test_more_verdicts_never_doubt_less(
    said: list[tuple[frozenset[str], int]], prompt: frozenset[str]
) -> None:
    verdicts = [Verdict(KEY, " ".join(sorted(about)), times) for about, times in said]
    weights = [
        doubts(verdicts[:count], " ".join(prompt)).get(KEY) for count in range(len(verdicts) + 1)
    ]
    numbers = [0.0 if doubt is None else doubt.weight for doubt in weights]
    assert numbers == sorted(numbers)


def test_once_wrong_is_enough_for_the_same_prompt() -> None:
    here = doubts([Verdict(KEY, "Watercolor, a red fox in the snow")], PROMPT)
    after = apply_feedback(found(), here)
    assert [candidate.key for candidate in after.found] == [OTHER]
    assert [(miss.name, miss.reason) for miss in after.refused] == [
        ("Fox", "you said that it was wrong for this prompt")
    ]


def test_a_prompt_like_it_makes_less_sure_and_twice_refuses() -> None:
    like = "a red fox in the rain, watercolor"
    once = apply_feedback(found(), doubts([Verdict(KEY, like)], PROMPT))
    assert once.found[0].evidence.sure < 0.45
    assert once.found[0].spans[0].sure == once.found[0].evidence.sure
    assert once.found[0].score < 1.0
    twice = apply_feedback(found(), doubts([Verdict(KEY, like, 2)], PROMPT))
    assert [miss.reason for miss in twice.refused] == [
        "you said twice that it was wrong for prompts like this"
    ]
    assert len(twice.found) == 1


def test_another_prompt_is_none_of_its_business_until_it_is_wrong_everywhere() -> None:
    others = [Verdict(KEY, f"castle {number} tower", 1) for number in range(10)]
    assert doubts(others[:3], PROMPT) == {}
    assert (
        apply_feedback(found(), doubts(others, PROMPT)).refused[0].reason
        == "you said of many other prompts that it was wrong there"
    )


def test_what_the_user_always_wants_stays() -> None:
    here = doubts([Verdict(KEY, PROMPT, 9)], PROMPT)
    assert here[KEY].weight > REFUSED
    assert apply_feedback(found(state="always"), here).found == found(state="always").found


@pytest.mark.parametrize(
    ("times", "said"),
    [(1, "you said that"), (2, "you said twice that"), (3, "you said 3 times that")],
)
def test_the_reason_says_how_often(times: int, said: str) -> None:
    doubt = doubts([Verdict(KEY, PROMPT, times)], PROMPT)[KEY]
    assert doubt.reason.startswith(said)
    assert explain("its name stands there", doubt) == f"its name stands there; {doubt.reason}"
    assert explain(doubt.reason, doubt) == doubt.reason
    assert explain("x", None) == "x"


def test_verdicts_follow_an_adapter_to_its_first_key() -> None:
    alias = AdapterKey.path("fox")
    assert known_as([Verdict(alias, PROMPT)], {alias: KEY}) == (
        replace(Verdict(alias, PROMPT), key=KEY),
    )
