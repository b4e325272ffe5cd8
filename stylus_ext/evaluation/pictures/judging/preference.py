"""What verdicts say: preference, position bias, agreement of judges and a ranking of the arms."""

from __future__ import annotations

import importlib.util
import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stylus_ext.evaluation.head_to_head import sign_test
from stylus_ext.evaluation.pictures.judging.verdicts import LEFT, RIGHT, TIE, PairVerdict
from stylus_ext.evaluation.pictures.statistics import ALPHA, bootstrap, holm

_EVEN = 0.5
_BOTH = 2
_PRIOR = 0.01
"""Keeps the strength of an arm finite that always wins."""


@dataclass(frozen=True, slots=True)
class PairOutcome:
    """The verdict of one judge about one pair; an empty `winner` is a tie."""

    judge: str
    pair: str
    prompt: int
    arms: tuple[str, str]
    winner: str

    @property
    def points(self) -> float:
        """Of the other arm, against the reference arm: 1, 0, or a half for a tie."""
        return float(self.winner == self.arms[1]) if self.winner else _EVEN


def human_outcomes(verdicts: Iterable[PairVerdict], reference: str) -> list[PairOutcome]:
    """A person's repeats measure their consistency and count no second time."""
    return [_outcome(each, each.winner, reference) for each in verdicts if not each.repeat]


def vlm_outcomes(verdicts: Iterable[PairVerdict], reference: str) -> list[PairOutcome]:
    """Both orders together: they have to agree, else it is a tie."""
    return [
        _outcome(first, first.winner if first.winner == second.winner else "", reference)
        for first, second in both_orders(verdicts)
    ]


def both_orders(verdicts: Iterable[PairVerdict]) -> list[tuple[PairVerdict, PairVerdict]]:
    """The pairs of pictures that a judge saw in both orders."""
    found: dict[Hashable, list[PairVerdict]] = defaultdict(list)
    for each in verdicts:
        found[each.judge, each.criterion, each.pair].append(each)
    ordered = (sorted(group, key=lambda each: each.repeat) for group in found.values())
    return [(group[0], group[1]) for group in ordered if len(group) == _BOTH]


def _outcome(verdict: PairVerdict, winner: str, reference: str) -> PairOutcome:
    other = verdict.right if verdict.left == reference else verdict.left
    return PairOutcome(verdict.judge, verdict.pair, verdict.prompt, (reference, other), winner)


def judge_facts(judge: str, verdicts: Sequence[PairVerdict]) -> dict[str, Any]:
    """How often this judge chose the left side, and the same picture after the sides changed.

    The sides are drawn at random in equal numbers, so a judge without bias takes either one about
    equally often.
    """
    count = Counter(each.choice for each in verdicts)
    p = sign_test(count[LEFT], count[RIGHT])
    repeated = both_orders(verdicts)
    same = sum(first.winner == second.winner for first, second in repeated)
    decided = count[LEFT] + count[RIGHT]
    return {
        "judge": judge,
        "verdicts": len(verdicts),
        "left": count[LEFT],
        "right": count[RIGHT],
        "ties": count[TIE],
        "left_share": count[LEFT] / decided if decided else None,
        "p": p,
        "biased": p < ALPHA,
        "repeated": len(repeated),
        "consistent": same / len(repeated) if repeated else None,
    }


