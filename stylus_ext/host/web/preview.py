"""The page's actions on a preview; every answer contains the whole session."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.prompt.insert import pieces, without
from stylus_ext.host.guard import RequestKind
from stylus_ext.host.plan_view import session_view, written_weights
from stylus_ext.host.planner import Planner, current_planner
from stylus_ext.host.preview import NO_PREVIEW, corrections_for, look
from stylus_ext.host.preview_sessions import (
    PickLock,
    PreviewSession,
    PromptCorrections,
    Sent,
    UsedAdapters,
)
from stylus_ext.host.web.responses import Action, ActionRequest, Payload

MOST_WEIGHT = 5
_PLAIN = (str, int, float)
STATES = ("auto", "always", "never")
_ACTS = ("accept", "weight", "reject", "swap", "restore")
_NO_ALTERNATIVE = "No alternative found."
_LOCKED = "The set is locked; unlock it to change which LoRAs are in it."
_CHANGED = "The prompt was changed since this preview; press Preview again."

Handler = Callable[[Planner, PreviewSession, Payload], Payload]


def _action(
    handler: Handler,
    kind: RequestKind = RequestKind.LOOK,
    kind_of: Callable[[Payload], RequestKind] | None = None,
) -> Action:
    """An action on the session that the payload names, under its lock."""

    def run(request: ActionRequest) -> Payload:
        planner = current_planner()
        session = planner.sessions.at(str(request.payload.get("session_id") or ""))
        with session.guard:
            return handler(planner, session, request.payload)

    return Action(run, kind, kind_of)


def _planned_again(planner: Planner, session: PreviewSession, **more: Any) -> Payload:
    """The session after a new plan, if there was a preview."""
    if session.request is not None:
        look(planner, session)
    return {**session_view(planner, session), **more}


def _correct(planner: Planner, session: PreviewSession, payload: Payload) -> Payload:
    act, key = _text(payload, "act"), str(payload.get("key") or "")
    if session.lock is not None:
        _change_lock(session, session.lock, act, key, payload)
    elif act == "afresh":
        session.words = PromptCorrections()
    elif act == "swap":
        return _swap(planner, session, key)
    elif act in _ACTS:
        _change_pick(corrections_for(session), act, key, payload)
    else:
        raise InvalidInput(f"Unknown action {act!r}.")
    look(planner, session)
    return session_view(planner, session)


def _swap(planner: Planner, session: PreviewSession, key: str) -> Payload:
    """Replace a pick by the next candidate; without one, the pick stays as it was."""
    words = corrections_for(session)
    before, kept = _picked(session), copy.deepcopy(words)
    _change_pick(words, "swap", key, {})
    look(planner, session)
    if key in before and not _picked(session) - before:
        session.words = kept
        look(planner, session)
        if session.view is not None:
            session.view["notes"].insert(0, _NO_ALTERNATIVE)
    return session_view(planner, session)


def _picked(session: PreviewSession) -> set[str]:
    picks = () if session.plan is None else session.plan.composition.picks
    return {str(pick.key) for pick in picks}


def _change_pick(words: PromptCorrections, act: str, key: str, payload: Payload) -> None:
    """Replace the user's correction of an adapter; `restore` only removes it."""
    kept = words.keep.get(key, {})
    if act == "weight":
        kept = {"weight": _weight(payload)}
    words.drop(key)
    if act in ("accept", "weight"):
        words.keep[key] = kept
    elif act == "reject":
        words.reject.append(key)
    elif act == "swap":
        words.swap.append(key)


def _change_lock(
    session: PreviewSession, lock: PickLock, act: str, key: str, payload: Payload
) -> None:
    """Remove an adapter from a locked set, or change its weight."""
    if act not in ("reject", "weight") or key not in lock.picks:
        raise InvalidInput(_LOCKED)
    picks = dict(lock.picks)
    if act == "weight":
        picks[key] = (picks[key][0], _weight(payload))
    else:
        del picks[key]
    session.lock = PickLock(lock.family, picks) if picks else None


def _lock(planner: Planner, session: PreviewSession, payload: Payload) -> Payload:
    """Lock the previewed set, or unlock it."""
    plan = session.plan
    if not payload.get("on"):
        session.lock = None
    elif plan is None:
        _put_lock(session, {})
    else:
        weights = written_weights(plan.prompts[0])
        stems = {tag.key: tag.stem for tag in plan.tags}
        picks = {
            str(pick.key): (pick.name, weights[stems[pick.key]])
            for pick in plan.composition.picks
            if stems[pick.key] in weights
        }
        _put_lock(session, picks)
    return _planned_again(planner, session)


