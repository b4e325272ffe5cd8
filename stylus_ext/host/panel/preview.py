"""The panel's preview controls: button, switch, and hidden boxes for `javascript/panel.js`."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stylus_ext.core.errors import StylusError
from stylus_ext.host import compat
from stylus_ext.host.compat import Request
from stylus_ext.host.values import NAMES, PanelValues, read_values

logger = logging.getLogger(__name__)


gr = compat.gr
BOXES = ("prompt", "neg_prompt", "styles", "seed", "batch_count", "batch_size")
_QUICK: Mapping[str, Any] = {"show_progress": "hidden", "queue": False}


def make_preview(tab: str, made: dict[str, Any]) -> dict[str, Any]:
    """Build the controls; generation values are added to `made`."""

    def called(name: str) -> str:
        return f"stylus_{tab}_{name}"

    with gr.Row(elem_classes=["stylus-ask"]):
        button = gr.Button("Preview", elem_id=called("preview"), size="sm")
        made["compare"] = gr.Checkbox(
            label="Compare with base",
            info="one picture more: same seed, no chosen LoRA",
            value=False,
            elem_id=called("compare"),
        )
    made["session_id"] = gr.Textbox(
        label="Stylus page", value="", visible=False, elem_id=called("seat")
    )
    return {
        "button": button,
        "identify": gr.Button("Stylus seat", elem_id=called("sit"), elem_classes=["stylus-aside"]),
        "feed": gr.Textbox(value="", visible=False, elem_id=called("feed")),
    }


def wire_preview(
    tab: str, parts: Mapping[str, Any], made: Mapping[str, Any], hosts: Mapping[str, Any]
) -> None:
    """Wire the events, once per tab."""
    if not compat.on_this_page([parts["button"], parts["feed"]]):
        return
    boxes = {
        name: hosts[name] for name in BOXES if name in hosts and compat.on_this_page([hosts[name]])
    }
    parts["identify"].click(
        fn=None,
        inputs=[],
        outputs=[made["session_id"]],
        **compat.browser_script(_in_page(tab, "session", "")),
    )
    inputs = [*boxes.values(), *(made[name] for name in NAMES)]
    parts["button"].click(
        fn=_answer(tuple(boxes)), inputs=inputs, outputs=[parts["feed"]], **_QUICK
    )
    parts["feed"].change(
        fn=None,
        inputs=[parts["feed"]],
        outputs=[],
        **compat.browser_script(_in_page(tab, "receive", "answer")),
    )


def refresh_after_pictures(tab: str, generation_info: Any) -> None:
    """Refresh the page's view after a generation."""
    generation_info.change(
        fn=None, inputs=[], outputs=[], **compat.browser_script(_in_page(tab, "refresh", ""))
    )


def _in_page(tab: str, name: str, given: str) -> str:
    more = f", {given}" if given else ""
    end = "" if name == "session" else " return [];"
    start = "return " if name == "session" else ""
    fallback = ' return "";' if name == "session" else ""
    return (
        f"({given}) => {{ if (window.stylus && stylus.panel) {{"
        f" {start}stylus.panel.{name}('{tab}'{more}); }}{fallback}{end} }}"
    )


def _answer(names: Sequence[str]) -> Callable[..., str]:
    """Build the handler; gradio needs the annotated request first."""

    def preview(request: Request, *given: Any) -> str:
        boxes = dict(zip(names, given, strict=False))
        return preview_event(boxes, given[len(names) :], request)

    preview.__annotations__ = {"request": Request}
    return preview


_numbers = itertools.count(1)


def preview_event(boxes: Mapping[str, Any], args: Sequence[Any], request: Any) -> str:
    """Run a preview; the answer always differs, so that the page sees every change."""
    number = next(_numbers)
    try:
        answer = _preview(boxes, read_values(args).values, request)
    except StylusError as error:
        logger.info("no preview: %s", error)
        answer = {"error": str(error)}
    return json.dumps({"number": number, **answer})


def _preview(boxes: Mapping[str, Any], values: PanelValues, request: Any) -> dict[str, Any]:
    from stylus_ext.host.planner_registry import current_planner
    from stylus_ext.host.preview import look, preview_request, standing

    planner = current_planner()
    refusal = compat.may(planner.composing.kind(values.composer), request)
    if refusal:
        return {"error": refusal}
    session = planner.sessions.at(values.session_id)
    look(planner, session, preview_request([boxes.get(name) for name in BOXES], values))
    return standing(planner, session)
