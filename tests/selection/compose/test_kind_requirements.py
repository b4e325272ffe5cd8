from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.card import Example
from stylus_ext.core.composition import Candidate, Evidence
from stylus_ext.core.entry import Edits
from stylus_ext.core.ports import Query
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.prompt.words import words
from stylus_ext.core.settings import Selection
from stylus_ext.selection.compose.checks import CLOSE_ENOUGH, DISTINCTIVE, is_mentioned, refusal
from stylus_ext.selection.compose.rules import (
    CALIBRATED,
    LOOSEST,
    STRICTEST,
    needed,
)
from stylus_ext.selection.compose.tasks import pick_reason, uncertain
from tests.fakes import make_entry


def candidate(seen: Evidence, **more: Any) -> Candidate:
    return Candidate(make_entry(1, "Some Adapter", **more), 1.0, seen)


class TestCalled:
    @pytest.mark.parametrize(
        ("seen", "called"),
        [
            (Evidence(), False),
            (Evidence(cosine=0.9, lexical=0.9), False),
            (Evidence(named=("zorblax",), rarity=DISTINCTIVE), True),
            (Evidence(named=("power",), rarity=DISTINCTIVE - 1), False),
            (Evidence(named=("power",), rarity=DISTINCTIVE - 1, cosine=CLOSE_ENOUGH), True),
            (Evidence(named=("night", "market"), rarity=1.0), True),
            (Evidence(trigger="zorblax", rarity=9.0), True),
            (Evidence(trigger="girl", rarity=0.5), False),
        ],
    )
    def test_names_and_common_words(self, seen: Evidence, called: bool) -> None:
        assert is_mentioned(seen) is called


class TestRefusal:
    NAMED = Evidence(named=("some", "adapter"), rarity=6.0)

    @pytest.mark.parametrize("kind", ["character", "person"])
    def test_somebody_must_be_named(self, kind: str) -> None:
        assert kind in refusal(candidate(Evidence(0.9, 0.9), kind=kind), ())
        assert refusal(candidate(self.NAMED, kind=kind), ("some", "adapter")) == ""

    @pytest.mark.parametrize("kind", ["style", "object", "clothing", "unknown"])
    def test_things_need_no_name(self, kind: str) -> None:
        assert refusal(candidate(Evidence(0.9, 0.9), kind=kind), ()) == ""

    @pytest.mark.parametrize(
        ("flag", "word"), [("slider", "slider"), ("speed", "lcm"), ("utility", "tweaker")]
    )
    def test_a_tool_wants_its_name_and_its_word(self, flag: str, word: str) -> None:
        assert refusal(candidate(self.NAMED, **{flag: True}), ("some", "adapter")) != ""
        assert refusal(candidate(Evidence(0.9, 0.9), **{flag: True}), (word,)) != ""
        assert refusal(candidate(self.NAMED, **{flag: True}), (word,)) == ""

    def test_a_tool_whose_word_is_said_but_not_its_name_is_told_what_it_lacks(self) -> None:
        tool = candidate(Evidence(0.5, 0.1), speed=True)
        requested, other = refusal(tool, {"lcm"}), refusal(tool, {"castle"})
        assert "speed" in requested
        assert "speed" in other
        assert requested != other

    def test_a_coined_trigger_is_as_good_as_a_name(self) -> None:
        coined = Evidence(trigger="zxcvq", rarity=2 * DISTINCTIVE)
        assert refusal(candidate(coined, slider=True), ("zxcvq",)) == ""
        assert refusal(candidate(coined, slider=True), ("something",)) != ""

    def test_weak_cards_want_a_name(self) -> None:
        unnamed = refusal(candidate(Evidence(0.9, 0.9), weak=True), ())
        everyday = Evidence(0.9, 0.9, named=("forest",), rarity=7.0)
        everyday_name = refusal(candidate(everyday, weak=True, kind="background"), ("forest",))
        assert unnamed
        assert everyday_name
        assert unnamed != everyday_name
        assert refusal(candidate(self.NAMED, weak=True), ()) == ""

    @pytest.mark.parametrize(
        ("prompt", "meant"),
        [
            ("a fox in a forest at dawn", True),
            ("a fox in a forest", True),
            ("three cars before a forest hotel in winter", False),
        ],
    )
    def test_a_word_that_the_users_pictures_made_common_still_means_what_he_used_with_it(
        self, prompt: str, meant: bool
    ) -> None:
        everyday = Evidence(0.9, 0.9, trigger="forest", rarity=DISTINCTIVE - 1)
        used = candidate(
            everyday,
            weak=True,
            kind="background",
            examples=(Example("a red fox in a forest at dawn", 0.7),),
        )
        assert (refusal(used, words(prompt)) == "") is meant
        unseen = candidate(everyday, weak=True, kind="background", examples=(Example("", 0.7),))
        unnamed = candidate(Evidence(0.9, 0.9), weak=True, examples=used.entry.card.examples)
        assert refusal(unseen, words(prompt)) != ""
        assert refusal(unnamed, words(prompt)) not in {"", refusal(unseen, words(prompt))}


