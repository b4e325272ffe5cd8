"""The page's actions about the engine itself: what it is, where it is, what leaves the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from stylus_ext import __version__
from stylus_ext.core.errors import StylusError
from stylus_ext.host import compat
from stylus_ext.host.answering import Payload
from stylus_ext.host.engine_client import EngineClient, answers
from stylus_ext.host.guard import Kind
from stylus_ext.host.ui_actions import Action, Asked

_STATUS_S = 5.0


def _status(asked: Asked) -> Payload:
    """Starts nothing; `told` is all that the engine says of itself, once it answers."""
    report = asked.process.report()
    told: dict[str, Any] | None = None
    trouble = ""
    if answers(asked.process):
        try:
            told = EngineClient(asked.process).status(_STATUS_S)
        except StylusError as error:
            trouble = str(error)
    engine = asdict(report) | {"state": report.state.value, "shared": asked.process.remote}
    return {
        "version": __version__,
        "engine": engine,
        "told": told,
        "trouble": trouble,
        "lora_folders": compat.lora_folders(),
    }


def _wake(asked: Asked) -> Payload:
    """As ticking the box in the panel does."""
    asked.process.start()
    return _status(asked)


ACTIONS: Mapping[str, Action] = {"status": Action(_status), "wake": Action(_wake, Kind.PLAN)}
