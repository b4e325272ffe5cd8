"""The page's actions on a preview; every answer contains the whole session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.prompt.insert import without
from stylus_ext.host.guard import RequestKind
from stylus_ext.host.planner import Planner
from stylus_ext.host.planner_registry import current_planner
from stylus_ext.host.preview import look, standing, words_for, written_weights
from stylus_ext.host.preview_sessions import (
    PickLock,
    PreviewSession,
    PromptCorrections,
    Sent,
    UsedAdapters,
)
from stylus_ext.host.web.action import Action, ActionRequest
from stylus_ext.host.web.responses import Payload

_LOCKED = "The set is locked; unlock it to change which LoRAs are in it."
_CHANGED = "The prompt was changed since this preview; press Preview again."
MOST_WEIGHT = 5
STATES = ("auto", "always", "never")


def shown(planner: Planner, session: PreviewSession, **more: Any) -> Payload:
    return {**standing(planner, session), **more}


def _show(request: ActionRequest) -> Payload:
    """Return the session without planning, for a freshly loaded page."""
    return shown(current_planner(), _session(request))


def _correct(request: ActionRequest) -> Payload:
    planner, session = current_planner(), _session(request)
    act, key = _text(request, "act"), str(request.payload.get("key") or "")
    with session.guard:
        if session.lock is not None:
            _change_lock(session, act, key, request.payload)
        elif act == "afresh":
            session.words = PromptCorrections()
        elif act in _ACTS:
            _ACTS[act](words_for(session), key, request.payload)
        else:
            raise InvalidInput(f"A card knows no {act!r}.")
        look(planner, session)
        return shown(planner, session)


def _keep(words: PromptCorrections, key: str, fields: Mapping[str, Any]) -> None:  # noqa: ARG001
    before = words.keep.get(key, {})
    words.out(key)
    words.keep[key] = before


def _weigh(words: PromptCorrections, key: str, fields: Mapping[str, Any]) -> None:
    words.out(key)
    words.keep[key] = {"weight": _weight(fields)}


def _reject(words: PromptCorrections, key: str, fields: Mapping[str, Any]) -> None:  # noqa: ARG001
    words.out(key)
    words.reject.append(key)


def _swap(words: PromptCorrections, key: str, fields: Mapping[str, Any]) -> None:  # noqa: ARG001
    words.out(key)
    words.swap.append(key)


def _restore(words: PromptCorrections, key: str, fields: Mapping[str, Any]) -> None:  # noqa: ARG001
    words.out(key)


_ACTS: Mapping[str, Callable[[PromptCorrections, str, Mapping[str, Any]], None]] = {
    "accept": _keep,
    "weight": _weigh,
    "reject": _reject,
    "swap": _swap,
    "restore": _restore,
}


def _change_lock(session: PreviewSession, act: str, key: str, fields: Mapping[str, Any]) -> None:
    """Remove an adapter from a locked set, or change its weight."""
    lock = session.lock
    if lock is None or act not in ("reject", "weight") or key not in lock.picks:
        raise InvalidInput(_LOCKED)
    picks = dict(lock.picks)
    name, _ = picks.pop(key)
    if act == "weight":
        picks = {
            locked: (name, _weight(fields)) if locked == key else lock.picks[locked]
            for locked in lock.picks
        }
    session.lock = PickLock(lock.family, picks) if picks else None


def _lock(request: ActionRequest) -> Payload:
    planner, session = current_planner(), _session(request)
    with session.guard:
        if not request.payload.get("on"):
            session.lock = None
        else:
            plan = session.plan
            weights = {} if plan is None else written_weights(plan.prompts[0])
            stems = {} if plan is None else {tag.key: tag.stem for tag in plan.tags}
            picks = () if plan is None else plan.composition.picks
            _put_lock(
                session,
                {
                    str(pick.key): (pick.name, weights[stems[pick.key]])
                    for pick in picks
                    if stems[pick.key] in weights
                },
            )
        if session.request is not None:
            look(planner, session)
        return shown(planner, session)


def _use_set(request: ActionRequest) -> Payload:
    """Lock the set of one picture."""
    planner, session = current_planner(), _session(request)
    with session.guard:
        picture = _picture(session, request)
        _put_lock(session, {tag.key: (tag.name, tag.weight) for tag in picture.tags if tag.key})
        if session.request is not None:
            look(planner, session)
        return shown(planner, session)


def _put_lock(session: PreviewSession, picks: Mapping[str, tuple[str, float]]) -> None:
    if not picks:
        raise InvalidInput(
            "There is no LoRA here that could be kept; press Preview, or make a picture first."
        )
    session.lock, session.words = PickLock(session.family, picks), PromptCorrections()


def _send(request: ActionRequest) -> Payload:
    """Write the plan's text into the prompt box."""
    planner, session = current_planner(), _session(request)
    text = str(request.payload.get("text") or "")
    with session.guard:
        plan, planned = session.plan, session.request
        if plan is None or planned is None or text != planned.prompt:
            raise InvalidInput(_CHANGED)
        if plan.prompts[0] == plan.prompt:
            raise InvalidInput("There is nothing to write: this plan adds nothing to the prompt.")
        after = (
            plan.prompts[0] if plan.prompt == text else _into(text, plan.prompt, plan.prompts[0])
        )
        session.sent = Sent(text, after)
        if session.words:
            session.words.prompt = after
            session.words.keep.clear()  # they stand in the prompt now
        return shown(planner, session, text=after)


