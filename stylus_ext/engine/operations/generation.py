"""Answers one generation: plans its distinct prompts, and writes the texts of all images."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stylus_ext.core.errors import Note
from stylus_ext.core.generation import (
    GenerationAnswer,
    GenerationRequest,
    answer_to_json,
    request_from_json,
    unchanged_answer,
)
from stylus_ext.core.plan import Outcome, Plan, unchanged
from stylus_ext.core.ports import Progress
from stylus_ext.core.settings import Settings
from stylus_ext.engine.operations.downloads import fetch_policy, note_use
from stylus_ext.engine.operations.folders import read_folders
from stylus_ext.engine.operations.plan import (
    corrections_of,
    late_note,
    named_by_user,
    plan_settings,
    reach_on_disk,
    state_of,
)
from stylus_ext.engine.requests import GenerationInput
from stylus_ext.selection.batches import Batches, Pair, write_generation
from stylus_ext.selection.plan import Deadline, PlanRequest

if TYPE_CHECKING:
    from stylus_ext.engine.stylus import Stylus

_MOST_FOR_PLANNING_S = 20.0


def generation(stylus: Stylus, payload: GenerationInput, progress: Progress) -> dict[str, Any]:
    request = request_from_json(payload.model_dump())
    return answer_to_json(_answer(stylus, request, payload, progress))


def late_generation(payload: GenerationInput) -> dict[str, Any]:
    """The answer when the deadline passes before there is one: every prompt as it was."""
    request = request_from_json(payload.model_dump())
    deadline_s = request.deadline_s or 0.0
    note = late_note(deadline_s)
    answer = unchanged_answer(request, Outcome.LATE, note, round(deadline_s * 1000, 1))
    if request.with_plans:
        distinct = _batches(request, Settings()).distinct().items()
        seed = request.seeds[0]
        plans = [unchanged(*pair, seed, len(rest), note, Outcome.LATE) for pair, rest in distinct]
        answer = replace(answer, plans=tuple(plans))
    return answer_to_json(answer)


def _answer(
    stylus: Stylus, request: GenerationRequest, payload: GenerationInput, progress: Progress
) -> GenerationAnswer:
    started = time.perf_counter()
    whole = Deadline(request.deadline_s)
    reading = Deadline(_for_reading(whole.left()))
    catalogue = stylus.catalogue
    read = read_folders(catalogue, request.lora_dirs, progress, reading, request.wait_for_folders)
    deadline = Deadline(_shorter(request.planning_s, whole.left()))
    policy, notes = fetch_policy(stylus.downloads, payload)
    settings = plan_settings(stylus.settings, request.settings)
    on_disk = reach_on_disk(catalogue, payload, empty=policy is not None)
    corrections = corrections_of(payload.corrections)

    def plan(pair: Pair, seeds: Sequence[int]) -> Plan:
        return stylus.planner.plan(
            PlanRequest(
                prompt=pair[0],
                negative_prompt=pair[1],
                seeds=tuple(seeds),
                batch_size=request.batch_size,
                settings=settings,
                on_disk=on_disk,
                reach=policy,
                corrections=corrections,
            ),
            deadline,
        )

    made = write_generation(_batches(request, settings), plan, request.compare)
    used = [tag.key for each in made.plans for tag in each.tags if tag.on_disk]
    prompts = [request.description or each.prompt for each in made.plans]
    named = [key for prompt in prompts for key in named_by_user(catalogue, prompt)]
    note_use(catalogue, stylus.downloads, [*used, *named])
    return GenerationAnswer(
        made.texts,
        made.masks,
        made.adapters(),
        made.missing(),
        _notes(catalogue.new_notes(), notes, read.notes, made.notes),
        state_of(made.plans, read),
        made.compared,
        made.plans if request.with_plans else (),
        round((time.perf_counter() - started) * 1000, 1),
    )


def _batches(request: GenerationRequest, settings: Settings) -> Batches:
    kinds = request.allowed_kinds
    return Batches(
        request.texts,
        request.batch_size,
        request.seeds,
        settings,
        None if kinds is None else frozenset(kinds),
        request.description,
    )


def _for_reading(left: float | None) -> float | None:
    """Half of the time, or 20 s, is left for planning."""
    return None if left is None else max(left - _MOST_FOR_PLANNING_S, left / 2)


def _shorter(*limits: float | None) -> float | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _notes(*parts: Iterable[Note]) -> tuple[Note, ...]:
    return tuple(dict.fromkeys(note for part in parts for note in part))