def against_reference(outcomes: Iterable[PairOutcome]) -> dict[str, dict[str, Any]]:
    """By arm: wins, ties and losses, and the preference over the reference arm.

    The preference is the mean over prompts of the share of wins, with half of the ties.
    """
    by_arm: dict[str, list[PairOutcome]] = defaultdict(list)
    for each in outcomes:
        by_arm[each.arms[1]].append(each)
    shares = {arm: _share_by_prompt(found) for arm, found in by_arm.items()}
    better = {
        arm: (sum(each > _EVEN for each in found), sum(each < _EVEN for each in found))
        for arm, found in shares.items()
    }
    alone = [sign_test(*better[arm]) for arm in by_arm]
    return {
        arm: {
            "wins": sum(each.points > _EVEN for each in by_arm[arm]),
            "ties": sum(each.points == _EVEN for each in by_arm[arm]),
            "losses": sum(each.points < _EVEN for each in by_arm[arm]),
            "prompts": len(shares[arm]),
            "preference": asdict(bootstrap(shares[arm])),
            "higher": better[arm][0],
            "lower": better[arm][1],
            "p_alone": p_alone,
            "p": p,
            "differs": p < ALPHA,
        }
        for arm, p_alone, p in zip(by_arm, alone, holm(alone), strict=True)
    }


def _share_by_prompt(outcomes: Iterable[PairOutcome]) -> list[float]:
    points: dict[int, list[float]] = defaultdict(list)
    for each in outcomes:
        points[each.prompt].append(each.points)
    return [sum(found) / len(found) for _, found in sorted(points.items())]


def agreement(outcomes: Iterable[PairOutcome]) -> dict[str, Any] | None:
    """Krippendorff's alpha of the judges; None without pairs that two of them judged."""
    by_pair: dict[str, list[str]] = defaultdict(list)
    for each in outcomes:
        by_pair[each.pair].append(each.winner)
    shared = [found for found in by_pair.values() if len(found) >= _BOTH]
    if not shared:
        return None
    return {
        "method": "Krippendorff's alpha (nominal)",
        "alpha": krippendorff_alpha(shared),
        "pairs": len(shared),
    }


def krippendorff_alpha(units: Iterable[Sequence[str]]) -> float:
    """Agreement about nominal values of units, of which each has two or more: 1 is perfect, 0 is
    chance.
    """
    seen: Counter[str] = Counter()
    disagreement, total = 0.0, 0
    for values in units:
        counts = Counter(values)
        same = sum(count * count for count in counts.values())
        disagreement += (len(values) ** 2 - same) / (len(values) - 1)
        seen.update(counts)
        total += len(values)
    expected = (total**2 - sum(count * count for count in seen.values())) / (total - 1)
    return 1.0 - disagreement / expected if expected else 1.0


def ranking(outcomes: Iterable[PairOutcome], arms: Sequence[str]) -> list[dict[str, Any]] | None:
    """The arms by their Bradley-Terry strength, best first; None if choix is not installed.

    `wins_against_reference` is the chance that the model gives an arm against the first one.
    """
    if importlib.util.find_spec("choix") is None:
        return None
    import choix

    place = {arm: number for number, arm in enumerate(arms)}
    wins = np.zeros((len(arms), len(arms)))
    for each in outcomes:
        reference, other = (place[arm] for arm in each.arms)
        wins[other, reference] += each.points
        wins[reference, other] += 1 - each.points
    judged = [number for number in range(len(arms)) if wins[number].any() or wins[:, number].any()]
    if len(judged) < _BOTH:
        return []
    strengths = choix.ilsr_pairwise_dense(wins[np.ix_(judged, judged)], alpha=_PRIOR)
    own = strengths[judged.index(0)]
    found = [
        {
            "arm": arms[number],
            "strength": float(strength),
            "wins_against_reference": 1 / (1 + math.exp(own - strength)),
        }
        for number, strength in zip(judged, strengths, strict=True)
    ]
    return sorted(found, key=lambda each: -float(each["strength"]))


def criterion_facts(
    verdicts: Mapping[str, Sequence[PairVerdict]],
    outcomes: Sequence[PairOutcome],
    arms: Sequence[str],
) -> dict[str, Any]:
    """All that the verdicts about one criterion say; `verdicts` are by judge."""
    return {
        "judges": [judge_facts(judge, found) for judge, found in sorted(verdicts.items())],
        "against_reference": against_reference(outcomes),
        "agreement": agreement(outcomes),
        "ranking": ranking(outcomes, arms),
    }
