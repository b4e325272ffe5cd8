"""The plan: everything decided for one prompt, convertible to JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from stylus_ext.core.adapter_type import LORA
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition, Mask, NearMiss, Pick, Tag, Task
from stylus_ext.core.errors import InvalidInput, Note, reason_of
from stylus_ext.core.schedules import Schedule, schedule_from_json

JSON_VERSION = 2
_READABLE = (1, JSON_VERSION)  # in version 1, `user_weight` was called `said`


class Outcome(str, Enum):
    """Whether planning came to its end; "late" and "failed" leave the prompt as it was."""

    DONE = "done"
    LATE = "late"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class MissingFile:
    """A file that a pick needs and that is not on disk."""

    key: AdapterKey
    name: str
    file: str
    size: int
    sha256: str | None = None
    type: str = LORA


@dataclass(frozen=True, slots=True)
class Plan:
    """`prompts`, `negative_prompts` and `masks` have one item per batch, and so have `schedules`,
    unless no pick of any batch has one.
    """

    prompt: str
    negative_prompt: str
    seed: int
    composition: Composition
    masks: tuple[Mask, ...]
    prompts: tuple[str, ...]
    negative_prompts: tuple[str, ...]
    tags: tuple[Tag, ...] = ()
    missing: tuple[MissingFile, ...] = ()
    notes: tuple[Note, ...] = ()
    family: str = ""
    confidence: float = 0.0
    catalogue: str = ""
    outcome: Outcome = Outcome.DONE
    repeatable: bool = True
    """Planning the same again gives the same; not so after a fallback, such as without encoder."""
    schedules: tuple[Mapping[AdapterKey, Schedule], ...] = ()


def unchanged(
    prompt: str, negative: str, seed: int, batches: int, note: Note, outcome: Outcome
) -> Plan:
    """Return a plan that changes nothing, with a note that says why."""
    return Plan(
        prompt,
        negative,
        seed,
        Composition(),
        (Mask(frozenset()),) * batches,
        (prompt,) * batches,
        (negative,) * batches,
        notes=(note,),
        outcome=outcome,
        repeatable=False,
    )


def to_json(plan: Plan) -> dict[str, Any]:
    tags = {tag.key: tag for tag in plan.tags}
    composition = plan.composition
    return {
        "version": JSON_VERSION,
        "prompt": plan.prompt,
        "negative_prompt": plan.negative_prompt,
        "seed": plan.seed,
        "family": plan.family,
        "confidence": round(plan.confidence, 4),
        "catalogue": plan.catalogue,
        "tasks": [
            {**asdict(task), "picks": [str(pick.key) for pick in composition.of_task(task.start)]}
            for task in composition.tasks
        ],
        "picks": [_pick_json(pick, tags.get(pick.key)) for pick in composition.picks],
        "alternatives": [_pick_json(pick, tags.get(pick.key)) for pick in composition.alternatives],
        "near_misses": [{**asdict(miss), "key": str(miss.key)} for miss in composition.near_misses],
        "masks": [
            [str(pick.key) for pick in composition.all_picks if pick.key in mask.on]
            for mask in plan.masks
        ],
        "weight_factors": [mask.weight_factor for mask in plan.masks],
        "schedules": [
            {str(key): [list(point) for point in schedule] for key, schedule in batch.items()}
            for batch in plan.schedules
        ],
        "prompts": list(plan.prompts),
        "negative_prompts": list(plan.negative_prompts),
        "missing": [{**asdict(file), "key": str(file.key)} for file in plan.missing],
        "notes": [asdict(note) for note in plan.notes],
        "outcome": plan.outcome.value,
        "repeatable": plan.repeatable,
    }


def from_json(data: Mapping[str, Any]) -> Plan:
    if data.get("version") not in _READABLE:
        raise InvalidInput(
            f"This plan has version {data.get('version')!r}; this Stylus reads version"
            f" {JSON_VERSION}."
        )
    try:
        return _read(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(
            f"This is not a plan: {type(error).__name__} at {reason_of(error)}."
        ) from error


def _read(data: Mapping[str, Any]) -> Plan:
    tasks = tuple(
        Task(**{name: value for name, value in task.items() if name != "picks"})
        for task in data["tasks"]
    )
    alternatives = data.get("alternatives", ())
    factors = data.get("weight_factors") or [1.0] * len(data["masks"])
    return Plan(
        prompt=str(data["prompt"]),
        negative_prompt=str(data["negative_prompt"]),
        seed=int(data["seed"]),
        composition=Composition(
            tasks,
            tuple(_pick(pick) for pick in data["picks"]),
            tuple(NearMiss(**with_parsed_key(miss)) for miss in data["near_misses"]),
            alternatives=tuple(map(_pick, alternatives)),
        ),
        masks=tuple(
            Mask(frozenset(map(AdapterKey.parse, mask)), float(factor))
            for mask, factor in zip(data["masks"], factors, strict=True)
        ),
        prompts=tuple(map(str, data["prompts"])),
        negative_prompts=tuple(map(str, data["negative_prompts"])),
        tags=tuple(
            _tag(pick) for pick in (*data["picks"], *alternatives) if pick["stem"] is not None
        ),
        missing=tuple(MissingFile(**with_parsed_key(file)) for file in data["missing"]),
        notes=tuple(Note(**note) for note in data["notes"]),
        family=str(data["family"]),
        confidence=float(data["confidence"]),
        catalogue=str(data["catalogue"]),
        outcome=Outcome(data.get("outcome", Outcome.DONE)),
        repeatable=bool(data.get("repeatable", True)),
        schedules=tuple(
            {AdapterKey.parse(key): schedule_from_json(points) for key, points in batch.items()}
            for batch in data.get("schedules", ())
        ),
    )


_TAG_FIELDS = ("stem", "on_disk", "triggers", "negative_text")


def _pick_json(pick: Pick, tag: Tag | None) -> dict[str, Any]:
    shown = {**asdict(pick), "key": str(pick.key), "score": round(pick.score, 4)}
    if tag is None:
        return {**shown, **dict.fromkeys(_TAG_FIELDS)}
    return {**shown, **asdict(tag), "key": shown["key"], "triggers": list(tag.triggers)}


def _pick(data: Mapping[str, Any]) -> Pick:
    fields = {name: value for name, value in data.items() if name not in _TAG_FIELDS}
    if "said" in fields:
        fields["user_weight"] = fields.pop("said")
    return Pick(**with_parsed_key(fields))


def _tag(data: Mapping[str, Any]) -> Tag:
    stem, text = str(data["stem"]), str(data["negative_text"])
    key, triggers = AdapterKey.parse(data["key"]), tuple(data["triggers"])
    return Tag(key, stem, bool(data["on_disk"]), triggers, text)


def with_parsed_key(data: Mapping[str, Any]) -> dict[str, Any]:
    return {**data, "key": AdapterKey.parse(data["key"])}
