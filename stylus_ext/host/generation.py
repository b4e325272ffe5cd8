"""One generation: asks the engine for texts and writes them into the host's `p`.

Everything is planned first and written at once, so that an error leaves the prompts unchanged.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stylus_ext.core.entry import KINDS
from stylus_ext.core.errors import Cancelled, Note, StylusError
from stylus_ext.core.family import ANY, UNKNOWN
from stylus_ext.core.generation import (
    GenerationAnswer,
    GenerationRequest,
    ImageMask,
    Texts,
    request_to_json,
)
from stylus_ext.core.plan import MissingFile
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.settings import Settings
from stylus_ext.core.tags import ADAPTER_KINDS, is_readable
from stylus_ext.host import compat, infotext, options, other_adapters
from stylus_ext.host.checkpoint import loaded_family
from stylus_ext.host.engine.client import LEFT
from stylus_ext.host.fetching import FetchOutcome, FetchStopped
from stylus_ext.host.guard import RERANK
from stylus_ext.host.infotext import AppliedGeneration, Picture
from stylus_ext.host.loadable_formats import loadable_formats
from stylus_ext.host.permissions import RULES
from stylus_ext.host.planner import MadePicture, Planner, current_planner, timeouts
from stylus_ext.host.preview_sessions import PreviewSession
from stylus_ext.host.prompt_comments import commented_prompts
from stylus_ext.host.replay import continued
from stylus_ext.host.schedules import host_steps, schedule_notes
from stylus_ext.host.values import (
    AUTO,
    FOLLOW,
    PanelValues,
    ValuesReading,
    settings_alike,
    settings_of,
)
from stylus_ext.host.wan import refiner_notes, selectable_stems
from stylus_ext.host.written_texts import texts_of, write

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
    "The base model of this checkpoint is unknown, so only LoRAs set to Always were considered."
    " Choose it in the panel, under More options.",
)
_NO_FAMILY = Note(
    "no_downloads", "LoRAs are not downloaded for a checkpoint of unknown base model."
)
_DISABLED = Note(
    "disabled", "Stylus did nothing: extra networks are switched off for this generation."
)
ANSWERS, NOT_FETCHED = "stylus_answers", "stylus_not_fetched"
"""Attributes of the host's `p`, which the cells of a grid share: their `p` are copies of one."""