ASKED = Query(parse_prompt("an old bridge in ZXstyle, zx"), parse_prompt(""), Selection())


class TestReasons:
    @pytest.mark.parametrize(
        ("seen", "local", "said"),
        [
            (Evidence(trigger="ZXstyle", named=("zx",)), None, "ZXstyle"),
            (Evidence(trigger="ZX old style", named=("zx",)), None, '("zx")'),
            (Evidence(named=("copper", "train")), None, "copper train"),
            (Evidence(), Evidence(0.5, 0.5), "old bridge"),
            (Evidence(), Evidence(0.0, 0.5), "old bridge"),
            (Evidence(), None, "example"),
        ],
    )
    def test_the_strongest_evidence_is_said(
        self, seen: Evidence, local: Evidence | None, said: str
    ) -> None:
        assert said in pick_reason(candidate(seen), "old bridge", local, ASKED)

    @pytest.mark.parametrize(
        ("named", "said"),
        [
            (("星野", "野ミ", "ミナ", "ナト"), "星野ミナト"),
            (("小雨",), "小雨"),
            (("clay", "世界", "界樹", "樹木"), "clay 世界樹木"),
            (("café", "noir"), "café noir"),
            (("art", "artful"), "art artful"),
        ],
    )
    def test_names_in_runs_of_signs_are_said_once(self, named: tuple[str, ...], said: str) -> None:
        found = pick_reason(candidate(Evidence(0.5, 0.5, named)), "task", None, ASKED)
        assert f'"{said}"' in found

    def test_always_is_the_users_word(self) -> None:
        pinned = candidate(Evidence(trigger="x"), edits=Edits(state="always"))
        assert "always" in pick_reason(pinned, "", None, ASKED).lower()

    def test_unsure_says_how_much_was_missing(self) -> None:
        assert re.findall(r"\d+%", uncertain(candidate(Evidence(sure=0.31)), 0.5)) == ["31%", "50%"]

    def test_long_triggers_are_cut(self) -> None:
        long = "x" * 900
        asked = Query(parse_prompt(long), parse_prompt(""), Selection())
        assert len(pick_reason(candidate(Evidence(trigger=long)), "", None, asked)) < 120


class TestThresholds:
    def test_the_middle_is_what_was_measured(self) -> None:
        assert needed(0.5) == CALIBRATED

    def test_the_ends(self) -> None:
        assert needed(0.0) == LOOSEST
        assert needed(1.0) == STRICTEST

    @given(st.floats(0, 1), st.floats(0, 1))
    def test_stricter_never_needs_less(self, one: float, other: float) -> None:
        low, high = sorted((one, other))
        assert 0 < needed(low) <= needed(high) + 1e-12 < 1
