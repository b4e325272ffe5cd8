"""Previews: plans the page's prompt without making a picture, and describes the session as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from modules import shared

from stylus_ext.core.composition import Mask, Pick
from stylus_ext.core.errors import InvalidInput, Note, StylusError
from stylus_ext.core.family import ANY, UNKNOWN, display_name
from stylus_ext.core.generation import GenerationAnswer, GenerationRequest, Texts
from stylus_ext.core.plan import Plan
from stylus_ext.core.prompt.parse import BRACE_CLOSE, BRACE_OPEN, WILDCARD, parse_prompt
from stylus_ext.core.tags import ADAPTER_KINDS
from stylus_ext.host import compat, options
from stylus_ext.host.generation import Generation, GenerationRequests
from stylus_ext.host.planner import Planner, timeouts
from stylus_ext.host.preview_sessions import CORRECTED, LOCKED, PreviewSession, PromptCorrections
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


MOST_COMBINATIONS = 24
_FLAGS = re.compile(r" \((?:try )?`--[^`]*`[^()]*\)")
"""Flags of the command line in a reason; the panel has controls of its own."""


def view_of(
    planner: Planner, session: PreviewSession, plan: Plan, notes: Sequence[Note]
) -> dict[str, Any]:
    """A plan as JSON; `exact` if the seeds are those that will be used."""
    request, out = session.request, {*session.words.reject, *session.words.swap}
    cards = cards_of(
        planner,
        [
            *(str(pick.key) for pick in plan.composition.picks),
            *(str(miss.key) for miss in plan.composition.near_misses),
        ],
    )
    return {
        "pieces": list(_pieces(plan)),
        "tasks": [
            {"text": task.text, "start": task.start, "taken_by": task.taken_by}
            for task in plan.composition.tasks
        ],
        "picks": [_pick(plan, pick, session, cards) for pick in plan.composition.picks],
        "near": [
            {
                "key": str(miss.key),
                "name": miss.name,
                "reason": _FLAGS.sub("", miss.reason),
                "mine": str(miss.key) in out,
                "card": cards.get(str(miss.key)),
            }
            for miss in plan.composition.near_misses
        ],
        "combinations": [_combination(plan, mask) for mask in plan.masks[:MOST_COMBINATIONS]],
        "batches": len(plan.masks),
        "exact": request.seed >= 0 or request.values.seed >= 0,
        "prompt": plan.prompts[0],
        "family": plan.family,
        "family_name": "" if plan.family in ("", ANY, UNKNOWN) else display_name(plan.family),
        "notes": list(dict.fromkeys(note.text for note in notes)),
    }


def _combination(plan: Plan, mask: Mask) -> list[str]:
    """The names of the active picks, with the factor on their weights if it is not 1."""
    suffix = "" if mask.weight_factor == 1 else f" (weight × {mask.weight_factor:g})"
    return [f"{pick.name}{suffix}" for pick in plan.composition.all_picks if pick.key in mask.on]


def session_view(planner: Planner, session: PreviewSession) -> dict[str, Any]:
    """The whole session as JSON, also for a page that was just loaded.

    Later answers have a higher number, which is taken before the session is read.
    """
    number = next(session.numbers)
    lock, used = session.lock, session.used()
    cards = cards_of(planner, [tag.key for picture in used for tag in picture.tags if tag.key])
    return {
        "number": number,
        "view": session.view,
        "corrected": bool(session.words),
        "lock": (
            None
            if lock is None
            else [
                {"key": key, "name": name, "weight": weight}
                for key, (name, weight) in lock.picks.items()
            ]
        ),
        "sent": session.sent is not None,
        "used": [
            {
                "seed": picture.seed,
                "off": list(picture.off),
                "tags": [{**asdict(tag), "card": cards.get(tag.key)} for tag in picture.tags],
            }
            for picture in used
        ],
    }


def cards_of(planner: Planner, keys: Sequence[str]) -> dict[str, Any]:
    """The engine's cards by key; empty if it cannot be asked, so that the plan is still shown."""
    if not keys:
        return {}
    try:
        cards = dict(
            planner.client.ask("POST", "/v1/cards", {"keys": list(dict.fromkeys(keys))})["cards"]
        )
    except (StylusError, KeyError):
        return {}
    files = compat.listed_files()
    return {
        key: {**card, "picture": compat.has_picture(files, card)} for key, card in cards.items()
    }


