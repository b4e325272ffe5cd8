"""The report: metrics with their statistics, as data and as tables for the terminal."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Progress
from stylus_ext.evaluation.pictures.arms import BASE
from stylus_ext.evaluation.pictures.manifest import ArmPicture, ArmTexts, PictureFolder
from stylus_ext.evaluation.pictures.metrics import Metric, PictureSet, Values
from stylus_ext.evaluation.pictures.statistics import bootstrap, compare

VERSION = 1


def complete_set(
    folder: PictureFolder, settings: Mapping[str, Any], cfg: float | None = None
) -> PictureSet:
    """The pictures at one CFG scale whose prompt and seed every arm has.

    Without `cfg` it is the first scale of the run.
    """
    arms, scale = list(settings["arms"]), settings["cfg"][0] if cfg is None else cfg
    made = [each for each in folder.pictures() if each.arm in arms and each.cfg == scale]
    count: Counter[tuple[int, int]] = Counter((each.prompt, each.number) for each in made)
    complete = [each for each in made if count[each.prompt, each.number] == len(arms)]
    if not complete:
        raise InvalidInput(f"{folder.folder} has no prompt yet with a picture in every arm.")
    complete.sort(key=lambda each: (each.prompt, each.number, arms.index(each.arm)))
    prompts = [text for text, _ in settings["prompts"]]
    return PictureSet(folder.folder, complete, arms, prompts)


def make_report(
    folder: PictureFolder, metrics: Sequence[Metric], progress: Progress
) -> dict[str, Any]:
    settings = folder.read_settings()
    pictures = complete_set(folder, settings)
    measured, left_out = [], []
    for metric in metrics:
        if missing := metric.missing(pictures):
            left_out.append({"name": metric.name, "reason": missing})
        else:
            measured.append(_measured(metric, metric.values(pictures, progress), pictures.arms))
    planned = len(pictures.arms) * len(settings["prompts"]) * len(settings["seeds"])
    return {
        "version": VERSION,
        "arms": list(pictures.arms),
        "reference": pictures.arms[0],
        "cfg": settings["cfg"][0],
        "prompts": len({each.prompt for each in pictures.pictures}),
        "pictures": len(pictures.pictures),
        "not_compared": planned - len(pictures.pictures),
        "checkpoints": sorted({each.checkpoint for each in pictures.pictures}),
        "settings": settings,
        "plans": _plan_facts(folder.plans(), pictures),
        "metrics": measured,
        "left_out": left_out,
    }


def _measured(metric: Metric, values: Values, arms: Sequence[str]) -> dict[str, Any]:
    reference = values.get(arms[0], {})
    others = {arm: values[arm] for arm in arms[1:] if values.get(arm)}
    against = compare(reference, others) if reference else {}
    return {
        "name": metric.name,
        "about": metric.about,
        "better": metric.better,
        "arms": {
            arm: {
                **asdict(bootstrap([values[arm][prompt] for prompt in sorted(values[arm])])),
                "prompts": len(values[arm]),
            }
            for arm in arms
            if values.get(arm)
        },
        "against_reference": {arm: each.to_json() for arm, each in against.items()},
        "values": {
            arm: {str(prompt): round(value, 6) for prompt, value in sorted(found.items())}
            for arm, found in values.items()
        },
    }


def _plan_facts(
    plans: Mapping[tuple[str, int], ArmTexts], pictures: PictureSet
) -> dict[str, dict[str, Any]]:
    """For each arm: the adapters per prompt, prompts without one, and notes by code."""
    by_arm: dict[str, list[ArmTexts]] = defaultdict(list)
    prompts = {each.prompt for each in pictures.pictures}
    for (arm, prompt), texts in sorted(plans.items()):
        if prompt in prompts:
            by_arm[arm].append(texts)
    return {
        arm: {
            "adapters_per_prompt": sum(len(each.adapters) for each in found) / len(found),
            "prompts_without_adapter": sum(not each.adapters for each in found),
            "notes": dict(Counter(code for each in found for code in each.notes)),
        }
        for arm, found in by_arm.items()
    }


def lines(report: Mapping[str, Any]) -> Iterator[str]:
    """The report as text: one table per metric."""
    pictures, prompts = report["pictures"], report["prompts"]
    yield (
        f"{pictures:,} pictures of {prompts:,} prompts at CFG scale {report['cfg']:g}; arms:"
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
    for metric in report["metrics"]:
        yield ""
        yield from _metric_lines(metric, report["reference"])
    if report["left_out"]:
        yield ""
        yield "Not measured"
        for each in report["left_out"]:
            yield f"  {each['name']}: {each['reason']}"


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
        counts = f"{against['higher']}/{against['lower']}/{against['equal']}"
        difference = against["difference"]
        yield (
            *own,
            number(difference["mean"]),
            _interval(difference),
            counts,
            f"{against['p']:.4f}{'*' if against['differs'] else ''}",
        )


def number(value: float) -> str:
    return f"{value:.4g}"


def _interval(found: Mapping[str, float]) -> str:
    return f"{number(found['low'])} to {number(found['high'])}"


def by_prompt(pictures: Sequence[ArmPicture]) -> dict[int, dict[int, list[ArmPicture]]]:
    """The pictures by prompt and number; each has all arms in their order."""
    found: dict[int, dict[int, list[ArmPicture]]] = defaultdict(lambda: defaultdict(list))
    for each in pictures:
        found[each.prompt][each.number].append(each)
    return found
