"""One generation: the request that the host sends to the engine, and the answer that it applies.

Both are frozen dataclasses with functions to and from plain JSON. Texts that several images share
travel once: "prompts" holds the distinct texts, "images" refers to them by place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.plan import MissingFile, Outcome, Plan
from stylus_ext.core.plan import from_json as plan_from_json
from stylus_ext.core.plan import to_json as plan_to_json

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
        return {
            "outcome": self.outcome.value,
            "folders": self.folders.value,
            "index_complete": self.index_complete,
            "repeatable": self.repeatable,
        }

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
        return [(*one, *other) for one, other in zip(first, second, strict=True)]

    def distinct_prompts(self) -> int:
        """How many prompts have to be planned, at most."""
        first = zip(self.positive, self.negative, strict=True)
        return len({*first, *zip(self.hr_positive, self.hr_negative, strict=True)})

    def part(self, start: int, end: int) -> Texts:
        return Texts(
            self.positive[start:end],
            self.negative[start:end],
            self.hr_positive[start:end],
            self.hr_negative[start:end],
        )

    def __add__(self, other: Texts) -> Texts:
        return Texts(
            self.positive + other.positive,
            self.negative + other.negative,
            self.hr_positive + other.hr_positive,
            self.hr_negative + other.hr_negative,
        )


@dataclass(frozen=True, slots=True)
class ImageMask:
    """The stems that are on in the first pass of one image, and those that its mask turned off."""

    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()


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
    - `lora_dirs`: folders to read before planning, or to fetch into; `wait_for_folders` waits
      while another request reads them.
    - `description`: of the picture, planned in place of prompts that are empty.
    - `allowed_kinds`: None allows all kinds of adapters.
    - `compare`: adds the first batch once more, without adapters.
    - `downloads`: picks may be missing on disk; with `without`, fetching is over, and these keys
      did not come, for these reasons.
    - `with_plans`: the answer holds the plan of each distinct prompt.
    - `deadline_s`: for the whole answer; `planning_s` of it for planning, once folders are read.
    """

    texts: Texts
    seeds: tuple[int, ...]
    batch_size: int = 1
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    stems: tuple[str, ...] | None = None
    inventory: str | None = None
    lora_dirs: tuple[str, ...] = ()
    wait_for_folders: bool = False
    description: str = ""
    allowed_kinds: tuple[str, ...] | None = None
    corrections: Mapping[str, Any] | None = None
    compare: bool = False
    downloads: bool = False
    without: Mapping[str, str] | None = None
    with_plans: bool = False
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
    """Finished texts and one mask per image, in the order of the request; with `compared`, the
    images of one more batch follow.
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


def request_to_json(request: GenerationRequest) -> dict[str, Any]:
    """Fields at their defaults are left out."""
    prompts, images = _table(request.texts)
    data: dict[str, Any] = {
        "prompts": prompts,
        "images": images,
        "seeds": list(request.seeds),
        "batch_size": request.batch_size,
        "settings": {section: dict(values) for section, values in request.settings.items()},
    }
    given = {
        "stems": None if request.stems is None else list(request.stems),
        "inventory": request.inventory,
        "lora_dirs": list(request.lora_dirs),
        "wait_for_folders": request.wait_for_folders,
        "description": request.description,
        "allowed_kinds": None if request.allowed_kinds is None else list(request.allowed_kinds),
        "corrections": request.corrections,
        "compare": request.compare,
        "downloads": request.downloads,
        "without": _pairs(request.without),
        "with_plans": request.with_plans,
        "deadline_s": request.deadline_s,
        "planning_s": request.planning_s,
    }
    always_sent = ("stems", "lora_dirs", "without", "allowed_kinds", "deadline_s", "planning_s")
    data |= {name: value for name, value in given.items() if value or name in always_sent}
    return {name: value for name, value in data.items() if value is not None}


def request_from_json(data: Mapping[str, Any]) -> GenerationRequest:
    """From checked JSON: each field has its type."""
    without = data.get("without")
    stems, kinds = data.get("stems"), data.get("allowed_kinds")
    return GenerationRequest(
        texts=_texts(data["prompts"], data["images"]),
        seeds=tuple(data["seeds"]),
        batch_size=data.get("batch_size") or 1,
        settings=data.get("settings") or {},
        stems=None if stems is None else tuple(stems),
        inventory=data.get("inventory"),
        lora_dirs=tuple(data.get("lora_dirs") or ()),
        wait_for_folders=bool(data.get("wait_for_folders")),
        description=data.get("description") or "",
        allowed_kinds=None if kinds is None else tuple(kinds),
        corrections=data.get("corrections"),
        compare=bool(data.get("compare")),
        downloads=bool(data.get("downloads")),
        without=None if without is None else {one["key"]: one["text"] for one in without},
        with_plans=bool(data.get("with_plans")),
        deadline_s=data.get("deadline_s"),
        planning_s=data.get("planning_s"),
    )


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
    }


def answer_from_json(data: Mapping[str, Any], request: GenerationRequest) -> GenerationAnswer:
    """The engine's answer to this request; InvalidInput for anything else."""
    try:
        answer = GenerationAnswer(
            texts=_texts(data["prompts"], data["images"]),
            masks=tuple(ImageMask(tuple(one["on"]), tuple(one["off"])) for one in data["masks"]),
            adapters=tuple(UsedAdapter(**one) for one in data["adapters"]),
            missing=tuple(
                MissingFile(**{**one, "key": AdapterKey.parse(one["key"])})
                for one in data["missing"]
            ),
            notes=tuple(Note(**note) for note in data["notes"]),
            state=EngineAnswerState.from_json(data["state"]),
            compared=bool(data["compared"]),
            plans=tuple(map(plan_from_json, data["plans"])),
            elapsed_ms=float(data["elapsed_ms"]),
        )
    except (InvalidInput, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(_WRONG.format(f"{type(error).__name__}: {error}")) from error
    images = len(request.texts.positive) + (request.batch_size if answer.compared else 0)
    if {len(answer.texts.positive), len(answer.texts.negative), len(answer.masks)} != {images}:
        raise InvalidInput(_WRONG.format("it does not have one prompt per image"))
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


def _pairs(without: Mapping[str, str] | None) -> list[dict[str, str]] | None:
    if without is None:
        return None
    return [{"key": key, "text": text} for key, text in without.items()]