@dataclass(frozen=True, slots=True)
class Generation:
    """`p` belongs to the host; `values` are valid."""

    p: Any
    values: PanelValues
    planner: Planner

    def run(self, notes: Sequence[Note]) -> AppliedGeneration:
        """Plan, then write; an error becomes a note and leaves the prompts unchanged."""
        before = texts_of(self.p)
        try:
            return self._apply(before, list(notes))
        except FetchStopped as stop:
            failure = Note("cancelled", f"{stop} The prompt was left as it was.")
        except Cancelled:
            failure = Note("cancelled", "Stylus was interrupted; the prompt was left as it was.")
        except StylusError as error:
            logger.info("no plan: %s", error)
            text = f"Stylus left the prompt as it was: {str(error).removeprefix(LEFT)}"
            failure = Note("failed", text)
        return _unchanged(before, self.values, [*notes, failure])

    def _apply(self, before: Texts, notes: list[Note]) -> AppliedGeneration:
        if self.planner.interrupted():
            raise Cancelled("It was interrupted before it began.")
        if self.planner.downloads.begun:
            self.planner.downloads.list_finished()
        settings, family = self.settings()
        if settings.selection.composer != RULES or settings.selection.policy == RERANK:
            allowed = self.planner.permissions.allowed
            settings, more = allowed(self.p, settings, timeouts().ready_s)
            notes += more
        stems, unknown = self.stems(family)
        notes += [*_unlisted_tags(before), *unknown]
        others = self.others(family)
        if not (stems or any(others.values())) and family == UNKNOWN:
            return self._written(before, GenerationAnswer(before, ()), family, notes)
        corrections, more = self._corrections(family)
        notes += more
        request = GenerationRequest(
            before,
            self._seeds(),
            max(1, int(self.p.batch_size)),
            options.plan_values(settings),
            tuple(stems),
            **others,
            description=self._description(before),
            allowed_kinds=self._allowed_kinds(),
            corrections=corrections,
            compare=self.values.compare,
            host_steps=host_steps(self.p),
        )
        answer, more = self._ask(request, family)
        notes += [*more, *answer.notes, *refiner_notes(self.p, answer.adapters)]
        notes += schedule_notes(settings, answer)
        return self._written(before, answer, family, notes)

    def _written(
        self, before: Texts, answer: GenerationAnswer, family: str, notes: Sequence[Note]
    ) -> AppliedGeneration:
        """Write the answer into `p`, and remember its pictures."""
        if answer.compared:
            _repeat_first_batch(self.p)
        commented = commented_prompts(self.p)
        write(self.p, answer.texts)
        work = AppliedGeneration(
            answer.texts,
            _pictures(before, answer.masks),
            infotext.of_generation(self.values, family, notes),
            list(dict.fromkeys(notes)),
            named={adapter.stem: (adapter.key, adapter.name) for adapter in answer.adapters},
            commented=commented,
            schedules=answer.schedules,
        )
        for image, seed in enumerate(self.p.all_seeds[: len(work.pictures)]):
            self.planner.made[int(seed), work.pictures[image].prompt] = MadePicture(
                work.texts.positive[image], work.texts.negative[image], work.fields(image)
            )
        return work

    def stems(self, family: str) -> tuple[list[str], list[Note]]:
        """Stems that may be picked for this checkpoint; used by previews too."""
        stems = selectable_stems(family)
        if family != UNKNOWN:
            return stems, []
        notes = [_UNKNOWN_FAMILY, *([_NO_FAMILY] if self.values.downloads else [])]
        wanted = set(self.planner.always(timeouts(), waits(self.p)))
        return [stem for stem in stems if stem in wanted], notes

    def others(self, family: str) -> dict[str, Any]:
        """The embeddings and hypernetworks that may be picked, as fields of a request."""
        if family != UNKNOWN:
            return other_adapters.stems()
        return other_adapters.stems(self.planner.always(timeouts(), waits(self.p)))

    def _corrections(self, family: str) -> tuple[Mapping[str, Any] | None, list[Note]]:
        """Corrections of a preview for this prompt, or the locked set."""
        session = _session(self.planner, self.values)
        prompt = getattr(self.p, "prompt", "")
        if session is None or not isinstance(prompt, str):
            return None, []
        session.family = family
        negative = getattr(self.p, "negative_prompt", "")
        shown = session.request
        same = shown is None or settings_alike(shown.values, self.values)
        negative = negative if isinstance(negative, str) else ""
        return session.corrections(prompt, negative, family, "" if same else "other settings")

    def _ask(self, request: GenerationRequest, family: str) -> tuple[GenerationAnswer, list[Note]]:
        """Ask with downloads where they are wanted and allowed, else with files on disk."""
        requests = GenerationRequests(self.p, self.planner)
        if not self.values.downloads or family == UNKNOWN:
            return requests.ask(request), []
        limits = timeouts()
        timeout_s = limits.ready_s if waits(self.p) else limits.cold_s
        reason = self.planner.permissions.downloads_refused(self.p, timeout_s)
        if reason:
            note = Note("no_downloads", f"Only LoRAs on disk were considered. {reason}")
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
        limits = replace(
            settings.selection, formats=settings.selection.formats or loadable_formats()
        )
        if family != UNKNOWN:
            limits = replace(limits, family=family)
        return replace(settings, selection=limits), family

    def _seeds(self) -> tuple[int, ...]:
        count = len(self.p.all_prompts)
        if self.values.seed != FOLLOW:
            return tuple(self.values.seed + image for image in range(count))
        seeds = [int(seed) for seed in self.p.all_seeds]
        return tuple((seeds + [seeds[-1]] * count)[:count])

    def _allowed_kinds(self) -> tuple[str, ...] | None:
        """Kinds without scene and style for inpainting, unless the options allow them."""
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