def _recall(planner: Planner, session: PreviewSession, payload: Payload) -> Payload:
    """Show the preview that was made for this, with its corrections."""
    given = payload.get("made_for")
    if isinstance(given, Mapping) and all(isinstance(one, _PLAIN) for one in given.values()):
        session.recall(frozenset(given.items()))
    return session_view(planner, session)


def _use_set(planner: Planner, session: PreviewSession, payload: Payload) -> Payload:
    """Lock the set of one picture."""
    tags = _picture(session, payload).tags
    _put_lock(session, {tag.key: (tag.name, tag.weight) for tag in tags if tag.key})
    return _planned_again(planner, session)


def _put_lock(session: PreviewSession, picks: Mapping[str, tuple[str, float]]) -> None:
    if not picks:
        raise InvalidInput(
            "There is no LoRA here that could be kept; press Preview, or make a picture first."
        )
    session.lock, session.words = PickLock(session.family, picks), PromptCorrections()


def _send(planner: Planner, session: PreviewSession, payload: Payload) -> Payload:
    """Write the plan's text into the prompt box."""
    text = str(payload.get("text") or "")
    plan, planned = session.plan, session.request
    if plan is None or planned is None or text != planned.prompt:
        raise InvalidInput(_CHANGED)
    if plan.prompts[0] == plan.prompt:
        raise InvalidInput("There is nothing to write: this plan adds nothing to the prompt.")
    after = plan.prompts[0]
    if plan.prompt != text:  # the box does not have the text of applied styles
        after = text + "".join(pieces(plan.prompt, plan.prompts[0]))
    session.sent = Sent(text, after)
    if session.words:
        session.words.prompt = after
        session.words.keep.clear()  # they stand in the prompt now
    return {**session_view(planner, session), "text": after}


def _take_back(planner: Planner, session: PreviewSession, payload: Payload) -> Payload:
    sent = session.sent
    if sent is None:
        raise InvalidInput("Nothing was written into this prompt.")
    text = without(str(payload.get("text") or ""), sent.before, sent.after)
    if session.words.prompt == sent.after:
        session.words.prompt = text
    session.sent = None
    return {**session_view(planner, session), "text": text}


def _mark(planner: Planner, session: PreviewSession, payload: Payload) -> Payload:
    """Set an adapter to Always or Never in the catalogue."""
    state = _text(payload, "state")
    if state not in STATES:
        raise InvalidInput(f"An adapter is {', '.join(STATES)}; not {state!r}.")
    planner.client.ask("POST", "/v1/edit", {"key": _text(payload, "key"), "state": state})
    return _planned_again(planner, session)


def _wrong(planner: Planner, session: PreviewSession, payload: Payload) -> Payload:
    """Store feedback for prompts like that of a picture, or else of the preview.

    `wrong` false deletes it.
    """
    if "image" in payload:
        prompt = _picture(session, payload).prompt
    elif session.plan is not None:
        prompt = session.plan.prompt
    else:
        raise InvalidInput(NO_PREVIEW)
    feedback = {
        "key": _text(payload, "key"),
        "prompt": prompt,
        "wrong": bool(payload.get("wrong", True)),
    }
    answer = planner.client.ask("POST", "/v1/verdict", feedback)
    return _planned_again(planner, session, times=answer["times"])


def _picture(session: PreviewSession, payload: Payload) -> UsedAdapters:
    place, used = payload.get("image"), session.used()
    if not isinstance(place, int) or not 0 <= place < len(used):
        raise InvalidInput("There is no such picture in the last generation.")
    return used[place]


def _weight(payload: Payload) -> float:
    weight = payload.get("weight")
    if (
        isinstance(weight, bool)
        or not isinstance(weight, (int, float))
        or abs(weight) > MOST_WEIGHT
    ):
        raise InvalidInput(f"A weight is a number between -{MOST_WEIGHT} and {MOST_WEIGHT}.")
    return float(weight)


def _text(payload: Payload, name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidInput(f"The field {name!r} is missing.")
    return value


def _plan_kind(payload: Payload) -> RequestKind:
    """Kind of access for planning again, which may cost money."""
    planner = current_planner()
    session = planner.sessions.of(str(payload.get("session_id") or ""))
    if session is None or session.request is None:
        return RequestKind.PLAN
    return planner.permissions.kind(session.request.values.composer)


ACTIONS: Mapping[str, Action] = {
    "preview": _action(lambda planner, session, _: session_view(planner, session)),
    "correct": _action(_correct, kind_of=_plan_kind),
    "recall": _action(_recall),
    "lock": _action(_lock, kind_of=_plan_kind),
    "use_set": _action(_use_set, kind_of=_plan_kind),
    "send": _action(_send),
    "take_back": _action(_take_back),
    "mark": _action(_mark, RequestKind.CHANGE),
    "wrong": _action(_wrong, RequestKind.CHANGE),
}
