"""An engine that plans in this process: it picks every LoRA all of whose words stand in the prompt.
Small, and real.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition, Pick, Tag, Task
from stylus_ext.core.errors import Cancelled, EngineGone, InvalidInput, Note, Unavailable
from stylus_ext.core.generation import (
    EngineAnswerState,
    FolderState,
    GenerationAnswer,
    answer_to_json,
    request_from_json,
)
from stylus_ext.core.masks import choose_masks
from stylus_ext.core.plan import Plan
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.schedules import HostSteps, pick_schedules
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.core.tags import TagInputs, write_tags
from stylus_ext.host.engine.setup_state import (
    EngineReport,
    EngineState,
    failed,
    ready,
    starting,
    stopped,
)
from stylus_ext.selection.batches import Batches, Pair, write_generation
from stylus_ext.selection.correct import Corrections, KeptPick, PickLimits, corrected

KINDS = {"oil_painting": "style", "watercolor_style": "style", "glass_skyscraper": "building"}
TRIGGERS = {"knight_armor": ("full plate",)}
NEGATIVES = {"portrait_detail": "lowres"}


class SmallEngine:
    """Ready after so many looks; its reports are the real ones."""

    def __init__(self, looks: int = 0, state: EngineState = EngineState.STOPPED) -> None:
        self.looks, self.state = looks, state
        self.started = self.set_ups = 0
        self.pid, self.epoch = 7, 1

    def report(self) -> EngineReport:
        if self.state is EngineState.FAILED:
            return failed("The engine cannot be started: its disk is full.")
        if self.state is EngineState.NOT_SET_UP:
            return EngineReport(
                EngineState.NOT_SET_UP, "The engine is not set up yet.", total_mb=830
            )
        if not self.started:
            return stopped()
        if self.looks > 0:
            return starting(self.pid)
        return ready("http://127.0.0.1:1", self.pid, "0.1.0")

    def start(self) -> None:
        self.started += 1

    def set_up(self) -> None:
        self.set_ups += 1
        self.state = EngineState.STOPPED

    def wait_ready(
        self, timeout_s: float, interrupted: Callable[[], bool], after: int = -1
    ) -> bool:
        if not self.started and self.state is EngineState.STOPPED:
            self.start()
        if self.report().state is EngineState.READY:
            return True
        if self.started and not interrupted():
            self.looks -= 1
            time.sleep(min(timeout_s, 0.001))
        return False


class SmallClient:
    """Plans with the core's own parts; `asked` has every payload."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.trouble: Exception | None = None
        self.during: Callable[[], None] | None = None
        self.notes: tuple[Note, ...] = ()
        self.state = EngineAnswerState()
        self.read: list[dict[str, Any]] = []
        self.folders_become = FolderState.READ
        self.indexed: list[list[str]] = []
        self.wanted: list[str] = []
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.states: dict[str, str] = {}

    def always(self) -> list[str]:
        return self.wanted

    def ask(
        self, method: str, path: str, payload: Any = None, timeout_s: float = 10.0
    ) -> dict[str, Any]:
        """The catalogue's part: cards by key, states, verdicts."""
        self.told.append((path, dict(payload)))
        if path == "/v1/cards":
            return {
                "cards": {
                    key: {"key": key, "name": key, "state": self.states.get(key, "auto")}
                    for key in payload["keys"]
                }
            }
        if path == "/v1/edit":
            self.states[payload["key"]] = payload["state"]
            return {"entry": {"key": payload["key"]}}
        if path == "/v1/verdict":
            return {"key": payload["key"], "times": sum(where == path for where, _ in self.told)}
        raise InvalidInput(f"This small engine has nothing at {path}.")

    def index(self, lora_dirs: Sequence[str], others: Any = None) -> str:
        self.indexed.append(list(lora_dirs))
        return "1"

    def status(self) -> dict[str, Any]:
        """Of a time before downloads."""
        return {"capabilities": {"operations": ["plan"]}}

    def begin(self, name: str, payload: Mapping[str, Any]) -> str:
        raise Unavailable("There is no such job.")

    def job(self, job_id: str) -> dict[str, Any]:
        raise Unavailable(f"There is no job {job_id}.")

    cancel = job

    def folders(self, payload: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        self.read.append(dict(payload))
        if self.trouble is not None:
            raise self.trouble
        state = replace(self.state, folders=self.folders_become)
        return {"state": state.to_json(), "notes": [], "elapsed_ms": 1.0}

    def generation(
        self, payload: Mapping[str, Any], deadline_s: float, interrupted: Callable[[], bool]
    ) -> dict[str, Any]:
        self.asked.append(dict(payload))
        if self.during is not None:
            self.during()
        if interrupted():
            raise Cancelled("It was interrupted while it was planned.")
        if self.trouble is not None:
            raise self.trouble
        return generated(payload, self.notes, self.state)


def generated(
    payload: Mapping[str, Any],
    notes: Sequence[Note] = (),
    state: EngineAnswerState = EngineAnswerState(),  # noqa: B008 - frozen
) -> dict[str, Any]:
    """Plans each distinct prompt, and writes the texts as the engine does."""
    request = request_from_json(payload)
    settings, kinds = with_values(Settings(), request.settings), request.allowed_kinds

    def planning(pair: Pair, seeds: Sequence[int]) -> Plan:
        about = {"prompt": pair[0], "negative_prompt": pair[1], "seeds": list(seeds)}
        return planned({"corrections": None, **payload, **about}, notes)

    batches = Batches(
        request.texts,
        request.batch_size,
        request.seeds,
        settings,
        None if kinds is None else frozenset(kinds),
        request.description,
        request.host_steps,
    )
    made = write_generation(batches, planning, request.compare)
    plans = made.plans if request.with_plans else ()
    return answer_to_json(
        GenerationAnswer(
            made.texts,
            made.masks,
            made.adapters(),
            made.missing(),
            made.notes,
            state,
            made.compared,
            plans,
            1.0,
            made.schedules if any(each.first or each.second for each in made.schedules) else (),
        )
    )


def planned(payload: Mapping[str, Any], notes: Sequence[Note] = ()) -> Plan:
    settings = with_values(Settings(), payload["settings"])
    prompt, negative = parse_prompt(payload["prompt"]), parse_prompt(payload["negative_prompt"])
    own = {tag.name for tag in prompt.user_tags}
    found = [
        stem
        for stem in payload["stems"]
        if stem not in own and _said(stem, prompt.text) and not _said(stem, negative.text)
    ]
    found = found[: settings.selection.max_adapters]
    tasks = {
        stem: Task(word, at, at + len(word))
        for stem in found
        for word, at in [_place(stem, prompt.text)]
    }
    tasks = {stem: task for stem, task in tasks.items()}
    picks = tuple(
        Pick(
            AdapterKey.path(stem),
            tasks[stem].start,
            stem,
            0.8,
            "its words stand there",
            KINDS.get(stem, "object"),
        )
        for stem in found
    )
    composition = Composition(
        tuple(sorted(dict.fromkeys(tasks.values()), key=lambda task: task.start)), picks
    )
    composition, said = _corrected(composition, payload, prompt.text, settings)
    notes, picks = [*notes, *said], composition.picks
    tags = {
        pick.key: Tag(
            pick.key, pick.name, True, TRIGGERS.get(pick.name, ()), NEGATIVES.get(pick.name, "")
        )
        for pick in picks
    }
    masks = choose_masks(
        composition, settings.diversity.scheme, payload["seeds"], payload["batch_size"]
    )
    sheet = TagInputs(prompt, negative, composition, tags, settings)
    written = [write_tags(sheet, mask) for mask in masks]
    notes = [*notes, *dict.fromkeys(note for one in written for note in one.notes)]
    steps = payload.get("host_steps")
    host = HostSteps(**steps) if steps else None
    schedules = tuple(pick_schedules([sheet], mask, host) for mask in masks)
    if not picks:
        notes = [
            *notes,
            Note(
                "nothing_fits",
                "No LoRA here fits, so your prompt is unchanged.",
            ),
        ]
    return Plan(
        prompt.text,
        negative.text,
        payload["seeds"][0],
        composition,
        masks,
        tuple(one.prompt for one in written),
        tuple(one.negative_prompt for one in written),
        tuple(tags.values()),
        notes=tuple(notes),
        family=settings.selection.family,
        schedules=schedules,
    )


def _corrected(
    composition: Composition, payload: Mapping[str, Any], text: str, settings: Settings
) -> tuple[Composition, list[Note]]:
    words = payload.get("corrections")
    if not words:
        return composition, []
    keys = {name: frozenset(map(AdapterKey.parse, words[name])) for name in ("reject", "swap")}
    kept = tuple(KeptPick(**{**one, "key": AdapterKey.parse(one["key"])}) for one in words["keep"])
    said = Corrections(keys["reject"], keys["swap"], kept, words["only"])
    found = {
        one.key: Pick(
            one.key, -1, one.key.value, 0.8, "you keep it", KINDS.get(one.key.value, "object")
        )
        for one in kept
    }
    return corrected(composition, said, found, (), PickLimits.of(settings.selection, 0), text), []


def gone() -> EngineGone:
    return EngineGone("The engine ended while it planned.")


def _place(stem: str, text: str) -> tuple[str, int]:
    word = stem.split("_", maxsplit=1)[0]
    found = re.search(rf"\b{word}", text.lower())
    return word, found.start() if found else 0


def _said(stem: str, text: str) -> bool:
    return re.search(rf"\b{stem.split('_', maxsplit=1)[0]}", text.lower()) is not None