def _into(text: str, planned: str, written: str) -> str:
    """Add the plan's additions to the box, without the text of applied styles."""
    from stylus_ext.core.prompt.insert import pieces

    return text + "".join(pieces(planned, written))


def _take_back(request: ActionRequest) -> Payload:
    planner, session = current_planner(), _session(request)
    with session.guard:
        if session.sent is None:
            raise InvalidInput("Nothing was written into this prompt.")
        text = without(
            str(request.payload.get("text") or ""), session.sent.before, session.sent.after
        )
        if session.words.prompt == session.sent.after:
            session.words.prompt = text
        session.sent = None
        return shown(planner, session, text=text)


def _mark(request: ActionRequest) -> Payload:
    """Set an adapter to Always or Never in the catalogue."""
    planner, session = current_planner(), _session(request)
    state = _text(request, "state")
    if state not in STATES:
        raise InvalidInput(f"An adapter is {', '.join(STATES)}; not {state!r}.")
    planner.client.ask("POST", "/v1/edit", {"key": _text(request, "key"), "state": state})
    with session.guard:
        if session.request is not None:
            look(planner, session)
        return shown(planner, session)


def _wrong(request: ActionRequest) -> Payload:
    """Store feedback for similar prompts; `wrong` false deletes it."""
    planner, session = current_planner(), _session(request)
    wrong = bool(request.payload.get("wrong", True))
    with session.guard:
        prompt = _picture(session, request).prompt
        answer = planner.client.ask(
            "POST", "/v1/verdict", {"key": _text(request, "key"), "prompt": prompt, "wrong": wrong}
        )
        if session.request is not None:
            look(planner, session)
        return shown(planner, session, times=answer["times"])


def _picture(session: PreviewSession, request: ActionRequest) -> UsedAdapters:
    place, used = request.payload.get("image"), session.used()
    if not isinstance(place, int) or not 0 <= place < len(used):
        raise InvalidInput("There is no such picture in the last generation.")
    return used[place]


def _weight(fields: Mapping[str, Any]) -> float:
    weight = fields.get("weight")
    if (
        isinstance(weight, bool)
        or not isinstance(weight, (int, float))
        or abs(weight) > MOST_WEIGHT
    ):
        raise InvalidInput(f"A weight is a number between -{MOST_WEIGHT} and {MOST_WEIGHT}.")
    return float(weight)


def _text(request: ActionRequest, name: str) -> str:
    value = request.payload.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidInput(f"The field {name!r} is missing.")
    return value


def _session(request: ActionRequest) -> PreviewSession:
    return current_planner().sessions.at(str(request.payload.get("session_id") or ""))


def _plans(payload: Payload) -> RequestKind:
    """Kind of access for planning again, which may cost money."""
    session = current_planner().sessions.of(str(payload.get("session_id") or ""))
    planned = None if session is None else session.request
    return (
        RequestKind.PLAN
        if planned is None
        else current_planner().composing.kind(planned.values.composer)
    )


ACTIONS: Mapping[str, Action] = {
    "preview": Action(_show),
    "correct": Action(_correct, kind_of=_plans),
    "lock": Action(_lock, kind_of=_plans),
    "use_set": Action(_use_set, kind_of=_plans),
    "send": Action(_send),
    "take_back": Action(_take_back),
    "mark": Action(_mark, RequestKind.CHANGE),
    "wrong": Action(_wrong, RequestKind.CHANGE),
}
