"""The page's actions over keys: entered, forgotten, tried; never shown."""

from __future__ import annotations

from collections.abc import Mapping

from stylus_ext.host.answering import Payload
from stylus_ext.host.guard import Kind
from stylus_ext.host.ui_actions import Action, Asked

_TRYING_S = 60.0


def _keys(asked: Asked) -> Payload:
    return asked.engine("POST", "/v1/keys", asked.payload, _TRYING_S)


def _kind(payload: Payload) -> Kind:
    """A try leaves the machine, and a chat server's may cost something."""
    if payload.get("check"):
        return Kind.SPEND if payload.get("service") == "chat" else Kind.DOWNLOAD
    return Kind.CHANGE if payload.get("enter") or payload.get("forget") else Kind.LOOK


ACTIONS: Mapping[str, Action] = {"keys": Action(_keys, kind_of=_kind)}
