"""One generation: the request that the host sends to the engine, and the answer that it applies.

Both are frozen dataclasses with functions to and from plain JSON. Texts that several images share
travel once: "prompts" holds the distinct texts, "images" refers to them by place.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, fields
from enum import Enum
from typing import Any

from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.plan import MissingFile, Outcome, Plan, with_parsed_key
from stylus_ext.core.plan import from_json as plan_from_json
from stylus_ext.core.plan import to_json as plan_to_json
from stylus_ext.core.schedules import HostSteps, Schedule, schedule_from_json

_WRONG = "The engine's answer cannot be read ({}). Restart the WebUI fully."


class FolderState(str, Enum):
    """What became of the LoRA folders that a request names."""

    NONE = "none"
    READ = "read"
    BUSY = "busy"
    """Another request or job was changing the catalogue."""
    LATE = "late"
    """The deadline passed before the folders were read to their end."""


@dataclass(frozen=True, slots=True)
class EngineAnswerState:
    """The state that a program may act on; notes are for people.

    `repeatable`: the same request would be answered the same way.
    """

    outcome: Outcome = Outcome.DONE
    folders: FolderState = FolderState.NONE
    index_complete: bool = True
    repeatable: bool = True

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"outcome": self.outcome.value, "folders": self.folders.value}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> EngineAnswerState:
        return EngineAnswerState(
            Outcome(data["outcome"]),
            FolderState(data["folders"]),
            bool(data["index_complete"]),
            bool(data["repeatable"]),
        )


@dataclass(frozen=True, slots=True)
class Texts:
    """One text per image; the hires lists are empty without a second pass."""

    positive: tuple[str, ...]
    negative: tuple[str, ...]
    hr_positive: tuple[str, ...] = ()
    hr_negative: tuple[str, ...] = ()

    def rows(self) -> list[tuple[str, ...]]:
        """The texts of each image: two, or four with a second pass."""
        first = zip(self.positive, self.negative, strict=True)
        if not self.hr_positive:
            return list(first)
        second = zip(self.hr_positive, self.hr_negative, strict=True)
        return [(*base, *hires) for base, hires in zip(first, second, strict=True)]

    def distinct_prompts(self) -> int:
        """How many prompts have to be planned, at most."""
        first = zip(self.positive, self.negative, strict=True)
        return len({*first, *zip(self.hr_positive, self.hr_negative, strict=True)})

    def part(self, start: int, end: int) -> Texts:
        return Texts(*(texts[start:end] for texts in astuple(self)))

    def __add__(self, other: Texts) -> Texts:
        return Texts(*map(operator.add, astuple(self), astuple(other)))


@dataclass(frozen=True, slots=True)
class ImageMask:
    """The stems that are on in the first pass of one image, and those that its mask turned off."""

    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageSchedules:
    """The schedules of the LoRAs of one image by stem, for each pass."""

    first: Mapping[str, Schedule] = field(default_factory=dict)
    second: Mapping[str, Schedule] = field(default_factory=dict)

    def to_json(self) -> dict[str, dict[str, list[list[float]]]]:
        return {
            name: {stem: [list(point) for point in points] for stem, points in each.items()}
            for name, each in (("first", self.first), ("second", self.second))
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> ImageSchedules:
        first, second = (
            {str(stem): schedule_from_json(points) for stem, points in data[name].items()}
            for name in ("first", "second")
        )
        return ImageSchedules(first, second)


@dataclass(frozen=True, slots=True)
class UsedAdapter:
    """An adapter that was picked for at least one image."""

    stem: str
    key: str
    name: str
    on_disk: bool = True


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """Everything that the host knows about a generation. `seeds` has one for each image.

    - `settings`: the panel's and the settings page's values, the family among them.
    - `stems`: what the host lists; None stands for all of `inventory`, or for all on disk.
    - `embeddings`, `hypernetworks`: what the host has loaded; None are none, if `stems` is a list.
    - `lora_dirs`, `embedding_dirs`, `hypernetwork_dirs`: folders to read before planning, or to
      fetch into; `wait_for_folders` waits while another request reads them.
    - `description`: of the picture, planned in place of prompts that are empty.
    - `allowed_kinds`: None allows all kinds of adapters.
    - `compare`: adds the first batch once more, without adapters.
    - `downloads`: picks may be missing on disk; with `without`, fetching is over, and these keys
      did not come, for these reasons.
    - `with_plans`: the answer holds the plan of each distinct prompt.
    - `host_steps`: what the host can do with schedules; None stands for nothing.
    - `deadline_s`: for the whole answer; `planning_s` of it for planning, once folders are read.
    """

    texts: Texts
    seeds: tuple[int, ...]
    batch_size: int = 1
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    stems: tuple[str, ...] | None = None
    embeddings: tuple[str, ...] | None = None
    hypernetworks: tuple[str, ...] | None = None
    inventory: str | None = None
    lora_dirs: tuple[str, ...] = ()
    embedding_dirs: tuple[str, ...] = ()
    hypernetwork_dirs: tuple[str, ...] = ()
    wait_for_folders: bool = False
    description: str = ""
    allowed_kinds: tuple[str, ...] | None = None
    corrections: Mapping[str, Any] | None = None
    compare: bool = False
    downloads: bool = False
    without: Mapping[str, str] | None = None
    with_plans: bool = False
    host_steps: HostSteps | None = None
    deadline_s: float | None = None
    planning_s: float | None = None

    def __post_init__(self) -> None:
        count = len(self.texts.positive)
        if not count or len(self.texts.negative) != count or len(self.seeds) != count:
            raise InvalidInput("A generation has a prompt, a negative prompt and a seed per image.")
        if {len(self.texts.hr_positive), len(self.texts.hr_negative)} - {0, count}:
            raise InvalidInput("A second pass has a prompt and a negative prompt per image.")
        if self.batch_size < 1:
            raise InvalidInput(f"A batch has at least one image, not {self.batch_size}.")


@dataclass(frozen=True, slots=True)
class GenerationAnswer:
    """Texts, masks and schedules by image; with `compared`, those of one more batch follow.

    Without any schedule there are none.
    """

    texts: Texts
    masks: tuple[ImageMask, ...]
    adapters: tuple[UsedAdapter, ...] = ()
    missing: tuple[MissingFile, ...] = ()
    notes: tuple[Note, ...] = ()
    state: EngineAnswerState = field(default_factory=EngineAnswerState)
    compared: bool = False
    plans: tuple[Plan, ...] = ()
    elapsed_ms: float = 0.0
    schedules: tuple[ImageSchedules, ...] = ()


def unchanged_answer(
    request: GenerationRequest, outcome: Outcome, note: Note, elapsed_ms: float = 0.0
) -> GenerationAnswer:
    """The answer that leaves every prompt as it was."""
    return GenerationAnswer(
        request.texts,
        (ImageMask(),) * len(request.texts.positive),
        notes=(note,),
        state=EngineAnswerState(outcome, repeatable=False),
        elapsed_ms=elapsed_ms,
    )


_COLUMNS = ("prompt", "negative_prompt", "hires_prompt", "hires_negative_prompt")


_ALWAYS_SENT = ("seeds", "batch_size", "settings", "lora_dirs")


def request_to_json(request: GenerationRequest) -> dict[str, Any]:
    """Fields at their defaults are left out."""
    prompts, images = _table(request.texts)
    data: dict[str, Any] = {"prompts": prompts, "images": images}
    for item in fields(request):
        value = getattr(request, item.name)
        if item.name in _ALWAYS_SENT or (item.name != "texts" and value != item.default):
            data[item.name] = list(value) if isinstance(value, tuple) else value
    if request.without is not None:
        data["without"] = [{"key": key, "text": text} for key, text in request.without.items()]
    if request.host_steps is not None:
        data["host_steps"] = asdict(request.host_steps)
    data["settings"] = {section: dict(values) for section, values in request.settings.items()}
    return data


def request_from_json(data: Mapping[str, Any]) -> GenerationRequest:
    """From checked JSON: each field has its type."""
    names = {item.name for item in fields(GenerationRequest)}
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in data.items()
        if name in names and value is not None
    }
    if "without" in given:
        given["without"] = {reason["key"]: reason["text"] for reason in given["without"]}
    if "host_steps" in given:
        given["host_steps"] = HostSteps(**given["host_steps"])
    return GenerationRequest(texts=_texts(data["prompts"], data["images"]), **given)


def answer_to_json(answer: GenerationAnswer) -> dict[str, Any]:
    prompts, images = _table(answer.texts)
    return {
        "prompts": prompts,
        "images": images,
        "masks": [{"on": list(mask.on), "off": list(mask.off)} for mask in answer.masks],
        "adapters": [asdict(adapter) for adapter in answer.adapters],
        "missing": [{**asdict(file), "key": str(file.key)} for file in answer.missing],
        "notes": [asdict(note) for note in answer.notes],
        "state": answer.state.to_json(),
        "compared": answer.compared,
        "plans": [plan_to_json(plan) for plan in answer.plans],
        "elapsed_ms": answer.elapsed_ms,
        "schedules": [schedules.to_json() for schedules in answer.schedules],
    }


def answer_from_json(data: Mapping[str, Any], request: GenerationRequest) -> GenerationAnswer:
    """The engine's answer to this request; InvalidInput for anything else."""
    try:
        answer = GenerationAnswer(
            texts=_texts(data["prompts"], data["images"]),
            masks=tuple(ImageMask(tuple(mask["on"]), tuple(mask["off"])) for mask in data["masks"]),
            adapters=tuple(UsedAdapter(**adapter) for adapter in data["adapters"]),
            missing=tuple(MissingFile(**with_parsed_key(file)) for file in data["missing"]),
            notes=tuple(Note(**note) for note in data["notes"]),
            state=EngineAnswerState.from_json(data["state"]),
            compared=bool(data["compared"]),
            plans=tuple(map(plan_from_json, data["plans"])),
            elapsed_ms=float(data["elapsed_ms"]),
            schedules=tuple(map(ImageSchedules.from_json, data.get("schedules", ()))),
        )
    except (InvalidInput, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(_WRONG.format(f"{type(error).__name__}: {error}")) from error
    images = len(request.texts.positive) + (request.batch_size if answer.compared else 0)
    if {len(answer.texts.positive), len(answer.texts.negative), len(answer.masks)} != {images}:
        raise InvalidInput(_WRONG.format("it does not have one prompt per image"))
    if len(answer.schedules) not in (0, images):
        raise InvalidInput(_WRONG.format("it does not have the schedules of each image"))
    if bool(answer.texts.hr_positive) != bool(request.texts.hr_positive):
        raise InvalidInput(_WRONG.format("it does not have the texts of the second pass"))
    if answer.missing and (not request.downloads or request.without is not None):
        raise InvalidInput(_WRONG.format("it has LoRAs that are not on disk"))
    return answer


def joined(names: Sequence[str]) -> str:
    """Names as a sentence lists them: "a", "a and b", "a, b and c"."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _table(texts: Texts) -> tuple[list[dict[str, str]], list[int]]:
    rows = texts.rows()
    places = {row: place for place, row in enumerate(dict.fromkeys(rows))}
    return [dict(zip(_COLUMNS, row, strict=False)) for row in places], [places[row] for row in rows]


def _texts(prompts: Sequence[Mapping[str, Any]], images: Sequence[int]) -> Texts:
    if not all(0 <= place < len(prompts) for place in images):
        raise InvalidInput("'images' must refer to the texts in 'prompts' by their places.")
    rows = [prompts[place] for place in images]
    lists = [tuple(row.get(name) for row in rows) for name in _COLUMNS]
    if not any(text is not None for texts in lists[2:] for text in texts):
        lists[2:] = [(), ()]
    if not all(isinstance(text, str) for texts in lists for text in texts):
        raise InvalidInput("Each of 'prompts' has a prompt and a negative prompt for each pass.")
    return Texts(*lists)  # type: ignore[arg-type]
