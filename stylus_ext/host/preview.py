"""Previews: plans the page's prompt without making a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from modules import shared

from stylus_ext.core.errors import InvalidInput, StylusError
from stylus_ext.core.family import UNKNOWN
from stylus_ext.core.generation import GenerationAnswer, GenerationRequest, Texts
from stylus_ext.host import compat, options
from stylus_ext.host.generation import Generation, GenerationRequests
from stylus_ext.host.plan_view import (
    PlanAnswer,
    fingerprint,
    loaded_family_name,
    view_of,
)
from stylus_ext.host.planner import Planner, timeouts
from stylus_ext.host.preview_sessions import CORRECTED, LOCKED, PreviewSession, PromptCorrections
from stylus_ext.host.schedules import host_steps, schedule_notes
from stylus_ext.host.values import LAST_SEED, PanelValues


def styled(prompt: str, negative: str, styles: Sequence[str]) -> tuple[str, str]:
    """Prompts with the texts of the selected styles."""
    table: Any = getattr(shared, "prompt_styles", None)
    if table is None or not styles:
        return prompt, negative
    return (
        str(table.apply_styles_to_prompt(prompt, list(styles))),
        str(table.apply_negative_styles_to_prompt(negative, list(styles))),
    )


MOST_BATCHES = 100
NO_PREVIEW = "There is no preview yet; press Preview first."


@dataclass(frozen=True, slots=True)
class PreviewRequest:
    """The page's boxes when Preview was pressed; a seed below 0 is random."""

    prompt: str
    negative: str
    values: PanelValues
    styles: tuple[str, ...] = ()
    seed: int = -1
    batches: int = 1
    batch_size: int = 1
    steps: int = 20

    @property
    def size(self) -> int:
        return 1 if self.values.vary_inside_batch else self.batch_size

    def seeds(self) -> list[int]:
        """The first seed of each batch, as the host numbers them."""
        first = self.values.seed if self.values.seed >= 0 else max(0, self.seed)
        batches = self.batches * (self.batch_size if self.values.vary_inside_batch else 1)
        return [
            min(first + number * self.size, LAST_SEED)
            for number in range(min(batches, MOST_BATCHES))
        ]


@dataclass
class FakeProcessing:
    """Stands in for the host's `p` in a preview."""

    batch_size: int
    steps: int
    is_api: bool = False
    stylus_answers: dict[str, GenerationAnswer] = field(default_factory=dict)


def preview_request(boxes: Sequence[Any], values: PanelValues) -> PreviewRequest:
    """Read prompt, negative, styles, seed, batch count, batch size and steps, each None if there is
    no box.
    """
    prompt, negative, styles, seed, batches, size, steps = boxes
    chosen = tuple(str(style) for style in styles) if isinstance(styles, (list, tuple)) else ()
    return PreviewRequest(
        str(prompt or ""),
        str(negative or ""),
        values,
        chosen,
        _number(seed, -1, -1),
        _number(batches, 1, 1),
        _number(size, 1, 1),
        _number(steps, 20, 1),
    )


def _number(value: Any, default: int, least: int) -> int:
    """Older hosts have the seed in a text box."""
    try:
        return min(max(least, int(float(value))), LAST_SEED)
    except (TypeError, ValueError, OverflowError):
        return default


def look(
    planner: Planner, session: PreviewSession, new: PreviewRequest | None = None
) -> dict[str, Any]:
    """Plan a new request, or the last one again, and keep the view in the session."""
    with session.guard:
        request: PreviewRequest | None = new or session.request
        if request is None:
            raise InvalidInput(NO_PREVIEW)
        sent = session.sent
        if new is not None and sent is not None and new.prompt == sent.before:
            session.sent = None
        before = session.request, session.previewed
        session.request = request
        try:
            answer = _planned(planner, session, request)
        except StylusError:
            session.request, session.previewed = before  # those of the preview that stays
            raise
        session.plan = answer.plan
        session.family = session.previewed = answer.family
        session.seen_family = loaded_family_name(planner)
        session.view = view_of(planner, session, answer)
        session.keep(fingerprint(request))
        return session.view


def _planned(planner: Planner, session: PreviewSession, boxes: PreviewRequest) -> PlanAnswer:
    positive, negative = styled(boxes.prompt, boxes.negative, boxes.styles)
    quiet = planner.aside()
    p = FakeProcessing(boxes.size, boxes.steps)
    generation = Generation(p, boxes.values, quiet)
    settings, family = generation.settings()
    stems, notes = generation.stems(family)
    session.previewed = family
    session.turn_to(boxes.prompt, boxes.negative, family)
    corrections, more = session.corrections(boxes.prompt, boxes.negative, family)
    seeds = [first + image for first in boxes.seeds() for image in range(boxes.size)]
    request = GenerationRequest(
        Texts(
            (compat.without_comments(positive),) * len(seeds),
            (compat.without_comments(negative),) * len(seeds),
        ),
        tuple(min(seed, LAST_SEED) for seed in seeds),
        boxes.size,
        options.plan_values(settings),
        tuple(stems),
        **generation.others(family),
        corrections=corrections,
        downloads=boxes.values.downloads and family != UNKNOWN and _may_fetch(quiet),
        with_plans=True,
        host_steps=host_steps(p),
    )
    answer = GenerationRequests(p, quiet).ask(request)
    more = [note for note in more if note not in (CORRECTED, LOCKED)]  # the page shows both
    notes = [*notes, *more, *answer.notes, *schedule_notes(settings, answer)]
    return PlanAnswer(answer.plans[0], family, settings.weights, notes)


def _may_fetch(planner: Planner) -> bool:
    """True if missing files may be fetched later; a preview fetches nothing."""
    planner.ready(timeouts().ready_s)
    return not planner.permissions.barred()


def corrections_for(session: PreviewSession) -> PromptCorrections:
    """The corrections of the previewed prompt, started if there are none."""
    if session.request is None:
        raise InvalidInput(NO_PREVIEW)
    if not session.words:
        session.words = PromptCorrections(
            session.request.prompt, session.request.negative, session.previewed
        )
    return session.words
