"""The page's dry run: nothing goes in but a click; a job of the engine over the host's own newest
pictures comes out. Nothing is rendered.
"""

from __future__ import annotations

from collections.abc import Mapping

from stylus_ext.core.errors import InvalidInput
from stylus_ext.host import inquiry, options
from stylus_ext.host.answering import Payload
from stylus_ext.host.desks import desk_now
from stylus_ext.host.engine_report import EngineState
from stylus_ext.host.guard import Kind
from stylus_ext.host.ui_actions import Action, Asked
from stylus_ext.host.ui_jobs import picture_folders

PROMPTS = 50


def _rehearse(asked: Asked) -> Payload:
    desk = desk_now()
    if desk.engine.report().state is EngineState.REMOTE:
        raise InvalidInput(
            "The shared engine does not see this WebUI's pictures; an engine of its own can"
            " rehearse with them."
        )
    folders = picture_folders()
    if not folders:
        raise InvalidInput(
            "The WebUI has no folder of pictures yet, so there are no prompts to rehearse with."
        )
    said = inquiry.for_caller(desk, {})
    return asked.engine("POST", "/v1/jobs/rehearse", {**said, "folders": folders, "count": PROMPTS})


def _kind(_: Payload) -> Kind:
    """Who composes and ranks by the settings page may cost money, fifty times."""
    return desk_now().composing.kind(options.read_settings().selection.composer)


ACTIONS: Mapping[str, Action] = {"rehearse": Action(_rehearse, kind_of=_kind)}
