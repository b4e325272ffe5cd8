"""What the Preview button does: the page's boxes and the panel's values go in, what is to be shown
comes out as text.
"""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from stylus_ext.core.errors import StylusError
from stylus_ext.environment.problems import EngineGone, EngineRefusal, SetupProblem
from stylus_ext.host import compat
from stylus_ext.host.desks import desk_now
from stylus_ext.host.panel_preview import BOXES
from stylus_ext.host.preview import look, question_of
from stylus_ext.host.preview_view import standing
from stylus_ext.host.values import PanelValues, read_values

logger = logging.getLogger(__name__)
_TROUBLE = (StylusError, EngineGone, EngineRefusal, SetupProblem)
_numbers = itertools.count(1)


def preview_event(boxes: Mapping[str, Any], args: Sequence[Any], request: Any) -> str:
    """Always another text, so that the page hears of each."""
    number = next(_numbers)
    try:
        said = _preview(boxes, read_values(args).values, request)
    except _TROUBLE as error:
        logger.info("no preview: %s", error)
        said = {"error": str(error)}
    return json.dumps({"number": number, **said})


def _preview(boxes: Mapping[str, Any], values: PanelValues, request: Any) -> dict[str, Any]:
    desk = desk_now()
    refusal = compat.may(desk.composing.kind(values.composer), request)
    if refusal:
        return {"error": refusal}
    tray = desk.trays.at(values.seat)
    look(desk, tray, question_of([boxes.get(name) for name in BOXES], values))
    return standing(desk, tray)
