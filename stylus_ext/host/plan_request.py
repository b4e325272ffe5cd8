"""What is asked of the engine for one prompt: the host's listing, its checkpoint and its settings
go along; a plan comes back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.plan import MissingFile, Plan, from_json
from stylus_ext.core.settings import Settings
from stylus_ext.host import compat, options
from stylus_ext.host.checkpoint import loaded_family
from stylus_ext.host.fetching import FetchOutcome
from stylus_ext.host.planner import Planner
from stylus_ext.host.rewrite import Ask, BatchJob, Pair, describing

PLANS = "stylus_plans"
_FLEETING = frozenset({"late", "failed", "busy", "partial_index", "chat_failed"})


@dataclass(frozen=True, slots=True)
class PlanRequestBuilder:
    """Cells of a grid share the answers: their `p` are copies of one. `downloads` lets plans pick
    what is not on disk; with `without`, by key the reasons, that is over: what could be fetched
    lies there now, and these did not come.
    """

    p: Any
    desk: Planner
    settings: Settings
    stems: list[str]
    description: str = ""
    downloads: bool = False
    without: Mapping[str, str] | None = None
    corrections: Mapping[str, Any] | None = None

    @property
    def waits(self) -> bool:
        return waits(self.p)

    def ask(self, pair: Pair, seeds: Sequence[int]) -> Plan:
        """Asked once more without those whose files are gone since the host listed them; which
        these are is said.
        """
        plan = self._ask(pair, seeds)
        gone = compat.gone_stems(tag.stem for tag in plan.tags if tag.on_disk).intersection(
            self.stems
        )
        if not gone:
            return plan
        rest = replace(self, stems=[stem for stem in self.stems if stem not in gone]).ask(
            pair, seeds
        )
        return replace(rest, notes=(*map(_is_gone, sorted(gone)), *rest.notes))

    def _ask(self, pair: Pair, seeds: Sequence[int]) -> Plan:
        folders = compat.lora_folders()
        question = {
            "prompt": self.description or pair[0],
            "negative_prompt": pair[1],
            "seeds": list(seeds),
            "batch_size": max(1, int(self.p.batch_size)),
            "settings": options.plan_values(self.settings),
            "stems": self.stems,
            **self._reach(),
            **({} if self.corrections is None else {"corrections": self.corrections}),
        }
        known: dict[str, Plan] | None = getattr(self.p, PLANS, None)
        known = {} if known is None else known
        key = json.dumps(question, sort_keys=True)
        if key not in known:
            read = self.desk.folders_to_read(folders, compat.listing())
            question["lora_dirs"] = folders if self.downloads else read
            plan = self._read(
                self.desk.plan(
                    question, options.timeouts(self.settings.selection.composer), self.waits
                ),
                seeds,
            )
            if _FLEETING & {note.code for note in plan.notes}:
                return describing(plan, pair) if self.description else plan
            known[key] = plan
        return describing(known[key], pair) if self.description else known[key]

    def _reach(self) -> dict[str, Any]:
        if not self.downloads:
            return {}
        if self.without is None:
            return {"downloads": True}
        return {
            "downloads": True,
            "without": [{"key": key, "text": text} for key, text in self.without.items()],
        }

    def _read(self, answer: Mapping[str, Any], seeds: Sequence[int]) -> Plan:
        try:
            plan = from_json(answer["plan"])
        except (KeyError, TypeError) as error:
            raise InvalidInput(
                "The engine's answer is no plan. Is it of another version? Please restart the WebUI"
                " fully."
            ) from error
        if not len(plan.prompts) == len(plan.negative_prompts) == len(plan.masks) == len(seeds):
            raise InvalidInput(
                "The engine's plan has not one prompt for each batch. Please restart the WebUI"
                " fully."
            )
        if plan.missing and (not self.downloads or self.without is not None):
            raise InvalidInput(
                "The engine's plan has LoRAs that are not on disk. Please restart the WebUI fully."
            )
        return plan


def _is_gone(stem: str) -> Note:
    return Note(
        "gone",
        f"{stem} would have been used, but its file is gone; the WebUI lists it until its LoRAs are"
        " refreshed.",
    )


def waits(p: Any) -> bool:
    """Whether somebody sits in front of it and sees why it takes so long."""
    return not getattr(p, "is_api", False)


def for_caller(desk: Planner, payload: Mapping[str, Any]) -> dict[str, Any]:
    """A caller's plan as this WebUI would make it: its page's settings, its checkpoint's family,
    the LoRAs that it lists.
    """
    settings = options.read_settings()
    family = loaded_family(desk.remembered)
    if family.known:
        settings = replace(settings, selection=replace(settings.selection, family=family.family))
    values = options.plan_values(settings)
    said = payload.get("settings")
    for section, leaves in said.items() if isinstance(said, Mapping) else ():
        values[section] = (
            {**values.get(section, {}), **leaves} if isinstance(leaves, Mapping) else leaves
        )
    folders = compat.lora_folders()
    read = desk.folders_to_read(folders, compat.listing())
    return {
        **payload,
        "settings": values,
        "stems": compat.listed_stems(),
        "lora_dirs": folders if payload.get("downloads") else read,
    }


WITHOUT = "stylus_without"


@dataclass(frozen=True, slots=True)
class FetchThenPlan:
    """All prompts are asked first, so that what several of them lack is fetched once, and several
    files at a time.
    """

    inquiry: PlanRequestBuilder
    job: BatchJob

    def completed(self) -> tuple[Ask, list[Note]]:
        wide = replace(self.inquiry, downloads=True)
        plans = {
            pair: wide.ask(pair, self.job.starts(numbers))
            for pair, numbers in self.job.questions().items()
        }
        missing = {str(file.key): file for plan in plans.values() for file in plan.missing}
        without = _without(self.inquiry.p)
        wanted = [file for key, file in missing.items() if key not in without]
        came = self._fetched(wanted) if wanted else FetchOutcome()
        without |= {**came.failed, **_unlisted(came.stems)}
        stopped = {key: text for key, text in without.items() if key in missing}
        narrow = replace(wide, stems=compat.listed_stems(), without=stopped)
        there = {pair: plan for pair, plan in plans.items() if not plan.missing}
        return _ask(there, narrow), [Note("fetched", text) for text in came.told]

    def _fetched(self, files: Sequence[MissingFile]) -> FetchOutcome:
        came = self.inquiry.desk.downloads.fetch(files, compat.lora_folders())
        compat.list_anew(came.stems.values())
        return came


def _ask(there: Mapping[Pair, Plan], narrow: PlanRequestBuilder) -> Ask:
    def ask(pair: Pair, seeds: Sequence[int]) -> Plan:
        return there[pair] if pair in there else narrow.ask(pair, seeds)

    return ask


def _unlisted(stems: Mapping[str, str]) -> dict[str, str]:
    """The user may have had a file for long, in a folder into which this host does not look, or
    under a name that stands for another.
    """
    listed = set(compat.listed_stems())
    return {
        key: f"{stem} is on disk, but the WebUI does not list it among its LoRAs."
        for key, stem in stems.items()
        if stem not in listed
    }


def _without(p: Any) -> dict[str, str]:
    """What did not come for an earlier cell of the same grid is not tried again for each of the
    others.
    """
    known: dict[str, str] | None = getattr(p, WITHOUT, None)
    return {} if known is None else known
