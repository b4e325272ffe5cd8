"""The report as Markdown: tables shaped as the paper's, with its figures in columns beside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from stylus_ext.evaluation.pictures import paper
from stylus_ext.evaluation.pictures.judging import report as judging
from stylus_ext.evaluation.pictures.metrics.available import CLIP_SCORE, EFFICIENTNET_FRECHET, FID
from stylus_ext.evaluation.pictures.tables import about, left_out, number, rows

_NONE = "-"
_DIVERSITY = ("dfid", "efficientnet-spread", "lpips-diversity", "efficientnet-diversity")
_HEADINGS = ("Arm", "Mean", "95 % interval", "Difference", "95 % interval", "Up/down/same", "p")


def markdown(report: Mapping[str, Any]) -> str:
    return "\n".join(_parts(report)) + "\n"


def _parts(report: Mapping[str, Any]) -> Iterator[str]:
    yield "# Stylus evaluation\n"
    yield (
        f"{report['pictures']:,} pictures of {report['prompts']:,} prompts. Checkpoint:"
        f" {_text(', '.join(report['checkpoints']))}. Intervals are of 95 %; differences are to the"
        f" arm {_text(report['reference'])}, and * marks p below 0.05.\n"
    )
    yield (
        "The paper's columns are of other pictures: SD 1.5 Realistic Vision, prompts of COCO, and"
        " of eight pictures the one with the highest CLIP.\n"
    )
    for scale in report["scales"]:
        yield f"## CFG {scale['cfg']:g}\n"
        yield from _paper_table(report, scale)
        yield from _diversity(scale)
        if any("refiner" in arm for arm in report["arms"]) and scale["cfg"] == paper.TABLE_CFG:
            yield from _refiners()
        for metric in scale["metrics"]:
            yield f"### {metric['name']}\n"
            yield f"{_text(about(metric))}\n"
            yield from _table(_HEADINGS, rows(metric))
    for facts in report["judging"]:
        yield f"## {_text(judging.title(facts))}\n"
        yield from _table(judging.HEADINGS, judging.preference_rows(facts))
        yield from (f"- {_text(sentence)}" for sentence in judging.remarks(facts))
        yield ""
    yield from _beside_the_paper(report["judging"])
    if missing := left_out(report):
        yield "## Not measured\n"
        yield from (f"- {_text(name)}: {_text(reason)}" for name, reason in missing.items())


def _paper_table(report: Mapping[str, Any], scale: Mapping[str, Any]) -> Iterator[str]:
    found = {each["name"]: each for each in scale["metrics"]}
    distance = FID if FID in found else EFFICIENTNET_FRECHET
    headings = ("Arm", "CLIP", "Paper", distance if distance != FID else "FID", "Paper's FID")

    def row(arm: str) -> Iterator[str]:
        of_paper = paper.clip_and_fid(arm, scale["cfg"])
        yield arm
        for place, name in enumerate((CLIP_SCORE, distance)):
            yield _value(found.get(name), arm)
            yield _NONE if of_paper is None else f"{of_paper[place]:.2f}"
        yield _value(found.get("seconds"), arm)
        yield _value(found.get("planning-seconds"), arm)

    more = ("Seconds a picture", "Planning seconds")
    yield from _table((*headings, *more), (tuple(row(arm)) for arm in report["arms"]))


def _value(metric: Mapping[str, Any] | None, arm: str) -> str:
    """The value with its difference to the reference arm."""
    if metric is None or arm not in metric["arms"]:
        return _NONE
    value = number(metric["arms"][arm]["mean"])
    against = metric["against_reference"].get(arm)
    if against is None:
        return value
    difference = against["difference"]["mean"]
    return f"{value} ({'+' if difference >= 0 else ''}{number(difference)}{_mark(against)})"


def _mark(against: Mapping[str, Any]) -> str:
    return "*" if against["differs"] else ""


def _diversity(scale: Mapping[str, Any]) -> Iterator[str]:
    """In how many prompts an arm is more diverse, as the paper counts dFID."""
    found = [each for each in scale["metrics"] if each["name"] in _DIVERSITY]
    if not found:
        return
    lines = []
    for metric in found:
        for arm, against in metric["against_reference"].items():
            decided = against["higher"] + against["lower"]
            share = f"{against['higher'] / decided:.0%}" if decided else _NONE
            stated = metric["name"] == "dfid" and paper.PAPER_ARMS.get(arm) == paper.STYLUS
            of_paper = f"{paper.DFID_HIGHER:.0f}%" if stated else _NONE
            lines.append((metric["name"], arm, f"{share}{_mark(against)}", of_paper))
    yield from _table(("Diversity", "Arm", "Prompts with a higher value", "Paper"), lines)


def _refiners() -> Iterator[str]:
    lines = ((name, f"{clip:.2f}", f"{fid:.2f}") for name, (clip, fid) in paper.REFINERS.items())
    yield from _table(("Paper's refiner", "CLIP", "FID"), lines)


def _beside_the_paper(judged: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The verdicts of people and models, with the paper's."""
    lines = []
    for each in judged:
        for arm, against in each["against_reference"].items():
            is_stylus = paper.PAPER_ARMS.get(arm) == paper.STYLUS
            lines.append(
                (
                    each["name"],
                    each["criterion"],
                    arm,
                    f"{against['preference']['mean']:.1%}{_mark(against)}",
                    f"{against['wins']}/{against['ties']}/{against['losses']}",
                    _paper_verdict(each) if is_stylus else _NONE,
                )
            )
    if lines:
        yield "## Preference beside the paper's\n"
        headings = ("Judge", "Criterion", "Arm", "Preferred", "Win/tie/lose", "Paper")
        yield from _table(headings, lines)


def _paper_verdict(judged: Mapping[str, Any]) -> str:
    if judged["source"] == judging.PEOPLE:
        shares = paper.HUMAN_PREFERENCE.values()
        return f"{min(shares):.1f}% to {max(shares):.1f}% preferred"
    found = paper.VLM_JUDGE.get(judged["criterion"])
    return _NONE if found is None else f"{'/'.join(map(str, found))} %"


def _table(
    headings: Sequence[str], lines: Iterator[tuple[str, ...]] | Sequence[tuple[str, ...]]
) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{'---|' * len(headings)}"
    for line in lines:
        yield f"| {' | '.join(map(_text, line))} |"
    yield ""


def _text(text: str) -> str:
    """One line without Markdown or HTML of its own."""
    for sign in "\\`|[]<":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())
