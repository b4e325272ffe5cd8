"""The page's actions that the engine alone answers: its status and its jobs."""

from __future__ import annotations

from collections.abc import Mapping

from stylus_ext.host import api
from stylus_ext.host.answering import Payload
from stylus_ext.host.ui_actions import Action, Asked


def _status(asked: Asked) -> Payload:
    """Starts nothing."""
    return api.status(asked.process)


ACTIONS: Mapping[str, Action] = {"status": Action(_status)}
