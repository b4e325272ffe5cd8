"""Sends the requests of one generation to the engine; files that a plan lacks are fetched between
the two requests that this needs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stylus_ext.core.errors import Note
from stylus_ext.core.generation import GenerationAnswer, GenerationRequest, request_to_json
from stylus_ext.core.plan import MissingFile
from stylus_ext.host import compat, options
from stylus_ext.host.checkpoint import loaded_family
from stylus_ext.host.fetching import FetchOutcome
from stylus_ext.host.planner import Planner

ANSWERS, NOT_FETCHED = "stylus_answers", "stylus_not_fetched"
"""Attributes of the host's `p`, which the cells of a grid share: their `p` are copies of one."""


@dataclass(frozen=True, slots=True)
class GenerationRequests:
    """The requests of the generation `p`."""

    p: Any
    planner: Planner

    def ask(self, request: GenerationRequest) -> GenerationAnswer:
        """Asks again without files that are gone since the host listed them."""
        answer = self._ask(request)
        stems = request.stems or ()
        used = {adapter.stem for adapter in answer.adapters if adapter.on_disk}
        gone = compat.gone_stems(used.intersection(stems))
        if not gone:
            return answer
        rest = self.ask(replace(request, stems=tuple(stem for stem in stems if stem not in gone)))
        return replace(rest, notes=(*map(_gone, sorted(gone)), *rest.notes))

    def fetch_and_ask(self, request: GenerationRequest) -> tuple[GenerationAnswer, list[Note]]:
        """Asks what the generation lacks, fetches that, and asks again with what came."""
        wide = replace(request, downloads=True)
        answer = self.ask(wide)
        if not answer.missing:
            return answer, []
        missing = {str(file.key): file for file in answer.missing}
        reasons = _not_fetched(self.p)
        came = self._fetch([file for key, file in missing.items() if key not in reasons])
        reasons |= {**came.failed, **_unlisted(came.stems)}
        without = {key: text for key, text in reasons.items() if key in missing}
        stems = tuple(compat.listed_stems())
        answer = self.ask(replace(wide, stems=stems, without=without))
        return answer, [Note("fetched", text) for text in came.messages]

    def _ask(self, request: GenerationRequest) -> GenerationAnswer:
        known: dict[str, GenerationAnswer] | None = getattr(self.p, ANSWERS, None)
        known = {} if known is None else known
        key = json.dumps(request_to_json(request), sort_keys=True)
        if key in known:
            return known[key]
        folders = compat.lora_folders()
        unread = self.planner.folders_to_read(folders, compat.listing())
        request = replace(request, lora_dirs=tuple(folders if request.downloads else unread))
        composer = request.settings["selection"]["composer"]
        answer = self.planner.generation(request, options.timeouts(composer), waits(self.p))
        if answer.state.repeatable:
            known[key] = answer
        return answer

    def _fetch(self, files: Sequence[MissingFile]) -> FetchOutcome:
        if not files:
            return FetchOutcome()
        came = self.planner.downloads.fetch(files, compat.lora_folders())
        compat.list_anew(came.stems.values())
        return came


def waits(p: Any) -> bool:
    """Whether the page's user waits, and sees why it takes so long."""
    return not getattr(p, "is_api", False)


def _gone(stem: str) -> Note:
    return Note(
        "gone",
        f"{stem} would have been used, but its file is gone; the WebUI lists it until its LoRAs are"
        " refreshed.",
    )


def _unlisted(stems: Mapping[str, str]) -> dict[str, str]:
    """Files that lie where this host does not look, or under a name that stands for another."""
    listed = set(compat.listed_stems())
    return {
        key: f"{stem} is on disk, but the WebUI does not list it among its LoRAs."
        for key, stem in stems.items()
        if stem not in listed
    }


def _not_fetched(p: Any) -> dict[str, str]:
    """Reasons by key. What did not come for one cell of a grid is not tried for the others."""
    known: dict[str, str] | None = getattr(p, NOT_FETCHED, None)
    return {} if known is None else known


def for_caller(planner: Planner, payload: Mapping[str, Any]) -> dict[str, Any]:
    """A caller's plan as this WebUI would make it: its page's settings, its checkpoint's family,
    the LoRAs that it lists.
    """
    settings = options.read_settings()
    family = loaded_family(planner.remembered)
    if family.known:
        settings = replace(settings, selection=replace(settings.selection, family=family.family))
    values = options.plan_values(settings)
    overrides = payload.get("settings")
    for section, leaves in overrides.items() if isinstance(overrides, Mapping) else ():
        values[section] = (
            {**values.get(section, {}), **leaves} if isinstance(leaves, Mapping) else leaves
        )
    folders = compat.lora_folders()
    read = planner.folders_to_read(folders, compat.listing())
    return {
        **payload,
        "settings": values,
        "stems": compat.listed_stems(),
        "lora_dirs": folders if payload.get("downloads") else read,
    }