def _unlisted_tags(texts: Texts) -> list[Note]:
    """A note on tags of the user that the host does not know."""
    written = [text for text in dict.fromkeys((*texts.positive, *texts.hr_positive)) if "<" in text]
    names = compat.unlisted(
        tag.name
        for text in written
        for tag in parse_prompt(text).user_tags
        if tag.kind in ADAPTER_KINDS and is_readable(tag)
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


def _repeat_first_batch(p: Any) -> None:
    """Add the first batch once more to the host's lists."""
    batch_size = max(1, int(p.batch_size))
    for name in _LISTS:
        values = getattr(p, name, None)
        if isinstance(values, list) and values:
            setattr(p, name, [*values, *values[:batch_size]])
    p.n_iter += 1


def _pictures(before: Texts, masks: Sequence[ImageMask]) -> tuple[Picture, ...]:
    """The pictures with their prompts before Stylus; a repeated first batch comes last."""
    pairs = list(zip(before.positive, before.negative, strict=True))
    given = masks or [ImageMask()] * len(pairs)
    return tuple(
        Picture(*pair, mask.on, mask.off) for pair, mask in zip(pairs + pairs, given, strict=False)
    )


def process(p: Any, reading: ValuesReading | Note) -> AppliedGeneration:
    """Run Stylus for `p`; notes go under the picture, into the infotext and the panel."""
    infotext.forget(p.extra_generation_params)
    values = reading.values if isinstance(reading, ValuesReading) else PanelValues()
    if isinstance(reading, ValuesReading) and getattr(p, "disable_extra_networks", False):
        reading = _DISABLED
    if isinstance(reading, ValuesReading):
        try:
            work = _work(p, reading)
        except Exception as error:  # the boundary: an error never stops a generation
            logger.exception("Stylus could not choose LoRAs")
            text = f"Stylus left the prompt as it was, because of an internal error: {error!r}"
            reading = Note("failed", text)
    if isinstance(reading, Note):
        work = _unchanged(texts_of(p), PanelValues(), [reading])
    session = _session(current_planner(), values)
    if session is not None:
        session.made = work, tuple(map(int, p.all_seeds))
    for text in (note.text for note in work.notes):
        compat.comment(p, text if text.startswith("Stylus") else f"Stylus: {text}")
    return work


def _work(p: Any, reading: ValuesReading) -> AppliedGeneration:
    planner, values = current_planner(), reading.values
    work = continued(p, values, planner) if _may_continue(p, values) else None
    if work is None:
        work = Generation(p, values, planner).run(reading.notes)
    else:
        work.notes[:0] = reading.notes
    return work


def _may_continue(p: Any, values: PanelValues) -> bool:
    """True if this may continue an earlier picture."""
    upscaled = getattr(p, "txt2img_upscale", False)
    return bool(values.replay or upscaled or getattr(p, "init_images", None))


def _session(planner: Planner, values: PanelValues) -> PreviewSession | None:
    return planner.sessions.of(values.session_id) if values.session_id else None


def _unchanged(before: Texts, values: PanelValues, notes: list[Note]) -> AppliedGeneration:
    return AppliedGeneration(before, (), infotext.of_generation(values, "", notes), notes)


@dataclass(frozen=True, slots=True)
class GenerationRequests:
    """Sends the requests of the generation `p`; missing files are fetched between two."""

    p: Any
    planner: Planner

    def ask(self, request: GenerationRequest) -> GenerationAnswer:
        """Ask; then again without files that are gone since the host listed them."""
        answer = self._ask(request)
        stems = request.stems or ()
        used = {adapter.stem for adapter in answer.adapters if adapter.on_disk}
        gone = compat.gone_stems(used.intersection(stems))
        if not gone:
            return answer
        rest = self.ask(replace(request, stems=tuple(stem for stem in stems if stem not in gone)))
        return replace(rest, notes=(*map(_gone_note, sorted(gone)), *rest.notes))

    def fetch_and_ask(self, request: GenerationRequest) -> tuple[GenerationAnswer, list[Note]]:
        """Ask for missing files, fetch them, and ask again."""
        wide = replace(request, downloads=True)
        answer = self.ask(wide)
        if not answer.missing:
            return answer, []
        missing = {str(file.key): file for file in answer.missing}
        known: dict[str, str] | None = getattr(self.p, NOT_FETCHED, None)
        reasons = {} if known is None else known  # other cells of a grid do not try again
        came = self._fetch([file for key, file in missing.items() if key not in reasons])
        reasons |= {**came.failed, **other_adapters.unlisted(came.files)}
        without = {key: text for key, text in reasons.items() if key in missing}
        stems = tuple(selectable_stems(wide.settings["selection"]["family"]))
        found = other_adapters.stems()
        answer = self.ask(replace(wide, stems=stems, **found, without=without))
        return answer, [Note("fetched", text) for text in came.messages]

    def _ask(self, request: GenerationRequest) -> GenerationAnswer:
        known: dict[str, GenerationAnswer] | None = getattr(self.p, ANSWERS, None)
        known = {} if known is None else known
        key = json.dumps(request_to_json(request), sort_keys=True)
        if key in known:
            return known[key]
        folders = compat.lora_folders()
        listing = compat.listing(), other_adapters.listing()
        unread = self.planner.folders_to_read(folders, listing)
        read = folders if request.downloads else unread
        request = replace(request, lora_dirs=tuple(read), **other_adapters.folders(read))
        composer = request.settings["selection"]["composer"]
        answer = self.planner.generation(request, timeouts(composer), waits(self.p))
        if answer.state.repeatable:
            known[key] = answer
        return answer

    def _fetch(self, files: Sequence[MissingFile]) -> FetchOutcome:
        came = self.planner.downloads.fetch(files) if files else FetchOutcome()
        other_adapters.list_fetched(came.files)
        return came


def waits(p: Any) -> bool:
    """True if a user of the page waits, who sees the progress."""
    return not getattr(p, "is_api", False)


def _gone_note(stem: str) -> Note:
    return Note(
        "gone",
        f"{stem} would have been used, but its file is gone; the WebUI lists it until its LoRAs are"
        " refreshed.",
    )
