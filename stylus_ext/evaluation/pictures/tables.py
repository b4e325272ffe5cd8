"""The report as tables for the terminal, and the rows that all its forms share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stylus_ext.evaluation.pictures.arms import BASE
from stylus_ext.evaluation.pictures.judging.report import judging_lines
from stylus_ext.evaluation.pictures.metrics import LOWER


def lines(report: Mapping[str, Any]) -> Iterator[str]:
    """The report as text: one table per metric."""
    pictures, prompts = report["pictures"], report["prompts"]
    scales = ", ".join(f"{scale['cfg']:g}" for scale in report["scales"])
    yield (
        f"{pictures:,} pictures of {prompts:,} prompts at CFG scale {scales}; arms:"
        f" {', '.join(report['arms'])}."
    )
    if report["not_compared"]:
        yield (
            f"{report['not_compared']:,} pictures are missing or have no partner, and are not"
            " compared."
        )
    for arm, facts in report["plans"].items():
        if arm != BASE:
            notes = ", ".join(f"{count:,} x {code}" for code, count in facts["notes"].items())
            yield (
                f"{arm}: {facts['adapters_per_prompt']:.2f} adapters per prompt,"
                f" {facts['prompts_without_adapter']:,} prompts without one"
                f"{f'; notes: {notes}' if notes else ''}."
            )
    if not any(facts["adapters_per_prompt"] for facts in report["plans"].values()):
        yield "No arm used an adapter. Name the WebUI's folder of LoRAs with --lora-dir."
    for scale in report["scales"]:
        if len(report["scales"]) > 1:
            yield ""
            yield f"CFG scale {scale['cfg']:g}, {scale['pictures']:,} pictures"
        for metric in scale["metrics"]:
            yield ""
            yield from _metric_lines(metric, report["reference"])
    yield from judging_lines(report)
    if not_measured := left_out(report):
        yield ""
        yield "Not measured"
        for name, reason in not_measured.items():
            yield f"  {name}: {reason}"


def _metric_lines(metric: Mapping[str, Any], reference: str) -> Iterator[str]:
    better = f"; {metric['better']} is better" if metric["better"] else ""
    yield f"{metric['name']} ({metric['about']}{better})"
    width = max(map(len, (*metric["arms"], "arm")))
    yield (
        f"  {'arm':<{width}}  {'mean':>9}  {'95 % interval':>20}  {f'minus {reference}':>12}"
        f"  {'95 % interval':>20}  {'up/down/same':>14}  {'p (Holm)':>8}"
    )
    for row in rows(metric):
        arm, mean, interval, difference, of_difference, counts, p = row
        yield (
            f"  {arm:<{width}}  {mean:>9}  {interval:>20}  {difference:>12}  {of_difference:>20}"
            f"  {counts:>14}  {p:>8}"
        ).rstrip()


def rows(metric: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Arm, mean, interval, difference to the reference, its interval, counts and p."""
    for arm, found in metric["arms"].items():
        own = (arm, number(found["mean"]), _interval(found))
        against = metric["against_reference"].get(arm)
        if against is None:
            yield (*own, "", "", "", "")
            continue
        of_prompts = [str(against[key]) for key in ("higher", "lower", "equal") if key in against]
        difference = against["difference"]
        yield (
            *own,
            number(difference["mean"]),
            _interval(difference),
            "/".join(of_prompts),
            f"{against['p']:.4f}{'*' if against['differs'] else ''}",
        )


def left_out(report: Mapping[str, Any]) -> dict[str, str]:
    """The reasons of all scales by metric; a metric that one scale has is named too."""
    return {
        each["name"]: each["reason"] for scale in report["scales"] for each in scale["left_out"]
    }


def about(metric: Mapping[str, Any]) -> str:
    """What the metric is, as sentences."""
    better = f" {metric['better'].capitalize()} is better." if metric["better"] else ""
    real = f" {metric['real_pictures']:,} real pictures." if metric["of_set"] else ""
    text = metric["about"]
    return f"{text[0].upper() + text[1:]}.{better}{real}"


def extremes(
    metric: Mapping[str, Any], reference: str, arm: str, count: int
) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    """The prompts with the largest losses and gains against the reference, largest first."""
    of_arm, of_reference = (metric["values"].get(name, {}) for name in (arm, reference))
    sign = -1 if metric["better"] == LOWER else 1
    changes = sorted(
        (sign * (value - of_reference[prompt]), int(prompt))
        for prompt, value in of_arm.items()
        if prompt in of_reference
    )
    losses = [(prompt, sign * change) for change, prompt in changes[:count] if change < 0]
    gains = [(prompt, sign * change) for change, prompt in changes[::-1][:count] if change > 0]
    return losses, gains


def number(value: float) -> str:
    return f"{value:.4g}"


def _interval(found: Mapping[str, float]) -> str:
    return f"{number(found['low'])} to {number(found['high'])}"
