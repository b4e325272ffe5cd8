"""Several adapters that the prompt calls by the same words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.composition import Candidate, Evidence
from stylus_ext.core.prompt.words import words
from stylus_ext.selection.compose.near_equals import shared_certainties
from tests.fakes import make_entry

PROMPT = frozenset(words("a chibi girl in a garden"))


def chibi(number: int, name: str, sure: float, downloads: int = 0) -> Candidate:
    entry = make_entry(number, name, kind="style", downloads=downloads)
    return Candidate(entry, 1.0, Evidence(0.5, 0.5, ("chibi",), "", 5.0, sure))


def test_the_plainest_stands_for_all_and_the_most_used_of_equals() -> None:
    found = (
        chibi(1, "Chibi Nightmare Carnival", 0.3),
        chibi(2, "Chibi", 0.28, 10),
        chibi(3, "Chibi", 0.27, 900),
    )
    ((key, sure),) = shared_certainties(found, PROMPT).items()
    assert key == found[2].key
    assert 0.6 < sure < 0.7


def test_one_alone_and_those_of_another_kind_or_without_a_name_do_not_count() -> None:
    other = make_entry(2, "Chibi", kind="pose")
    unnamed = make_entry(3, "Chibi", kind="style")
    found = (
        chibi(1, "Chibi", 0.4),
        Candidate(other, 1.0, Evidence(0.5, 0.5, ("chibi",), "", 5.0, 0.4)),
        Candidate(unnamed, 1.0, Evidence(0.5, 0.5, (), "", 0.0, 0.4)),
    )
    assert shared_certainties(found, PROMPT) == {}


@given(st.lists(st.floats(0.0, 1.0), max_size=12))
def test_several_are_never_less_sure_than_the_surest_and_never_certain(sure: list[float]) -> None:
    found = [chibi(number, "Chibi", each) for number, each in enumerate(sure, 1)]
    for value in shared_certainties(found, PROMPT).values():
        assert min(max(sure), 0.9) - 1e-9 <= value <= 0.9
