"""The golden house: an invented catalogue on the real refiner, store and encoder; a case goes in,
its plan comes out as text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stylus_ext.catalogue.embed import EmbedCatalogue
from stylus_ext.catalogue.refine.rules import CardRefiner
from stylus_ext.catalogue.refresh import RefreshCatalogue
from stylus_ext.catalogue.sources.starter import StarterCatalogue
from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterCard, AdapterKey, Example, LocalFile, RemoteFile
from stylus_ext.core.entry import Edits
from stylus_ext.core.plan import Plan
from stylus_ext.core.ports import Sighting
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.engine.catalogue import STARTER
from stylus_ext.selection.compose.rules import RuleComposer
from stylus_ext.selection.compose.tasks import UNCERTAIN
from stylus_ext.selection.plan import PlanPrompt, PlanRequest
from stylus_ext.selection.retrieve.retrievers import retriever_for
from tests.fakes import MemoryIndex, Watch
from tests.real_model import real_embedder

CATALOGUE = Path(__file__).resolve().parents[1] / "data" / "golden_catalogue.jsonl"
SEEDS = (11, 12, 13)
MOST_MISSES = 3


@dataclass(frozen=True)
class Case:
    """One prompt; `settings` as plain values, `states` by the name of the adapter."""

    title: str
    prompt: str
    negative: str = ""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    on_disk_only: bool = False


def sightings(catalogue: Path = CATALOGUE) -> Iterator[Sighting]:
    """The lines of a catalogue as a source would tell them; those with a `file` lie on disk."""
    for line in catalogue.read_text("utf-8").splitlines():
        facts = json.loads(line)
        stem = facts.get("file")
        card = AdapterCard(
            key=AdapterKey.civitai(facts["id"]),
            name=facts["name"],
            source="local" if stem else "civitai",
            model_id=1000 + facts["id"],
            base_model=facts["base_model"],
            kind=facts.get("kind", ""),
            tags=tuple(facts.get("tags", ())),
            triggers=tuple(facts.get("triggers", ())),
            text=facts["text"],
            weight=facts.get("weight"),
            examples=tuple(Example(prompt) for prompt in facts.get("examples", ())),
            negative_text=facts.get("negative_text", ""),
            nsfw=facts.get("nsfw", False),
            weak=facts.get("weak", False),
            remote=(
                None
                if stem
                else RemoteFile(f"adapter_{facts['id']:02}.safetensors", 1_000_000 * facts["id"])
            ),
        )
        yield Sighting(
            card=card, file=LocalFile(f"/loras/{stem}.safetensors", stem, 9, 9) if stem else None
        )


@dataclass
class GoldenHouse:
    """What plans the cases; a case with states of its own leaves none behind."""

    store: SqliteStore
    embed: EmbedCatalogue
    planner: PlanPrompt

    def plan(self, case: Case) -> Plan:
        keys = {entry.card.name: entry.key for entry in self.entries()}
        for name, state in case.states.items():
            self.store.edit(keys[name], Edits(state=state))  # type: ignore[arg-type]
        on_disk = (
            {entry.key: entry.stem for entry in self.entries() if entry.stem}
            if case.on_disk_only
            else None
        )
        try:
            return self.planner(
                PlanRequest(
                    case.prompt,
                    case.negative,
                    SEEDS,
                    settings=with_values(Settings(), case.settings),
                    on_disk=on_disk,
                )
            )
        finally:
            for name in case.states:
                self.store.edit(keys[name], Edits())

    def entries(self) -> Iterator[Any]:
        return (change.entry for change in self.store.changes(0) if change.entry is not None)


@contextmanager
def open_house(
    folder: Path, starter: bool = False, catalogue: Path = CATALOGUE
) -> Iterator[GoldenHouse]:
    """Over an invented catalogue, or over that and the one that the project comes with."""
    store, index, embedder = SqliteStore(folder), MemoryIndex(), real_embedder()
    try:
        refresh = RefreshCatalogue(store, CardRefiner())
        refresh.take(list(sightings(catalogue)))
        if starter:
            refresh(StarterCatalogue(STARTER), Watch())
        embed = EmbedCatalogue(store, index, embedder)
        embed(Watch())
        yield GoldenHouse(
            store,
            embed,
            PlanPrompt(
                store,
                retriever_for(store, index, embedder, folder / "lexical"),
                lambda _: RuleComposer(),
            ),
        )
    finally:
        store.close()


def as_text(case: Case, plan: Plan) -> str:
    """Readable, and the same on every machine: no key, no score, no time."""
    lines = [f"prompt    {case.prompt!r}"]
    if case.negative:
        lines.append(f"negative  {case.negative!r}")
    lines += [
        f"settings  {section}.{name} = {value!r}"
        for section, leaves in case.settings.items()
        for name, value in leaves.items()
    ]
    lines += [f"state     {name}: {state}" for name, state in case.states.items()]
    lines += ["on disk   only"] if case.on_disk_only else []
    lines.append(f"family    {plan.family}")
    for task in plan.composition.tasks:
        lines.append(
            f"task      {task.text!r}"
            + (f" (taken by your {task.taken_by})" if task.taken_by else "")
        )
        for pick in plan.composition.of_task(task.start):
            pinned = ", in every batch" if pick.pinned else ""
            lines.append(
                f"  pick    {pick.name} at {pick.weight} ({pick.kind}{pinned}): {pick.reason}"
            )
    lines += [
        f"miss      {miss.name}: {_rounded(miss.reason)}"
        for miss in plan.composition.near_misses
        if _is_telling(miss.reason)
    ][:MOST_MISSES]
    lines += [f"missing   {item.file} ({item.size:,} bytes)" for item in plan.missing]
    lines += [f"note      {note.code}" for note in plan.notes]
    lines += [f"batch {number}   {text!r}" for number, text in enumerate(plan.prompts, 1)]
    if any(text != case.negative for text in plan.negative_prompts):
        lines += [
            f"against {number} {text!r}" for number, text in enumerate(plan.negative_prompts, 1)
        ]
    return "\n".join(lines) + "\n"


def _is_telling(reason: str) -> bool:
    """How unsure the retriever is of what nobody asked for is a number that depends on the
    machine's arithmetic.
    """
    return not reason.startswith(UNCERTAIN)


def _rounded(reason: str) -> str:
    return " ".join(reason.split())
