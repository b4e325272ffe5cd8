"""One generation: the host's `p` and the panel's values go in; its prompt lists and infotext fields are what changes.

Everything is planned first and written in one go, so that whatever goes wrong leaves the prompts as they were.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stylus_ext.core.composition import Pick
from stylus_ext.core.errors import Cancelled, InvalidInput, Note, StylusError
from stylus_ext.core.family import ANY, UNKNOWN
from stylus_ext.core.plan import Plan, from_json
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.settings import Settings
from stylus_ext.core.tags.weights import ADAPTER_KINDS
from stylus_ext.environment.problems import EngineGone, EngineRefusal, SetupProblem
from stylus_ext.host import compat, infotext, options
from stylus_ext.host.desk import Desk, Made
from stylus_ext.host.loaded import loaded_family
from stylus_ext.host.rewrite import Job, Pair, Picture, Rewritten, Texts, describing, rewrite
from stylus_ext.host.values import AUTO, FOLLOW, PanelValues, settings_of
from stylus_ext.host.work import Work, texts_of, write

logger = logging.getLogger(__name__)

PLANS = "stylus_plans"
_SCENERY = frozenset({"style", "background", "building"})
_FLEETING = frozenset({"late", "failed", "busy", "partial_index"})
_UNKNOWN_FAMILY = Note(
    "unknown_family",
    "Nothing says for which base model this checkpoint is, so only LoRAs that you marked as always wanted were considered; choose its"
    " family in the panel.",
)
_TROUBLE = (StylusError, EngineGone, EngineRefusal, SetupProblem)


@dataclass(frozen=True, slots=True)
class Generation:
    """`p` belongs to the host; `values` have been read and found right."""

    p: Any
    values: PanelValues
    desk: Desk

    def run(self, notes: Sequence[Note]) -> Work:
        """Plans, then writes; a trouble becomes a note, and the prompts stay."""
        told = [*notes, *self.desk.notes]
        before = texts_of(self.p)
        try:
            rewritten, family = self._plan(before)
        except Cancelled:
            told.append(Note("cancelled", "Stylus was interrupted; the prompt was left as it was."))
            return Work(before, (), infotext.of_generation(self.values, "", told), told)
        except _TROUBLE as error:
            logger.info("no plan: %s", error)
            told.append(Note("failed", f"Stylus left the prompt as it was: {error}"))
            return Work(before, (), infotext.of_generation(self.values, "", told), told)
        told += rewritten.notes
        write(self.p, rewritten.texts)
        work = Work(rewritten.texts, rewritten.pictures, infotext.of_generation(self.values, family, told), list(dict.fromkeys(told)))
        self._remember(work)
        return work

    def _plan(self, before: Texts) -> tuple[Rewritten, str]:
        if self.desk.interrupted():
            raise Cancelled("It was interrupted before it began.")
        settings, family, notes = self._settings()
        notes += _unlisted(before)
        stems = compat.listed_stems()
        if family == UNKNOWN:
            notes.append(_UNKNOWN_FAMILY)
            wanted = set(self.desk.always(options.patience(), self.waits))
            stems = [stem for stem in stems if stem in wanted]
        if not stems and family == UNKNOWN:
            pictures = tuple(Picture(*pair) for pair in zip(before.positive, before.negative, strict=True))
            return Rewritten(before, pictures, tuple(notes)), family
        description = self._description(before)
        inquiry = Inquiry(self, settings, stems, description)
        job = Job(before, self._batch_size(), self._seeds(), settings, self._allowed())
        rewritten = rewrite(job, inquiry.ask)
        return replace(rewritten, notes=(*notes, *rewritten.notes)), family

    def _settings(self) -> tuple[Settings, str, list[Note]]:
        settings = settings_of(self.values, options.read_settings())
        family = self.values.family
        if family == AUTO or not getattr(self.p, "is_api", False):  # the panel's choice is kept for its checkpoint at once
            family = loaded_family(self.desk.remembered).family
        if family == UNKNOWN and settings.selection.family != ANY:
            family = settings.selection.family
        if family != UNKNOWN:
            settings = replace(settings, selection=replace(settings.selection, family=family))
        notes = [Note("no_downloads", "This engine cannot download; only LoRAs on disk were considered.")] if self.values.downloads else []
        return settings, family, notes

    @property
    def waits(self) -> bool:
        return not getattr(self.p, "is_api", False)

    def _batch_size(self) -> int:
        return max(1, int(self.p.batch_size))

    def _seeds(self) -> tuple[int, ...]:
        count = len(self.p.all_prompts)
        if self.values.seed != FOLLOW:
            return tuple(self.values.seed + image for image in range(count))
        seeds = [int(seed) for seed in self.p.all_seeds]
        return tuple((seeds + [seeds[-1]] * count)[:count])

    def _allowed(self) -> Any:
        """An inpainted spot keeps the picture's scene and style, unless they are asked for."""
        if not is_inpainting(self.p) or options.own("inpaint_styles"):
            return _anything
        return _no_scenery

    def _description(self, before: Texts) -> str:
        images = getattr(self.p, "init_images", None)
        if not images or any(text.strip() for text in before.positive) or not options.own("describe"):
            return ""
        return compat.describe(images[0])

    def _remember(self, work: Work) -> None:
        for image, seed in enumerate(self.p.all_seeds[: len(work.pictures)]):
            made = Made(work.texts.positive[image], work.texts.negative[image], work.fields(image))
            self.desk.remember(int(seed), work.pictures[image].prompt, made)


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is asked for one prompt. Cells of a grid share the answers: their `p` are copies of one."""

    generation: Generation
    settings: Settings
    stems: list[str]
    description: str

    def ask(self, pair: Pair, seeds: Sequence[int]) -> Plan:
        """Asked once more without those whose files are gone since the host listed them."""
        plan = self._ask(pair, seeds)
        gone = compat.gone_stems(tag.stem for tag in plan.tags).intersection(self.stems)
        if not gone:
            return plan
        return replace(self, stems=[stem for stem in self.stems if stem not in gone]).ask(pair, seeds)

    def _ask(self, pair: Pair, seeds: Sequence[int]) -> Plan:
        generation = self.generation
        folders = compat.lora_folders()
        question = {
            "prompt": self.description or pair[0],
            "negative_prompt": pair[1],
            "seeds": list(seeds),
            "batch_size": max(1, int(generation.p.batch_size)),
            "settings": options.plan_values(self.settings),
            "stems": self.stems,
        }
        known: dict[str, Plan] | None = getattr(generation.p, PLANS, None)
        known = {} if known is None else known
        key = json.dumps(question, sort_keys=True)
        if key not in known:
            question["lora_dirs"] = generation.desk.folders_to_read(folders, compat.listing())
            plan = self._read(generation.desk.plan(question, options.patience(), generation.waits), seeds)
            if _FLEETING & {note.code for note in plan.notes}:
                return describing(plan, pair) if self.description else plan
            known[key] = plan
        return describing(known[key], pair) if self.description else known[key]

    def _read(self, answer: Mapping[str, Any], seeds: Sequence[int]) -> Plan:
        try:
            plan = from_json(answer["plan"])
        except (KeyError, TypeError) as error:
            raise InvalidInput("The engine's answer is no plan. Is it of another version? Please restart the WebUI fully.") from error
        if not len(plan.prompts) == len(plan.negative_prompts) == len(plan.masks) == len(seeds):
            raise InvalidInput("The engine's plan has not one prompt for each batch. Please restart the WebUI fully.")
        return plan


def for_caller(desk: Desk, payload: Mapping[str, Any]) -> dict[str, Any]:
    """A caller's plan as this WebUI would make it: its page's settings, its checkpoint's family, the LoRAs that it lists."""
    settings = options.read_settings()
    family = loaded_family(desk.remembered)
    if family.known:
        settings = replace(settings, selection=replace(settings.selection, family=family.family))
    values = options.plan_values(settings)
    said = payload.get("settings")
    for section, leaves in (said.items() if isinstance(said, Mapping) else ()):
        values[section] = {**values.get(section, {}), **leaves} if isinstance(leaves, Mapping) else leaves
    folders = desk.folders_to_read(compat.lora_folders(), compat.listing())
    return {**payload, "settings": values, "stems": compat.listed_stems(), "lora_dirs": folders}


def _unlisted(texts: Texts) -> list[Note]:
    """A name of the user's own that may cost the picture every LoRA, ours as well."""
    written = [text for text in dict.fromkeys((*texts.positive, *texts.hr_positive)) if "<" in text]
    names = compat.unlisted(tag.name for text in written for tag in parse_prompt(text).user_tags if tag.kind in ADAPTER_KINDS)
    if not names:
        return []
    said = ", ".join(names)
    return [
        Note(
            "unlisted",
            f"The prompt names {said}, which this WebUI does not list among its LoRAs; if there is no such file, reForge and Forge"
            " load none of the picture's LoRAs.",
        )
    ]


def is_inpainting(p: Any) -> bool:
    return getattr(p, "image_mask", None) is not None or getattr(p, "latent_mask", None) is not None


def _anything(pick: Pick) -> bool:  # noqa: ARG001 - nothing is asked of it
    return True


def _no_scenery(pick: Pick) -> bool:
    return pick.kind not in _SCENERY
