"""What the page shows of a plan: a plan and the cards of its adapters go in, plain JSON comes out;
the page adds nothing to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from stylus_ext.core.composition import Pick
from stylus_ext.core.errors import Note, StylusError
from stylus_ext.core.plan import Plan
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.prompt.tokens import BRACE_CLOSE, BRACE_OPEN, WILDCARD
from stylus_ext.core.tags.weights import ADAPTER_KINDS
from stylus_ext.environment.problems import EngineGone, EngineRefusal
from stylus_ext.host import compat
from stylus_ext.host.ui_catalogue import pictured

if TYPE_CHECKING:
    from stylus_ext.host.desk import Desk
    from stylus_ext.host.trays import Tray

MOST_COMBINATIONS = 24


@dataclass(frozen=True, slots=True)
class Seen:
    """A plan with what is said about it; `exact` where the seeds are those that will be used."""

    plan: Plan
    notes: tuple[Note, ...]
    took_ms: int
    exact: bool


def view_of(desk: Desk, tray: Tray, seen: Seen) -> dict[str, Any]:
    plan, out = seen.plan, {*tray.words.reject, *tray.words.swap}
    cards = cards_of(
        desk,
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
        "picks": [_pick(plan, pick, tray, cards) for pick in plan.composition.picks],
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


def standing(desk: Desk, tray: Tray) -> dict[str, Any]:
    """All that the tray holds: what a page that was just loaded shows, too.

    Each has a number, given before it is read: whatever a click changed, its own answer has a later
    number than older answers.
    """
    number = next(tray.numbers)
    lock, used = tray.lock, tray.used()
    cards = cards_of(desk, [tag.key for one in used for tag in one.tags if tag.key])
    return {
        "number": number,
        "view": tray.view,
        "corrected": bool(tray.words),
        "lock": (
            None
            if lock is None
            else [
                {"key": key, "name": name, "weight": weight}
                for key, (name, weight) in lock.picks.items()
            ]
        ),
        "sent": tray.sent is not None,
        "used": [
            {
                "seed": one.seed,
                "off": list(one.off),
                "tags": [{**asdict(tag), "card": cards.get(tag.key)} for tag in one.tags],
            }
            for one in used
        ],
    }


def cards_of(desk: Desk, keys: Sequence[str]) -> dict[str, Any]:
    """What the engine says of them; a plan is shown without, rather than not at all."""
    if not keys:
        return {}
    try:
        cards = dict(
            desk.client.ask("POST", "/v1/cards", {"keys": list(dict.fromkeys(keys))})["cards"]
        )
    except (StylusError, EngineGone, EngineRefusal, KeyError):
        return {}
    files = compat.listed_files()
    return {key: {**card, "picture": pictured(files, card)} for key, card in cards.items()}


def _pick(plan: Plan, pick: Pick, tray: Tray, cards: Mapping[str, Any]) -> dict[str, Any]:
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
        "said": pick.said,
        "kept": key in tray.words.keep,
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
