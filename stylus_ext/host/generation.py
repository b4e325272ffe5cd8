"""One generation: the host's `p` and the panel's values go in; its prompt lists and infotext fields
are what changes.

Everything is planned first and written in one go, so that whatever goes wrong leaves the prompts as
they were.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stylus_ext.core.composition import Pick
from stylus_ext.core.errors import (
    Cancelled,
    EngineGone,
    EngineRefusal,
    Note,
    SetupProblem,
    StylusError,
)
from stylus_ext.core.family import ANY, UNKNOWN
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.settings import Settings
from stylus_ext.core.tags import ADAPTER_KINDS
from stylus_ext.host import compat, infotext, options
from stylus_ext.host.checkpoint import loaded_family
from stylus_ext.host.engine.client import LEFT
from stylus_ext.host.fetching import FetchStopped
from stylus_ext.host.infotext_writer import AppliedGeneration, texts_of, write
from stylus_ext.host.plan_request import FetchThenPlan, PlanRequestBuilder, waits
from stylus_ext.host.planner import MadePicture, Planner
from stylus_ext.host.rewrite import Ask, BatchJob, Picture, Rewritten, Texts, rewrite
from stylus_ext.host.values import AUTO, FOLLOW, PanelValues, settings_of

logger = logging.getLogger(__name__)


_NAMES = (
    "all_prompts",
    "all_negative_prompts",
    "all_seeds",
    "all_subseeds",
    "all_hr_prompts",
    "all_hr_negative_prompts",
)
_NOTE = "The last picture has the seed of the first and none of the chosen LoRAs, to compare with."
_NOTES = "The last batch has the seeds of the first and none of the chosen LoRAs, to compare with."


def with_base(job: BatchJob, rewritten: Rewritten, ask: Ask) -> Rewritten:
    """What the plan writes besides adapters stands in it too, so that the adapters are the whole
    difference.
    """
    first = slice(0, job.batch_size)
    texts = job.texts
    alone = Texts(
        texts.positive[first],
        texts.negative[first],
        texts.hr_positive[first],
        texts.hr_negative[first],
    )
    base = rewrite(replace(job, texts=alone, seeds=job.seeds[first], allowed=lambda _: False), ask)
    both = Texts(
        *(
            (*getattr(rewritten.texts, name), *getattr(base.texts, name))
            for name in ("positive", "negative", "hr_positive", "hr_negative")
        )
    )
    note = Note("compared", _NOTE if job.batch_size == 1 else _NOTES)
    return replace(
        rewritten,
        texts=both,
        pictures=(*rewritten.pictures, *base.pictures),
        notes=(*rewritten.notes, note),
    )


def make_room(p: Any, batch_size: int) -> None:
    """The host goes through its lists batch by batch, as many times as `n_iter` says."""
    for name in _NAMES:
        values = getattr(p, name, None)
        if isinstance(values, list) and values:
            setattr(p, name, [*values, *values[:batch_size]])
    p.n_iter += 1


_SCENERY = frozenset({"style", "background", "building"})
_FLEETING = frozenset({"late", "failed", "busy", "partial_index"})
_UNKNOWN_FAMILY = Note(
    "unknown_family",
    "Nothing says for which base model this checkpoint is, so only LoRAs that you marked as always"
    " wanted were considered; choose its family in the panel.",
)
_NO_FAMILY = Note("no_downloads", "Nothing is fetched for such a checkpoint.")
_INTERRUPTED = "Stylus was interrupted; the prompt was left as it was."
_TROUBLE = (StylusError, EngineGone, EngineRefusal, SetupProblem)


@dataclass(frozen=True, slots=True)
class Generation:
    """`p` belongs to the host; `values` have been read and found right."""

    p: Any
    values: PanelValues
    desk: Planner

    def run(self, notes: Sequence[Note]) -> AppliedGeneration:
        """Plans, then writes; a trouble becomes a note, and the prompts stay."""
        told = [*notes, *self.desk.notes]
        before = texts_of(self.p)
        try:
            rewritten, family = self._plan(before)
        except Cancelled as stop:
            said = (
                f"{stop} The prompt was left as it was."
                if isinstance(stop, FetchStopped)
                else _INTERRUPTED
            )
            told.append(Note("cancelled", said))
            return AppliedGeneration(
                before, (), infotext.of_generation(self.values, "", told), told
            )
        except _TROUBLE as error:
            logger.info("no plan: %s", error)
            told.append(
                Note("failed", f"Stylus left the prompt as it was: {str(error).removeprefix(LEFT)}")
            )
            return AppliedGeneration(
                before, (), infotext.of_generation(self.values, "", told), told
            )
        told += rewritten.notes
        write(self.p, rewritten.texts)
        work = AppliedGeneration(
            rewritten.texts,
            rewritten.pictures,
            infotext.of_generation(self.values, family, told),
            list(dict.fromkeys(told)),
        )
        work.named = rewritten.named
        self._remember(work)
        return work

    def _plan(self, before: Texts) -> tuple[Rewritten, str]:
        if self.desk.interrupted():
            raise Cancelled("It was interrupted before it began.")
        self.desk.downloads.take_in()
        inquiry, family, notes = self.inquiry()
        settings, told = self.desk.composing.allowed(
            self.p, inquiry.settings, options.timeouts().ready_s
        )
        inquiry, notes = replace(inquiry, settings=settings), [*_unlisted(before), *notes, *told]
        if not inquiry.stems and family == UNKNOWN:
            pictures = tuple(
                Picture(*pair) for pair in zip(before.positive, before.negative, strict=True)
            )
            return Rewritten(before, pictures, tuple(notes)), family
        corrections, said = self._corrections(family)
        inquiry = replace(inquiry, description=self._description(before), corrections=corrections)
        job = BatchJob(before, self._batch_size(), self._seeds(), inquiry.settings, self._allowed())
        ask, more = self._reach(inquiry, job, family)
        rewritten = rewrite(job, ask)
        if self.values.compare and any(picture.on for picture in rewritten.pictures):
            rewritten = with_base(job, rewritten, ask)
            make_room(self.p, job.batch_size)
        return replace(rewritten, notes=(*notes, *said, *more, *rewritten.notes)), family

    def inquiry(self) -> tuple[PlanRequestBuilder, str, list[Note]]:
        """How the engine is asked for this checkpoint, with these values; for a preview as well."""
        settings, family = self._settings()
        notes: list[Note] = []
        stems = compat.listed_stems()
        if family == UNKNOWN:
            notes += [_UNKNOWN_FAMILY, *([_NO_FAMILY] if self.values.downloads else [])]
            wanted = set(self.desk.always(options.timeouts(), waits(self.p)))
            stems = [stem for stem in stems if stem in wanted]
        return PlanRequestBuilder(self.p, self.desk, settings, stems), family, notes

    def _corrections(self, family: str) -> tuple[Mapping[str, Any] | None, list[Note]]:
        """What the user said of a preview for just this, or the set that he locked."""
        tray = self.desk.trays.of(self.values.seat)
        prompt = getattr(self.p, "prompt", "")
        if tray is None or not isinstance(prompt, str):
            return None, []
        tray.family = family
        negative = getattr(self.p, "negative_prompt", "")
        return tray.corrections(prompt, negative if isinstance(negative, str) else "", family)

    def _reach(
        self, inquiry: PlanRequestBuilder, job: BatchJob, family: str
    ) -> tuple[Ask, list[Note]]:
        """How a prompt's plan is had: with what may be fetched where that is wanted, else with what
        is on disk.
        """
        if not self.values.downloads or family == UNKNOWN:
            return inquiry.ask, []
        why = self.desk.downloads.why_not(self.p, inquiry.waits)
        if why:
            return inquiry.ask, [Note("no_downloads", f"Only LoRAs on disk were considered. {why}")]
        return FetchThenPlan(inquiry, job).completed()

    def _settings(self) -> tuple[Settings, str]:
        settings = settings_of(self.values, options.read_settings())
        family = self.values.family
        if family == AUTO or not getattr(
            self.p, "is_api", False
        ):  # the panel's choice is kept for its checkpoint at once
            family = loaded_family(self.desk.remembered).family
        if family == UNKNOWN and settings.selection.family != ANY:
            family = settings.selection.family
        if family != UNKNOWN:
            settings = replace(settings, selection=replace(settings.selection, family=family))
        return settings, family

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
        if (
            not images
            or any(text.strip() for text in before.positive)
            or not options.own("describe")
        ):
            return ""
        return compat.describe(images[0])

    def _remember(self, work: AppliedGeneration) -> None:
        for image, seed in enumerate(self.p.all_seeds[: len(work.pictures)]):
            made = MadePicture(
                work.texts.positive[image], work.texts.negative[image], work.fields(image)
            )
            self.desk.remember(int(seed), work.pictures[image].prompt, made)


def _unlisted(texts: Texts) -> list[Note]:
    """A name of the user's own that may cost the picture every LoRA, ours as well."""
    written = [text for text in dict.fromkeys((*texts.positive, *texts.hr_positive)) if "<" in text]
    names = compat.unlisted(
        tag.name
        for text in written
        for tag in parse_prompt(text).user_tags
        if tag.kind in ADAPTER_KINDS
    )
    if not names:
        return []
    said = ", ".join(names)
    return [
        Note(
            "unlisted",
            f"The prompt names {said}, which this WebUI does not list among its LoRAs; if there is"
            " no such file, reForge and Forge load none of the picture's LoRAs.",
        )
    ]


def is_inpainting(p: Any) -> bool:
    return getattr(p, "image_mask", None) is not None or getattr(p, "latent_mask", None) is not None


def _anything(pick: Pick) -> bool:  # noqa: ARG001
    return True


def _no_scenery(pick: Pick) -> bool:
    return pick.kind not in _SCENERY
