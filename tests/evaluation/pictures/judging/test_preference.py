"""What verdicts say: preference, bias, agreement and ranking, and how the report shows them."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from stylus_ext.evaluation.pictures.judging.pairs import different, picture_pairs
from stylus_ext.evaluation.pictures.judging.preference import (
    against_reference,
    agreement,
    criterion_facts,
    human_outcomes,
    judge_facts,
    krippendorff_alpha,
    ranking,
    vlm_outcomes,
)
from stylus_ext.evaluation.pictures.judging.trials import trials_of
from stylus_ext.evaluation.pictures.judging.verdicts import (
    HUMAN_FILE,
    LEFT,
    PREFERENCE,
    RIGHT,
    TIE,
    PairVerdict,
    VerdictFile,
)
from stylus_ext.evaluation.pictures.manifest import PictureFolder
from stylus_ext.evaluation.pictures.markdown import markdown
from stylus_ext.evaluation.pictures.metrics.available import Metrics
from stylus_ext.evaluation.pictures.page import html_page
from stylus_ext.evaluation.pictures.report import complete_set, complete_sets, make_report
from stylus_ext.evaluation.pictures.tables import lines
from tests.evaluation.pictures.test_report import better_in_one, write_run
from tests.fakes import Watch

BASE, STYLUS, RANDOM = "base", "stylus", "random"


def verdict(
    prompt: int, winner: str, judge: str = "Ada", other: str = STYLUS, repeat: bool = False
) -> PairVerdict:
    sides = (BASE, other) if (prompt + repeat) % 2 else (other, BASE)
    choice = TIE if not winner else LEFT if sides[0] == winner else RIGHT
    return PairVerdict(judge, PREFERENCE, f"{prompt} {other}", prompt, *sides, choice, repeat)


def swapped(each: PairVerdict) -> PairVerdict:
    names = {BASE: STYLUS, STYLUS: BASE}
    return replace(each, left=names[each.left], right=names[each.right])


def drawn(seed: int, chance: float, count: int = 40) -> list[PairVerdict]:
    dice = random.Random(seed)
    return [verdict(n, STYLUS if dice.random() < chance else BASE) for n in range(count)]


def test_a_preferred_arm_is_found_and_swapping_the_arms_swaps_it() -> None:
    given = drawn(1, 0.85)
    found = against_reference(human_outcomes(given, BASE))[STYLUS]
    assert found["differs"]
    assert found["preference"]["low"] > 0.5
    assert found["wins"] + found["losses"] == found["prompts"] == 40
    other = against_reference(human_outcomes(map(swapped, given), BASE))[STYLUS]
    assert (other["wins"], other["losses"], other["p"]) == (
        found["losses"],
        found["wins"],
        found["p"],
    )
    assert other["preference"]["mean"] == pytest.approx(1 - found["preference"]["mean"])


def test_equal_arms_differ_in_at_most_one_of_twenty_runs() -> None:
    runs = [against_reference(human_outcomes(drawn(seed, 0.5), BASE)) for seed in range(200)]
    assert sum(found[STYLUS]["differs"] for found in runs) <= 10


def test_ties_are_half_and_a_prompt_counts_once() -> None:
    many = [verdict(0, STYLUS, judge) for judge in "abcdefgh"]
    found = against_reference(human_outcomes([*many, verdict(1, ""), verdict(2, BASE)], BASE))
    assert (found[STYLUS]["wins"], found[STYLUS]["ties"], found[STYLUS]["losses"]) == (8, 1, 1)
    assert found[STYLUS]["preference"]["mean"] == pytest.approx(0.5)
    assert (found[STYLUS]["higher"], found[STYLUS]["lower"]) == (1, 1)


def test_p_is_corrected_for_the_number_of_arms() -> None:
    alone = [verdict(n, STYLUS) for n in range(6)]
    several = alone + [verdict(n, BASE if n % 2 else RANDOM, other=RANDOM) for n in range(6)]
    one = against_reference(human_outcomes(alone, BASE))[STYLUS]
    two = against_reference(human_outcomes(several, BASE))[STYLUS]
    assert one["p"] == one["p_alone"] == two["p_alone"]
    assert two["p"] == 2 * one["p"]


def test_one_that_always_takes_left_is_biased_and_prefers_none(tmp_path: Path) -> None:
    made = write_run(tmp_path, better_in_one)
    pairs = different(picture_pairs(complete_set(made, made.settings)))
    given = [
        PairVerdict(
            "Ada", PREFERENCE, each.pair.id, each.pair.prompt, *each.arms, LEFT, each.repeat
        )
        for each in trials_of("Ada", pairs, 0.25)
    ]
    found = against_reference(human_outcomes(given, BASE))[STYLUS]
    assert (found["wins"], found["losses"]) == (12, 12)
    assert found["preference"]["mean"] == 0.5
    judge = judge_facts("Ada", given)
    assert (judge["left_share"], judge["biased"]) == (1.0, True)
    assert (judge["repeated"], judge["consistent"]) == (6, 0.0)


def test_a_repeat_counts_no_second_time_for_people() -> None:
    given = [verdict(0, STYLUS), verdict(0, STYLUS, repeat=True), verdict(1, BASE)]
    found = against_reference(human_outcomes(given, BASE))[STYLUS]
    assert (found["wins"], found["losses"]) == (1, 1)
    judge = judge_facts("Ada", given)
    assert (judge["repeated"], judge["consistent"], judge["biased"]) == (1, 1.0, False)


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [(STYLUS, STYLUS, STYLUS), (STYLUS, BASE, ""), (STYLUS, "", ""), ("", "", "")],
)
def test_a_model_has_to_choose_the_same_in_both_orders(
    first: str, second: str, winner: str
) -> None:
    given = [verdict(0, first), verdict(0, second, repeat=True), verdict(1, BASE)]
    (outcome,) = vlm_outcomes(given, BASE)
    assert outcome.winner == winner


@pytest.mark.parametrize(
    ("units", "alpha"),
    [
        # Four observers with missing values, as in Krippendorff's own worked example.
        ("111 2232 3333 3333 2222 1234 4444 1121 2222 555 11", 0.743),
        ("aa bb aa bb", 1.0),
        ("ab ba ab ba", -0.75),
        ("aa aa", 1.0),
    ],
)
def test_krippendorffs_alpha(units: str, alpha: float) -> None:
    found = krippendorff_alpha([list(unit) for unit in units.split()])
    assert found == pytest.approx(alpha, abs=0.0005)


def test_agreement_needs_two_judges() -> None:
    one = [verdict(n, STYLUS) for n in range(4)]
    assert agreement(human_outcomes(one, BASE)) is None
    both = one + [replace(each, judge="Grace") for each in one[:2]] + [verdict(9, BASE, "Grace")]
    found = agreement(human_outcomes(both, BASE))
    assert found is not None
    assert (found["alpha"], found["pairs"]) == (1.0, 2)


def test_the_ranking_follows_the_wins() -> None:
    pytest.importorskip("choix")
    given = [verdict(n, STYLUS if n < 7 else BASE) for n in range(10)]
    given += [verdict(n, RANDOM if n < 2 else BASE, other=RANDOM) for n in range(10)]
    found = ranking(human_outcomes(given, BASE), [BASE, STYLUS, RANDOM])
    assert found is not None
    assert [each["arm"] for each in found] == [STYLUS, BASE, RANDOM]
    assert [each["wins_against_reference"] for each in found] == pytest.approx(
        [0.7, 0.5, 0.2], abs=0.02
    )
    assert ranking([], [BASE, STYLUS]) == []
    always = ranking(human_outcomes([verdict(0, STYLUS)], BASE), [BASE, STYLUS, RANDOM])
    assert always is not None
    assert [each["arm"] for each in always] == [STYLUS, BASE]


def give(run: PictureFolder, judges: Sequence[str]) -> None:
    """Verdicts for the arm `stylus` on every pair."""
    pairs = different(picture_pairs(complete_set(run, run.settings)))
    file = VerdictFile(run.folder / HUMAN_FILE)
    for judge in judges:
        for trial in trials_of(judge, pairs, 0.1):
            choice = RIGHT if trial.reference_is_left else LEFT
            pair = trial.pair
            file.add(
                PairVerdict(
                    judge, PREFERENCE, pair.id, pair.prompt, *trial.arms, choice, trial.repeat
                )
            )


def test_the_report_has_the_verdicts_of_people(tmp_path: Path) -> None:
    run = write_run(tmp_path, better_in_one)
    hostile = "<script>alert(1)</script>"
    give(run, ["Ada", hostile])
    report = make_report(run, Metrics(), Watch())
    assert json.loads(json.dumps(report)) == report
    (found,) = report["judging"]
    assert (found["source"], found["criterion"]) == ("people", PREFERENCE)
    against = found["against_reference"][STYLUS]
    assert (against["wins"], against["prompts"], against["differs"]) == (48, 12, True)
    assert (found["agreement"]["alpha"], found["agreement"]["pairs"]) == (1.0, 24)
    assert [each["judge"] for each in found["judges"]] == [hostile, "Ada"]
    text = "\n".join(lines(report))
    assert "100.0%" in text
    assert "48/0/0" in text
    assert "48/0/0" in markdown(report)
    page = html_page(report, complete_sets(run, run.settings))
    assert "48/0/0" in page
    assert "<script" not in page


def test_verdicts_about_pictures_that_changed_do_not_count(tmp_path: Path) -> None:
    run = write_run(tmp_path, better_in_one)
    give(run, ["Ada"])
    for made in run.pictures():
        run.add_picture(replace(made, sha256="0" * 64))
    assert make_report(run, Metrics(), Watch())["judging"] == []


def test_no_verdicts_are_no_facts(tmp_path: Path) -> None:
    report = make_report(write_run(tmp_path, better_in_one), Metrics(), Watch())
    assert report["judging"] == []
    assert criterion_facts({}, [], [BASE, STYLUS])["against_reference"] == {}
