"""One generation: the host's `p` and the panel's values go in; its prompt lists and infotext fields
are what changes.

Everything is planned first and written in one go, so that whatever goes wrong leaves the prompts as
they were.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from stylus_ext.core.entry import KINDS
from stylus_ext.core.errors import (
    Cancelled,
    Note,
    StylusError,
)
from stylus_ext.core.family import ANY, UNKNOWN
from stylus_ext.core.generation import GenerationAnswer, GenerationRequest, ImageMask, Texts
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.settings import Settings
from stylus_ext.core.tags import ADAPTER_KINDS
from stylus_ext.host import compat, infotext, options
from stylus_ext.host.checkpoint import loaded_family
from stylus_ext.host.engine.client import LEFT
from stylus_ext.host.fetching import FetchStopped
from stylus_ext.host.infotext import Picture
from stylus_ext.host.infotext_writer import AppliedGeneration, texts_of, write
from stylus_ext.host.plan_request import GenerationRequests, waits
from stylus_ext.host.planner import MadePicture, Planner
from stylus_ext.host.planner_registry import current_planner, show_notes
from stylus_ext.host.replay import continued
from stylus_ext.host.values import AUTO, FOLLOW, PanelValues, ValuesReading, settings_of

logger = logging.getLogger(__name__)

_LISTS = (
    "all_prompts",
    "all_negative_prompts",
    "all_seeds",
    "all_subseeds",
    "all_hr_prompts",
    "all_hr_negative_prompts",
)
_SCENERY = frozenset({"style", "background", "building"})
_UNKNOWN_FAMILY = Note(
    "unknown_family",
    "Nothing says for which base model this checkpoint is, so only LoRAs that you marked as always"
    " wanted were considered; choose its family in the panel.",
)
_NO_FAMILY = Note("no_downloads", "Nothing is fetched for such a checkpoint.")
_INTERRUPTED = "Stylus was interrupted; the prompt was left as it was."


@dataclass(frozen=True, slots=True)
class _Decided:
    """What the lists of `p` become, and what is said about it."""

    texts: Texts
    pictures: tuple[Picture, ...]
    notes: Sequence[Note]
    family: str
    named: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    compared: bool = False


@dataclass(frozen=True, slots=True)
class Generation:
    """`p` belongs to the host; `values` have been read and found right."""

    p: Any
    values: PanelValues
    planner: Planner

    def run(self, notes: Sequence[Note]) -> AppliedGeneration:
        """Plans, then writes; a trouble becomes a note, and the prompts stay."""
        notes_so_far = [*notes, *self.planner.notes]
        before = texts_of(self.p)
        try:
            done = self._answer(before)
        except Cancelled as stop:
            text = (
                f"{stop} The prompt was left as it was."
                if isinstance(stop, FetchStopped)
                else _INTERRUPTED
            )
            notes_so_far.append(Note("cancelled", text))
            return AppliedGeneration(
                before, (), infotext.of_generation(self.values, "", notes_so_far), notes_so_far
            )
        except StylusError as error:
            logger.info("no plan: %s", error)
            notes_so_far.append(
                Note("failed", f"Stylus left the prompt as it was: {str(error).removeprefix(LEFT)}")
            )
            return AppliedGeneration(
                before, (), infotext.of_generation(self.values, "", notes_so_far), notes_so_far
            )
        notes_so_far += done.notes
        if done.compared:
            _repeat_first_batch(self.p, self._batch_size())
        write(self.p, done.texts)
        shared = infotext.of_generation(self.values, done.family, notes_so_far)
        work = AppliedGeneration(
            done.texts, done.pictures, shared, list(dict.fromkeys(notes_so_far))
        )
        work.named = done.named
        self._remember(work)
        return work

    def _answer(self, before: Texts) -> _Decided:
        if self.planner.interrupted():
            raise Cancelled("It was interrupted before it began.")
        self.planner.downloads.take_in()
        settings, family = self.settings()
        settings, more = self.planner.composing.allowed(
            self.p, settings, options.timeouts().ready_s
        )
        stems, unknown = self.stems(family)
        notes = [*_unlisted(before), *unknown, *more]
        if not stems and family == UNKNOWN:
            return _Decided(before, _pictures(before, ()), notes, family)
        corrections, more = self._corrections(family)
        notes += more
        request = GenerationRequest(
            before,
            self._seeds(),
            self._batch_size(),
            options.plan_values(settings),
            tuple(stems),
            description=self._description(before),
            allowed_kinds=self._allowed_kinds(),
            corrections=corrections,
            compare=self.values.compare,
        )
        answer, more = self._ask(request, family)
        return _Decided(
            answer.texts,
            _pictures(before, answer.masks),
            [*notes, *more, *answer.notes],
            family,
            {adapter.stem: (adapter.key, adapter.name) for adapter in answer.adapters},
            answer.compared,
        )

    def stems(self, family: str) -> tuple[list[str], list[Note]]:
        """What may be picked for this checkpoint; for a preview as well."""
        stems = compat.listed_stems()
        if family != UNKNOWN:
            return stems, []
        notes = [_UNKNOWN_FAMILY, *([_NO_FAMILY] if self.values.downloads else [])]
        wanted = set(self.planner.always(options.timeouts(), waits(self.p)))
        return [stem for stem in stems if stem in wanted], notes

    def _corrections(self, family: str) -> tuple[Mapping[str, Any] | None, list[Note]]:
        """The corrections of a preview for just this prompt, or the locked set."""
        session_id = self.values.session_id
        session = self.planner.sessions.of(session_id) if session_id else None
        prompt = getattr(self.p, "prompt", "")
        if session is None or not isinstance(prompt, str):
            return None, []
        session.family = family
        negative = getattr(self.p, "negative_prompt", "")
        return session.corrections(prompt, negative if isinstance(negative, str) else "", family)

    def _ask(self, request: GenerationRequest, family: str) -> tuple[GenerationAnswer, list[Note]]:
        """With what may be fetched where that is wanted, else with what is on disk."""
        requests = GenerationRequests(self.p, self.planner)
        if not self.values.downloads or family == UNKNOWN:
            return requests.ask(request), []
        why = self.planner.downloads.why_not(self.p, waits(self.p))
        if why:
            note = Note("no_downloads", f"Only LoRAs on disk were considered. {why}")
            return requests.ask(request), [note]
        return requests.fetch_and_ask(request)

    def settings(self) -> tuple[Settings, str]:
        """The panel's and the settings page's values, with the checkpoint's family."""
        settings = settings_of(self.values, options.read_settings())
        family = self.values.family
        if family == AUTO or not getattr(
            self.p, "is_api", False
        ):  # the panel's choice is kept for its checkpoint at once
            family = loaded_family(self.planner.remembered).family
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

    def _allowed_kinds(self) -> tuple[str, ...] | None:
        """An inpainted spot keeps the picture's scene and style, unless they are asked for."""
        if not is_inpainting(self.p) or options.own("inpaint_styles"):
            return None
        return tuple(kind for kind in KINDS if kind not in _SCENERY)

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
            self.planner.remember(int(seed), work.pictures[image].prompt, made)


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
    found = ", ".join(names)
    return [
        Note(
            "unlisted",
            f"The prompt names {found}, which this WebUI does not list among its LoRAs; if there is"
            " no such file, reForge and Forge load none of the picture's LoRAs.",
        )
    ]


