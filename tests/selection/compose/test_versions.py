"""Of the versions of one character one is picked: that of which the prompt has most."""

from __future__ import annotations

from typing import Any

from stylus_ext.core.composition import Candidate, Evidence
from stylus_ext.core.entry import Edits
from stylus_ext.core.prompt.words import words
from stylus_ext.selection.compose.versions import is_same_character, other_version
from tests.fakes import make_entry


def version(number: int, name: str, sure: float = 0.9, **more: Any) -> Candidate:
    facts = {"kind": "character", "triggers": ("nerisa vanthal",), **more}
    return Candidate(make_entry(number, name, **facts), 1.0, Evidence(0.5, 0.3, sure=sure))


PLAIN = version(1, "Nerisa Vanthal")
KYOTH = version(2, "Nerisa Vanthal (Kyothbound)", triggers=("nerisa vanthal", "kyothbound"))
OTHER = version(3, "Mira Skarnveil", triggers=("mira skarnveil",))


def instead(candidate: Candidate, prompt: str, *picked: Candidate) -> str:
    return other_version(
        candidate,
        (PLAIN, KYOTH, OTHER),
        [other.key for other in picked],
        frozenset(words(prompt)),
        lambda _: True,
    )


def test_versions_share_a_name_that_is_no_everyday_word() -> None:
    assert is_same_character(PLAIN.entry, KYOTH.entry)
    assert not is_same_character(PLAIN.entry, OTHER.entry)
    assert not is_same_character(PLAIN.entry, version(4, "Nerisa Vanthal", kind="style").entry)
    rose = version(5, "Rose Gale", triggers=("rose",)), version(6, "Rose Hill", triggers=("rose",))
    assert not is_same_character(*(candidate.entry for candidate in rose))


def test_a_second_version_is_not_picked() -> None:
    assert instead(PLAIN, "nerisa vanthal", KYOTH)
    assert not instead(OTHER, "nerisa vanthal and mira skarnveil", PLAIN)
    assert not instead(PLAIN, "nerisa vanthal")


def test_the_version_that_the_prompt_says_more_of_is_taken() -> None:
    assert "Kyothbound" in instead(PLAIN, "nerisa vanthal, kyothbound")
    assert not instead(KYOTH, "nerisa vanthal, kyothbound")


def test_a_version_that_may_not_be_picked_is_not_waited_for() -> None:
    prompt = frozenset(words("nerisa vanthal, kyothbound"))
    assert other_version(PLAIN, (PLAIN, KYOTH), (), prompt, lambda _: False) == ""


def test_what_the_user_always_wants_stays() -> None:
    wanted = version(7, "Nerisa Vanthal", edits=Edits(state="always"))
    assert instead(wanted, "nerisa vanthal", KYOTH) == ""
