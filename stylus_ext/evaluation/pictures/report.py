"""The report as data: metrics with their statistics, by CFG scale."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Progress
from stylus_ext.evaluation.pictures.judging.report import judging_facts
from stylus_ext.evaluation.pictures.judging.tasks import task_metrics
from stylus_ext.evaluation.pictures.manifest import ArmPicture, ArmTexts, PictureFolder
from stylus_ext.evaluation.pictures.metrics import NamedMetric, PictureSet, SetMetric, Values
from stylus_ext.evaluation.pictures.metrics.available import Metrics
from stylus_ext.evaluation.pictures.set_statistics import compare_arms, corrected, value_of_arm
from stylus_ext.evaluation.pictures.statistics import Interval, bootstrap, compare

VERSION = 2


@dataclass(frozen=True, slots=True)
class ScaleReport:
    """What was found at one CFG scale."""

    cfg: float
    pictures: PictureSet
    metrics: Sequence[Mapping[str, Any]]
    left_out: Sequence[Mapping[str, str]]

    def to_json(self) -> dict[str, Any]:
        return {
            "cfg": self.cfg,
            "prompts": len({each.prompt for each in self.pictures.pictures}),
            "pictures": len(self.pictures.pictures),
            "metrics": list(self.metrics),
            "left_out": list(self.left_out),
        }


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


def complete_sets(
    folder: PictureFolder, settings: Mapping[str, Any]
) -> list[tuple[float, PictureSet]]:
    """The complete sets by CFG scale; scales that have none yet are left out."""
    found = []
    problem = None
    for cfg in settings["cfg"]:
        try:
            found.append((float(cfg), complete_set(folder, settings, cfg)))
        except InvalidInput as error:
            problem = error
    if problem is not None and not found:
        raise problem
    return found


def make_report(folder: PictureFolder, metrics: Metrics, progress: Progress) -> dict[str, Any]:
    settings = folder.read_settings()
    scales = [
        _at_scale(cfg, pictures, _with_tasks(metrics, folder, pictures), progress)
        for cfg, pictures in complete_sets(folder, settings)
    ]
    every = [each for scale in scales for each in scale.pictures.pictures]
    arms = list(settings["arms"])
    planned = len(arms) * len(settings["prompts"]) * len(settings["seeds"]) * len(settings["cfg"])
    return {
        "version": VERSION,
        "arms": arms,
        "reference": arms[0],
        "prompts": len({each.prompt for each in every}),
        "pictures": len(every),
        "not_compared": planned - len(every),
        "checkpoints": sorted({each.checkpoint for each in every}),
        "settings": settings,
        "plans": _plan_facts(folder.plans(), every),
        "scales": [scale.to_json() for scale in scales],
        "judging": judging_facts(folder, scales[0].pictures),
    }


def _with_tasks(metrics: Metrics, folder: PictureFolder, pictures: PictureSet) -> Metrics:
    """With the metrics that verdicts about tasks give, if there are any."""
    per_prompt = [*metrics.per_prompt, *task_metrics(folder, pictures)]
    return replace(metrics, per_prompt=per_prompt)


def _at_scale(
    cfg: float, pictures: PictureSet, metrics: Metrics, progress: Progress
) -> ScaleReport:
    measured, left_out = [], []
    for metric in metrics.per_prompt:
        if missing := metric.missing(pictures):
            left_out.append({"name": metric.name, "reason": missing})
        else:
            measured.append(_measured(metric, metric.values(pictures, progress), pictures.arms))
    for of_set in metrics.of_sets:
        if missing := of_set.missing(pictures):
            left_out.append({"name": of_set.name, "reason": missing})
        else:
            measured.append(_measured_set(of_set, pictures, progress))
    return ScaleReport(cfg, pictures, measured, left_out)


def _facts(metric: NamedMetric) -> dict[str, Any]:
    return {"name": metric.name, "about": metric.about, "better": metric.better}


def _measured(metric: NamedMetric, values: Values, arms: Sequence[str]) -> dict[str, Any]:
    reference = values.get(arms[0], {})
    others = {arm: values[arm] for arm in arms[1:] if values.get(arm)}
    against = compare(reference, others) if reference else {}
    return {
        **_facts(metric),
        "of_set": False,
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


def _measured_set(metric: SetMetric, pictures: PictureSet, progress: Progress) -> dict[str, Any]:
    prompts = sorted({each.prompt for each in pictures.pictures})
    reference, *others = pictures.arms
    values: dict[str, Interval] = {}
    comparisons = {}
    for arm in others:
        measure = metric.measure(pictures, (reference, arm), progress)
        if reference not in values:
            values[reference] = value_of_arm(measure, reference, prompts)
        comparisons[arm] = compare_arms(
            measure,
            (reference, arm),
            prompts,
            lambda done, whole: progress.report(metric.name, done, whole),
        )
        values[arm] = comparisons[arm].value
    return {
        **_facts(metric),
        "of_set": True,
        "real_pictures": metric.real_pictures,
        "arms": {arm: {**asdict(found), "prompts": len(prompts)} for arm, found in values.items()},
        "against_reference": corrected(comparisons),
        "values": {},
    }


def _plan_facts(
    plans: Mapping[tuple[str, int], ArmTexts], pictures: Sequence[ArmPicture]
) -> dict[str, dict[str, Any]]:
    """For each arm: the adapters per prompt, prompts without one, and notes by code."""
    by_arm: dict[str, list[ArmTexts]] = defaultdict(list)
    prompts = {each.prompt for each in pictures}
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


def by_prompt(pictures: Sequence[ArmPicture]) -> dict[int, dict[int, list[ArmPicture]]]:
    """The pictures by prompt and number; each has all arms in their order."""
    found: dict[int, dict[int, list[ArmPicture]]] = defaultdict(lambda: defaultdict(list))
    for each in pictures:
        found[each.prompt][each.number].append(each)
    return found