def _pick(
    plan: Plan, pick: Pick, session: PreviewSession, cards: Mapping[str, Any]
) -> dict[str, Any]:
    tags = {tag.key: tag for tag in plan.tags}
    tag = tags[pick.key]
    key = str(pick.key)
    missing = next((file for file in plan.missing if file.key == pick.key), None)
    return {
        "key": key,
        "name": pick.name,
        "task": pick.task,
        "kind": pick.kind,
        "reason": pick.reason,
        "pinned": pick.pinned,
        "user_weight": pick.user_weight,
        "kept": key in session.words.keep,
        "weight": written_weights(plan.prompts[0]).get(tag.stem, pick.weight),
        "triggers": list(tag.triggers),
        "stem": tag.stem,
        "on_disk": tag.on_disk,
        "to_download": 0 if missing is None else missing.size,
        "card": cards.get(key),
    }


def written_weights(prompt: str) -> dict[str, float]:
    """Weights by the name in each tag, as the host reads them."""
    tags = (tag for tag in parse_prompt(prompt).user_tags if tag.kind in ADAPTER_KINDS)
    return {tag.name: 1.0 if tag.weight is None else tag.weight for tag in tags}


def _pieces(plan: Plan) -> Iterator[dict[str, Any]]:
    """The prompt, cut at the edges of tasks and of unresolved parts."""
    text = plan.prompt
    tasks = {
        place: task.start
        for task in plan.composition.tasks
        for place in range(task.start, task.end)
    }
    wild = set(_unresolved(text))
    edges = [
        0,
        *(
            at
            for at in range(1, len(text))
            if (tasks.get(at), at in wild) != (tasks.get(at - 1), at - 1 in wild)
        ),
        len(text),
    ]
    for start, end in pairwise(edges):
        if start < end:
            yield {"text": text[start:end], "task": tasks.get(start), "unresolved": start in wild}


def _unresolved(text: str) -> Iterator[int]:
    """Positions of wildcards, and of braces with their content."""
    prompt = parse_prompt(text)
    if not prompt.unresolved:
        return
    depth = 0
    for token in prompt.tokens:
        depth += token.kind == BRACE_OPEN
        if depth or token.kind == WILDCARD:
            yield from range(token.start, token.end)
        depth = max(0, depth - (token.kind == BRACE_CLOSE))


MOST_BATCHES = 100
_NO_PREVIEW = "There is no preview yet; press Preview first."


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
    is_api: bool = False
    stylus_answers: dict[str, GenerationAnswer] = field(default_factory=dict)


def preview_request(boxes: Sequence[Any], values: PanelValues) -> PreviewRequest:
    """Read prompt, negative, styles, seed, batch count and size, each None if there is no box."""
    prompt, negative, styles, seed, batches, size = boxes
    chosen = tuple(str(style) for style in styles) if isinstance(styles, (list, tuple)) else ()
    return PreviewRequest(
        str(prompt or ""),
        str(negative or ""),
        values,
        chosen,
        _number(seed, -1, -1),
        _number(batches, 1, 1),
        _number(size, 1, 1),
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
            raise InvalidInput(_NO_PREVIEW)
        sent = session.sent
        if new is not None and sent is not None and new.prompt == sent.before:
            session.sent = None
        session.request = request
        plan, family, notes = _planned(planner, session, request)
        session.plan, session.family = plan, family
        session.view = view_of(planner, session, plan, notes)
        return session.view


def _planned(
    planner: Planner, session: PreviewSession, boxes: PreviewRequest
) -> tuple[Plan, str, list[Note]]:
    positive, negative = styled(boxes.prompt, boxes.negative, boxes.styles)
    quiet = planner.aside()
    p = FakeProcessing(boxes.size)
    generation = Generation(p, boxes.values, quiet)
    settings, family = generation.settings()
    stems, notes = generation.stems(family)
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
        corrections=corrections,
        downloads=boxes.values.downloads and family != UNKNOWN and _may_fetch(quiet),
        with_plans=True,
    )
    answer = GenerationRequests(p, quiet).ask(request)
    more = [note for note in more if note not in (CORRECTED, LOCKED)]  # the page shows both
    return answer.plans[0], family, [*notes, *more, *answer.notes]


def _may_fetch(planner: Planner) -> bool:
    """True if missing files may be fetched later; a preview fetches nothing."""
    planner.ready(timeouts().ready_s)
    return not planner.permissions.barred()


def corrections_for(session: PreviewSession) -> PromptCorrections:
    """The corrections of the previewed prompt, started if there are none."""
    if session.request is None:
        raise InvalidInput(_NO_PREVIEW)
    if not session.words:
        session.words = PromptCorrections(
            session.request.prompt, session.request.negative, session.family
        )
    return session.words
