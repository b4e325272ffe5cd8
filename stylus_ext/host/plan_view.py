"""What the page shows of a preview session, as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Mask, Pick
from stylus_ext.core.errors import Note, StylusError
from stylus_ext.core.family import ANY, UNKNOWN, display_name
from stylus_ext.core.plan import Plan
from stylus_ext.core.prompt.insert import pieces
from stylus_ext.core.prompt.parse import BRACE_CLOSE, BRACE_OPEN, WILDCARD, parse_prompt
from stylus_ext.core.settings import WeightSettings
from stylus_ext.core.tags import ADAPTER_KINDS, weigh
from stylus_ext.host import compat
from stylus_ext.host.checkpoint import loaded_family
from stylus_ext.host.planner import Planner
from stylus_ext.host.preview_sessions import PreviewSession
from stylus_ext.host.values import COMPARED

MOST_COMBINATIONS = 24
_FLAGS = re.compile(r" \((?:try )?`--[^`]*`[^()]*\)")
"""Flags of the command line in a reason; the panel has controls of its own."""


@dataclass(frozen=True, slots=True)
class PlanAnswer:
    """A plan with what it was made for."""

    plan: Plan
    family: str
    weights: WeightSettings
    notes: Sequence[Note]


def view_of(planner: Planner, session: PreviewSession, answer: PlanAnswer) -> dict[str, Any]:
    """A plan as JSON; `exact` if the seeds are those that will be used."""
    plan, request = answer.plan, session.request
    out = {*session.words.reject, *session.words.swap}
    uncapped = _uncapped(plan, answer.weights)
    cards = cards_of(
        planner,
        [
            *(str(pick.key) for pick in plan.composition.picks),
            *(str(miss.key) for miss in plan.composition.near_misses),
        ],
    )
    return {
        "pieces": list(_pieces(plan.prompt, plan.prompts[0])),
        "negative_added": "".join(pieces(plan.negative_prompt, plan.negative_prompts[0])),
        "tasks": [
            {
                "text": task.text,
                "start": task.start,
                "taken_by": task.taken_by,
                "picks": [str(pick.key) for pick in plan.composition.of_task(task.start)],
            }
            for task in plan.composition.tasks
        ],
        "picks": [
            _pick(plan, pick, session, cards) | {"lowered_from": uncapped.get(pick.key)}
            for pick in plan.composition.picks
        ],
        "cap": answer.weights.total_cap,
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
        "notes": list(dict.fromkeys(note.text for note in answer.notes)),
    }


def _combination(plan: Plan, mask: Mask) -> list[str]:
    """The names of the active picks, and whether their weights are not those of the first batch."""
    suffix = "" if mask.weight_factor == 1 else " (other weight)"
    return [f"{pick.name}{suffix}" for pick in plan.composition.all_picks if pick.key in mask.on]


def made_for(request: Any) -> dict[str, Any]:
    """What a preview was made for, as far as the page can see whether it is still so."""
    values = {name: getattr(request.values, name) for name in COMPARED}
    return {"prompt": request.prompt, "negative": request.negative, **values}


def loaded_family_name(planner: Planner) -> str:
    return loaded_family(planner.remembered).family


def fingerprint(request: Any) -> frozenset[tuple[str, Any]]:
    return frozenset(made_for(request).items())


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
        "made_for": None if session.request is None else made_for(session.request),
        "other_model": bool(session.view) and session.seen_family != loaded_family_name(planner),
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
        "sent_prompt": None if session.sent is None else session.sent.after,
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
        "schedule": list(plan.schedules[0].get(pick.key, ())) if plan.schedules else [],
        "stem": tag.stem,
        "on_disk": tag.on_disk,
        "to_download": 0 if missing is None else missing.size,
        "card": cards.get(key),
    }


def written_weights(prompt: str) -> dict[str, float]:
    """Weights by the name in each tag, as the host reads them."""
    tags = (tag for tag in parse_prompt(prompt).user_tags if tag.kind in ADAPTER_KINDS)
    return {tag.name: 1.0 if tag.weight is None else tag.weight for tag in tags}


def _uncapped(plan: Plan, settings: WeightSettings) -> dict[AdapterKey, float]:
    """The weights that the limit on their sum has lowered, as they would be without it."""
    tags = written_weights(plan.prompts[0])
    stems = {tag.key: tag.stem for tag in plan.tags}
    full = weigh(plan.composition, plan.masks[0], replace(settings, total_cap=0.0))
    return {
        key: weight
        for key, weight in full.items()
        if abs(weight) > abs(tags.get(stems.get(key, ""), weight))
    }


def _pieces(before: str, after: str) -> Iterator[dict[str, Any]]:
    """The resulting prompt, cut where something was added or is unresolved."""
    added = _added(before, after)
    wild = set(_unresolved(after))
    marks = [(place in added, place in wild) for place in range(len(after))]
    start = 0
    for place in range(1, len(after) + 1):
        if place == len(after) or marks[place] != marks[start]:
            is_added, unresolved = marks[start]
            yield {"text": after[start:place], "added": is_added, "unresolved": unresolved}
            start = place


def _added(before: str, after: str) -> set[int]:
    """Positions in `after` that are not in `before`."""
    found: set[int] = set()
    at = kept = 0
    for piece in pieces(before, after):
        place = after.find(piece, at)
        while place >= 0 and after[at:place] != before[kept : kept + place - at]:
            place = after.find(piece, place + 1)
        if place < 0:
            return found
        found.update(range(place, place + len(piece)))
        kept, at = kept + place - at, place + len(piece)
    return found


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
