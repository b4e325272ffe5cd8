"""Verdicts in the report: facts as data, and as tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stylus_ext.evaluation.pictures.judging.pairs import (
    PicturePair,
    different,
    picture_pairs,
    prompt_pairs,
)
from stylus_ext.evaluation.pictures.judging.preference import (
    criterion_facts,
    human_outcomes,
    vlm_outcomes,
)
from stylus_ext.evaluation.pictures.judging.questions import MOST_ON_A_SHEET
from stylus_ext.evaluation.pictures.judging.verdicts import (
    HUMAN_FILE,
    NONE,
    VLM_FILE,
    PairVerdict,
    VerdictFile,
)
from stylus_ext.evaluation.pictures.manifest import PictureFolder
from stylus_ext.evaluation.pictures.metrics import PictureSet

PEOPLE, MODEL = "people", "vlm"
HEADINGS = ("arm", "preferred", "95 % interval", "win/tie/lose", "prompts up/down", "p (Holm)")


def judging_facts(folder: PictureFolder, pictures: PictureSet) -> list[dict[str, Any]]:
    """One item for people, and one for each model and criterion, of those with verdicts.

    Verdicts about pictures that are no longer there do not count.
    """
    single = picture_pairs(pictures)
    every = [*single, *prompt_pairs(pictures, MOST_ON_A_SHEET)]
    people = _standing(folder, HUMAN_FILE, every)
    found = []
    if people:
        found.append(_facts(PEOPLE, people, pictures.arms))
    by_criterion: dict[tuple[str, str], list[PairVerdict]] = defaultdict(list)
    for each in _standing(folder, VLM_FILE, every):
        by_criterion[each.judge, each.criterion].append(each)
    found += [
        _facts(MODEL, verdicts, pictures.arms) for _, verdicts in sorted(by_criterion.items())
    ]
    same = len(single) - len(different(single))
    return [{**each, "same_pictures": same} for each in found]


def _standing(folder: PictureFolder, name: str, pairs: Sequence[PicturePair]) -> list[PairVerdict]:
    ids = {pair.id for pair in pairs}
    verdicts = VerdictFile(folder.folder / name).latest()
    return [each for each in verdicts if each.choice != NONE and each.pair in ids]


def _facts(source: str, verdicts: Sequence[PairVerdict], arms: Sequence[str]) -> dict[str, Any]:
    by_judge: dict[str, list[PairVerdict]] = defaultdict(list)
    for each in verdicts:
        by_judge[each.judge].append(each)
    outcomes = (human_outcomes if source == PEOPLE else vlm_outcomes)(verdicts, arms[0])
    return {
        "source": source,
        "name": PEOPLE if source == PEOPLE else verdicts[0].judge,
        "criterion": verdicts[0].criterion,
        **criterion_facts(by_judge, outcomes, arms),
    }


def title(facts: Mapping[str, Any]) -> str:
    if facts["source"] == PEOPLE:
        return f"Preference of people ({len(facts['judges'])})"
    return f"{facts['criterion'].capitalize()} by {facts['name']}"


def preference_rows(facts: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for arm, found in facts["against_reference"].items():
        preferred = found["preference"]
        yield (
            arm,
            f"{preferred['mean']:.1%}",
            f"{preferred['low']:.1%} to {preferred['high']:.1%}",
            f"{found['wins']}/{found['ties']}/{found['losses']}",
            f"{found['higher']}/{found['lower']}",
            f"{found['p']:.4f}{'*' if found['differs'] else ''}",
        )


def remarks(facts: Mapping[str, Any]) -> Iterator[str]:
    """Sentences on the judges, their agreement and the ranking."""
    for each in facts["judges"]:
        yield _judge_sentence(each)
    if facts["agreement"] is not None:
        found = facts["agreement"]
        yield (
            f"Agreement of the judges: {found['method']} {found['alpha']:.2f} over"
            f" {found['pairs']:,} pairs."
        )
    if facts["ranking"] is None:
        yield "No ranking: choix is not installed."
    elif facts["ranking"]:
        arms = (f"{each['arm']} {each['strength']:+.2f}" for each in facts["ranking"])
        yield f"Ranking (Bradley-Terry): {', '.join(arms)}."


def _judge_sentence(facts: Mapping[str, Any]) -> str:
    text = f"{facts['judge']}: {facts['verdicts']:,} verdicts"
    if facts["left_share"] is not None:
        text += f", chose left {facts['left_share']:.0%} of the time"
        if facts["biased"]:
            text += f" (position bias, p = {facts['p']:.4f})"
    if facts["consistent"] is not None:
        text += (
            f", agreed with itself on {facts['consistent']:.0%} of {facts['repeated']:,} pairs that"
            " came again with swapped sides"
        )
    return f"{text}."


def judging_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """The tables for the terminal."""
    for facts in report.get("judging", ()):
        yield ""
        yield f"{title(facts)}, against {report['reference']}"
        table = [HEADINGS, *preference_rows(facts)]
        widths = [max(len(row[column]) for row in table) for column in range(len(HEADINGS))]
        for row in table:
            first, *rest = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            yield f"  {first.strip():<{widths[0]}}  {'  '.join(rest)}"
        yield from (f"  {sentence}" for sentence in remarks(facts))
