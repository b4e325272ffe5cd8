"""A plan without a picture: what the boxes of the page say goes in, what the next pictures would be
made with comes out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from modules import shared

from stylus_ext.core.composition import Pick
from stylus_ext.core.errors import InvalidInput, Note, StylusError
from stylus_ext.core.family import UNKNOWN
from stylus_ext.core.generation import GenerationAnswer, GenerationRequest, Texts
from stylus_ext.core.plan import Plan
from stylus_ext.core.prompt.parse import BRACE_CLOSE, BRACE_OPEN, WILDCARD, parse_prompt
from stylus_ext.core.tags import ADAPTER_KINDS
from stylus_ext.host import compat, options
from stylus_ext.host.generation import Generation
from stylus_ext.host.pictures import pictured
from stylus_ext.host.plan_request import GenerationRequests
from stylus_ext.host.planner import Planner
from stylus_ext.host.preview_sessions import CORRECTED, LOCKED, PreviewSession, PromptCorrections
from stylus_ext.host.values import LAST_SEED, PanelValues


def styled(prompt: str, negative: str, styles: Sequence[str]) -> tuple[str, str]:
    """With the texts of the selected styles; all three hosts have one table of them."""
    table: Any = getattr(shared, "prompt_styles", None)
    if table is None or not styles:
        return prompt, negative
    return (
        str(table.apply_styles_to_prompt(prompt, list(styles))),
        str(table.apply_negative_styles_to_prompt(negative, list(styles))),
    )


MOST_COMBINATIONS = 24


@dataclass(frozen=True, slots=True)
class Seen:
    """A plan with what is said about it; `exact` where the seeds are those that will be used."""

    plan: Plan
    notes: tuple[Note, ...]
    took_ms: int
    exact: bool


def view_of(planner: Planner, session: PreviewSession, seen: Seen) -> dict[str, Any]:
    plan, out = seen.plan, {*session.words.reject, *session.words.swap}
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
                "reason": miss.reason,
                "mine": str(miss.key) in out,
                "card": cards.get(str(miss.key)),
            }
            for miss in plan.composition.near_misses
        ],
        "combinations": [
            [pick.name for pick in plan.composition.picks if pick.key in mask.on]
            for mask in plan.masks[:MOST_COMBINATIONS]
        ],
        "batches": len(plan.masks),
        "exact": seen.exact,
        "prompt": plan.prompts[0],
        "family": plan.family,
        "took_ms": seen.took_ms,
        "notes": [note.text for note in seen.notes],
    }


def standing(planner: Planner, session: PreviewSession) -> dict[str, Any]:
    """All that the tray holds: what a page that was just loaded shows, too.

    Each has a number, given before it is read: whatever a click changed, its own answer has a later
    number than older answers.
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
    """What the engine says of them; a plan is shown without, rather than not at all."""
    if not keys:
        return {}
    try:
        cards = dict(
            planner.client.ask("POST", "/v1/cards", {"keys": list(dict.fromkeys(keys))})["cards"]
        )
    except (StylusError, KeyError):
        return {}
    files = compat.listed_files()
    return {key: {**card, "picture": pictured(files, card)} for key, card in cards.items()}


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
    """By the name in each tag its weight, as the host reads it."""
    tags = (tag for tag in parse_prompt(prompt).user_tags if tag.kind in ADAPTER_KINDS)
    return {tag.name: 1.0 if tag.weight is None else tag.weight for tag in tags}


def _pieces(plan: Plan) -> Iterator[dict[str, Any]]:
    """The prompt, cut where tasks and what is not resolved yet begin and end."""
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
    """Places of wildcards, and of braces with what stands between them."""
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
    """What the page's boxes said when somebody pressed Preview; a seed below 0 is any."""

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
        """The first of each batch, as the host would give them out."""
        first = self.values.seed if self.values.seed >= 0 else max(0, self.seed)
        batches = self.batches * (self.batch_size if self.values.vary_inside_batch else 1)
        return [
            min(first + number * self.size, LAST_SEED)
            for number in range(min(batches, MOST_BATCHES))
        ]


@dataclass
class FakeProcessing:
    """In the place of the host's `p`, for a picture that is not made."""

    batch_size: int
    is_api: bool = False
    stylus_answers: dict[str, GenerationAnswer] = field(default_factory=dict)


def preview_request(boxes: Sequence[Any], values: PanelValues) -> PreviewRequest:
    """`boxes` are prompt, negative prompt, styles, seed, batch count and batch size as gradio gives
    them, as far as there are any.
    """
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
    """Asks the engine for this request, or for the last one again; what the page shows of it stays
    on the tray.
    """
    with session.guard:
        request = new or session.request
        if request is None:
            raise InvalidInput(_NO_PREVIEW)
        if new is not None and session.sent is not None and new.prompt == session.sent.before:
            session.sent = None
        session.request = request
        began = time.perf_counter()
        plan, family, notes = _planned(planner, session, request)
        took = round(1000 * (time.perf_counter() - began))
        session.plan, session.family = plan, family
        seen = Seen(
            plan,
            tuple(dict.fromkeys(notes)),
            took,
            exact=request.seed >= 0 or request.values.seed >= 0,
        )
        session.view = view_of(planner, session, seen)
        return session.view


def _planned(
    planner: Planner, session: PreviewSession, request: PreviewRequest
) -> tuple[Plan, str, list[Note]]:
    positive, negative = styled(request.prompt, request.negative, request.styles)
    quiet = planner.aside()
    p = FakeProcessing(request.size)
    generation = Generation(p, request.values, quiet)
    settings, family = generation.settings()
    stems, notes = generation.stems(family)
    corrections, more = session.corrections(request.prompt, request.negative, family)
    seeds = [first + image for first in request.seeds() for image in range(request.size)]
    texts = Texts(
        (compat.without_comments(positive),) * len(seeds),
        (compat.without_comments(negative),) * len(seeds),
    )
    whole = GenerationRequest(
        texts,
        tuple(min(seed, LAST_SEED) for seed in seeds),
        request.size,
        options.plan_values(settings),
        tuple(stems),
        corrections=corrections,
        downloads=request.values.downloads and family != UNKNOWN and _may_fetch(quiet),
        with_plans=True,
    )
    answer = GenerationRequests(p, quiet).ask(whole)
    planner.learned(quiet)
    more = [note for note in more if note not in (CORRECTED, LOCKED)]  # the page shows both
    return answer.plans[0], family, [*notes, *more, *answer.notes]


def _may_fetch(planner: Planner) -> bool:
    """What may be fetched later is shown; nothing is fetched for a preview."""
    planner.ready(options.timeouts().ready_s)
    return not planner.downloads.barred()


def words_for(session: PreviewSession) -> PromptCorrections:
    """The user's words for what was previewed; the first of them begins the list."""
    if session.request is None:
        raise InvalidInput(_NO_PREVIEW)
    if not session.words:
        session.words = PromptCorrections(
            session.request.prompt, session.request.negative, session.family
        )
    return session.words
