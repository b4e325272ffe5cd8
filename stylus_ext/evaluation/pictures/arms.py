"""Arms: ways to write the texts of a prompt. All other things are equal in every arm."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stylus_ext.core.errors import InvalidInput, Unavailable, reason_of
from stylus_ext.core.plan import Outcome, Plan, from_json
from stylus_ext.evaluation.pictures.manifest import ArmTexts
from stylus_ext.evaluation.pictures.prompts import EvaluationPrompt
from stylus_ext.evaluation.pictures.refiners import REFINER_ARMS

BASE, LLM, SAVED = "base", "stylus-llm", "plan:"
_SELECTIONS: Mapping[str, Mapping[str, str]] = {
    "stylus": {"policy": "hybrid", "composer": "rules"},
    LLM: {"policy": "hybrid", "composer": "chat"},
    "rerank": {"policy": "rerank", "composer": "rules"},
    "retriever-only": {"policy": "cosine"},
    "random": {"policy": "random"},
    **{arm: {"policy": "hybrid", "composer": "rules"} for arm in REFINER_ARMS},
}
ARMS = (BASE, *_SELECTIONS)
"""The arms by name; `plan:FILE` is an arm too."""

_REPLACED = frozenset({"chat_failed", "no_reranker", "no_encoder"})
"""Notes of plans that were made in another way than the arm states."""
_TRIES = 3

AskPlan = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""The engine's operation `plan`."""


def parse_arms(text: str) -> tuple[str, ...]:
    """The names of two or more arms; the first is the reference."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in ARMS and not (name.startswith(SAVED) and len(name) > len(SAVED)):
            raise InvalidInput(f"There is no arm {name!r}; there are {', '.join(ARMS)}, plan:FILE.")
    if len(names) < 2:  # noqa: PLR2004
        raise InvalidInput("Name at least two arms, such as --arms base,stylus.")
    return names


def needs_engine(arm: str) -> bool:
    return arm in _SELECTIONS


def add_text(prompt: str, text: str) -> str:
    return f"{prompt}, {text}" if text else prompt


@dataclass(frozen=True, slots=True)
class TextWriter:
    """Writes the texts of each arm. `debias` is added after the prompt in every arm alike.

    `payload` has the settings and folders of the plans; `loras` limits them to the WebUI's files.
    `asks` are the arms that plan over a catalogue of their own.
    """

    ask: AskPlan
    seeds: Sequence[int]
    debias: str = ""
    payload: Mapping[str, Any] | None = None
    loras: Sequence[str] | None = None
    asks: Mapping[str, AskPlan] = field(default_factory=dict)

    def write(self, arm: str, number: int, prompt: EvaluationPrompt) -> ArmTexts:
        count = len(self.seeds)
        if arm == BASE:
            texts, negatives = (prompt.text,) * count, (prompt.negative,) * count
            return self._with_debias(ArmTexts(arm, number, texts, negatives))
        started = time.monotonic()
        if arm.startswith(SAVED):
            plan = saved_plan(Path(arm.removeprefix(SAVED)), prompt)
        else:
            plan = self._planned(arm, prompt)
        return self._with_debias(_texts_of(arm, number, plan, count, time.monotonic() - started))

    def _planned(self, arm: str, prompt: EvaluationPrompt) -> Plan:
        """A plan by what the arm is named after, not by what stands in for it."""
        question = self._question(arm, prompt)
        for _ in range(_TRIES):
            plan = from_json(self.asks.get(arm, self.ask)(question)["plan"])
            replaced = [note.text for note in plan.notes if note.code in _REPLACED]
            if not replaced:
                return plan
        raise Unavailable(f"The arm {arm} could not plan: {reason_of(replaced[0])}. Try again.")

    def _question(self, arm: str, prompt: EvaluationPrompt) -> dict[str, Any]:
        payload = dict(self.payload or {})
        settings = {name: dict(values) for name, values in payload.get("settings", {}).items()}
        settings["selection"] = {**settings.get("selection", {}), **_SELECTIONS[arm]}
        settings["text"] = {**settings.get("text", {}), "debias": ""}
        limits = {} if self.loras is None else {"stems": list(self.loras)}
        return {
            **payload,
            **limits,
            "prompt": prompt.text,
            "negative_prompt": prompt.negative,
            "settings": settings,
            "seeds": list(self.seeds),
            "batches": len(self.seeds),
            "batch_size": 1,
            "reach": "disk",
        }

    def _with_debias(self, texts: ArmTexts) -> ArmTexts:
        return replace(texts, texts=tuple(add_text(text, self.debias) for text in texts.texts))


def _texts_of(arm: str, number: int, plan: Plan, count: int, seconds: float) -> ArmTexts:
    """The plan's texts; a saved plan with fewer than `count` repeats them."""
    if plan.outcome is not Outcome.DONE:
        reason = "; ".join(note.text for note in plan.notes)
        raise Unavailable(f"No plan for {plan.prompt!r}: {reason} Run this again.")
    places = [place % len(plan.prompts) for place in range(count)]
    return ArmTexts(
        arm,
        number,
        tuple(plan.prompts[place] for place in places),
        tuple(plan.negative_prompts[place] for place in places),
        tuple(tag.stem for tag in plan.tags),
        tuple(note.code for note in plan.notes),
        round(seconds, 4),
        tuple(_tasks_of(plan)),
    )


def _tasks_of(plan: Plan) -> Iterator[Mapping[str, str]]:
    for task in plan.composition.tasks:
        names = (pick.name for pick in plan.composition.of_task(task.start))
        yield {"task": task.text, "style": ", ".join(names)}


def saved_plan(file: Path, prompt: EvaluationPrompt) -> Plan:
    """The plan of this prompt in a file: one plan as JSON, or one plan per line."""
    for plan in _saved_plans(file):
        if plan.prompt == prompt.text:
            return plan
    raise InvalidInput(f"{file} has no plan for the prompt {prompt.text!r}.")


def _saved_plans(file: Path) -> list[Plan]:
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read: {reason_of(error)}.") from error
    try:
        found = [json.loads(text)]
    except ValueError:
        try:
            found = [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError as error:
            raise InvalidInput(f"{file} has no plans as JSON.") from error
    if not all(isinstance(each, dict) for each in found):
        raise InvalidInput(f"{file} has no plans as JSON.")
    return [from_json(each) for each in found]