def is_inpainting(p: Any) -> bool:
    return getattr(p, "image_mask", None) is not None or getattr(p, "latent_mask", None) is not None


def _repeat_first_batch(p: Any, batch_size: int) -> None:
    """The host goes through its lists batch by batch, as many times as `n_iter` says."""
    for name in _LISTS:
        values = getattr(p, name, None)
        if isinstance(values, list) and values:
            setattr(p, name, [*values, *values[:batch_size]])
    p.n_iter += 1


def _pictures(before: Texts, masks: Sequence[ImageMask]) -> tuple[Picture, ...]:
    """With the prompts that each picture had before; those of the first batch once more, where it
    is repeated.
    """
    pairs = list(zip(before.positive, before.negative, strict=True))
    given = masks or [ImageMask()] * len(pairs)
    return tuple(
        Picture(*pair, mask.on, mask.off) for pair, mask in zip(pairs + pairs, given, strict=False)
    )


def process(p: Any, reading: ValuesReading | Note) -> AppliedGeneration | None:
    """Run Stylus for `p`; notes go under the picture, into the infotext and the panel."""
    infotext.forget(p.extra_generation_params)
    if isinstance(reading, Note):
        return _only_says(p, reading)
    if getattr(p, "disable_extra_networks", False):
        return _only_says(
            p,
            Note(
                "disabled",
                "Stylus did nothing: extra networks are switched off for this generation.",
            ),
        )
    try:
        work = _worked(p, reading)
    except Exception as error:  # the host's edge: a generation goes on whatever is wrong here
        logger.exception("Stylus could not choose LoRAs")
        return _only_says(
            p,
            Note(
                "failed",
                f"Stylus left the prompt as it was, because of an error of its own: {error!r}",
            ),
        )
    show_notes(p, work.notes)
    return work


def _worked(p: Any, reading: ValuesReading) -> AppliedGeneration:
    planner, values = current_planner(), reading.values
    work = continued(p, values, planner) if _may_continue(p, values) else None
    if work is None:
        work = Generation(p, values, planner).run(reading.notes)
    else:
        work.notes[:0] = reading.notes
    session = planner.sessions.of(values.session_id) if values.session_id else None
    if session is not None:
        session.made = work, tuple(map(int, p.all_seeds))
    return work


def _may_continue(p: Any, values: PanelValues) -> bool:
    """Whether the picture may be an earlier one, gone on with."""
    upscaled = getattr(p, "txt2img_upscale", False)
    return bool(values.replay or upscaled or getattr(p, "init_images", None))


def _only_says(p: Any, note: Note) -> AppliedGeneration:
    show_notes(p, [note])
    return AppliedGeneration(
        texts_of(p), (), infotext.of_generation(PanelValues(), "", [note]), [note]
    )
