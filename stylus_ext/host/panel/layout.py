"""The accordion in txt2img and img2img, and the tab: gradio components in `PanelValues` order.

`ui()` runs again for API defaults, so nothing is kept beyond a call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from stylus_ext.core.settings import COMBINATIONS, COMPOSERS, SCHEMES
from stylus_ext.host import compat, options
from stylus_ext.host.compat import Request
from stylus_ext.host.panel.wiring import Events
from stylus_ext.host.values import FOLLOW, LAST_SEED, NAMES, PanelValues, defaults_from, families


@dataclass(frozen=True)
class Default:
    """The attributes that the host reads from a component."""

    label: str
    value: Any


def api_defaults() -> list[Any]:
    """Default values in the order of the controls."""
    values = defaults_from(options.read_settings())
    return [Default(name, getattr(values, name)) for name in NAMES]


_RECEIVE = """(answer) => {
    if (window.stylus && stylus.page) stylus.page.receive(answer);
    return [];
}"""
_ASIDE = ["stylus-aside"]


def place(tab: str) -> None:
    """The main mount point of an accordion, or of the Stylus tab (`tab`), with its token."""
    _mount(tab)
    button = gr.Button("Stylus page", elem_id=f"stylus_{tab}_page", elem_classes=_ASIDE)
    box = _hidden(tab, "token", None)
    if compat.on_this_page([button, box]):
        button.click(fn=_issue, inputs=[], outputs=[box], show_progress="hidden", queue=False)
        box.change(fn=None, inputs=[box], outputs=[], **compat.browser_script(_RECEIVE))


def _mount(name: str) -> None:
    """A place that `javascript/` draws into."""
    gr.HTML(
        value=f'<div id="stylus_{name}_mount" class="stylus-mount"></div>',
        elem_id=f"stylus_{name}_place",
        elem_classes=["stylus-place"],
    )


def _issue(request: Request) -> str:
    """A page token, or the reason why there is none."""
    from stylus_ext.host.allowed_hosts import PAGES

    return compat.may("look", request) or PAGES.issue()


gr = compat.gr
PREFIX = "stylus"
_LABELS = {
    "enabled": "Stylus",
    "composer": "Composer",
    "max_adapters": "Max LoRAs",
    "per_task": "Max per concept",
    "strength": "Strength",
    "diversity": "Vary LoRAs between batches",
    "downloads": "Fetch missing LoRAs",
    "vary_inside_batch": "Different LoRAs for each image",
    "seed": "Selection seed",
    "family": "Base model",
    "replay": "Stylus replay",
    "combination": "How LoRAs are combined",
    "compare": "Also generate without LoRAs (same seed)",
}
_INFO = {
    "composer": "rules: offline; chat: asks the language model that is set",
    "diversity": "varied: never without a LoRA",
    "combination": "auto: at different times from three LoRAs on",
    "seed": f"{FOLLOW} follows the picture's seed",
    "family": "auto: found from the checkpoint",
}
_SENT = (
    "enabled",
    "max_adapters",
    "per_task",
    "strength",
    "diversity",
    "vary_inside_batch",
    "seed",
    "combination",
)


@dataclass(frozen=True, slots=True)
class Panel:
    controls: list[Any]
    infotext_fields: list[tuple[Any, Callable[[dict[str, Any]], Any]]]
    paste_field_names: list[str]


def element(tab: str, name: str) -> str:
    """Element id of a part of the panel."""
    return f"{PREFIX}_{tab}_{name}"


def build_panel(
    tab: str, hosts: Mapping[str, Any], on_after_component: Callable[..., None] | None
) -> Panel:
    """Build the panel; `hosts` are the host's components of this tab, such as its prompt."""
    defaults = defaults_from(options.read_settings())
    made: dict[str, Any] = {}
    with _accordion(tab, made):
        state = gr.HTML(value="", elem_id=element(tab, "state"), elem_classes=["stylus-state"])
        with gr.Row(elem_classes=["stylus-setup"]):
            buttons = {
                "set_up": gr.Button(
                    "Set up", elem_id=element(tab, "set_up"), visible=False, variant="primary"
                ),
                "retry": gr.Button("Retry", elem_id=element(tab, "retry"), visible=False),
            }
        buttons["look"] = gr.Button(
            "Stylus state", elem_id=element(tab, "look"), elem_classes=_ASIDE
        )
        preview = _preview_controls(tab, made)
        buttons["afresh"] = gr.Button(
            "Restore my prompt and choose again",
            elem_id=element(tab, "afresh"),
            visible=False,
            size="sm",
        )
        with gr.Row():
            for name in ("max_adapters", "strength"):
                made[name] = _slider(tab, name, defaults)
        place(tab)
        with gr.Accordion("More options", open=False, elem_id=element(tab, "more")):
            _more_options(tab, made, defaults)
            _mount(f"{tab}_more")
        made["replay"] = _hidden(tab, "replay", _LABELS["replay"])
    events = Events(tab, made, state, buttons)
    events.wire(hosts.get("prompt"), hosts.get("generate"), on_after_component)
    events.wire_preview(preview, hosts)
    names = [_label(name) for name in _SENT]
    return Panel([made[name] for name in NAMES], list(_fields(made)), names)


def _preview_controls(tab: str, made: dict[str, Any]) -> dict[str, Any]:
    """Preview and, drawn by `javascript/`, the buttons beside it."""
    with gr.Row(elem_classes=["stylus-ask"]):
        button = gr.Button("Preview", elem_id=element(tab, "preview"))
        _mount(f"{tab}_tools")
    made["session_id"] = _hidden(tab, "seat", "Stylus page")
    return {
        "button": button,
        "identify": gr.Button("Stylus seat", elem_id=element(tab, "sit"), elem_classes=_ASIDE),
        "feed": _hidden(tab, "feed", None),
    }


def _more_options(tab: str, made: dict[str, Any], defaults: PanelValues) -> None:
    with gr.Row():
        made["per_task"] = _slider(tab, "per_task", defaults)
        made["seed"] = gr.Number(
            label=_LABELS["seed"],
            info=_INFO["seed"],
            value=FOLLOW,
            minimum=FOLLOW,
            maximum=LAST_SEED,
            precision=0,
            elem_id=element(tab, "seed"),
        )
    with gr.Row():
        made["diversity"] = _dropdown(tab, "diversity", list(SCHEMES), defaults)
        made["family"] = _dropdown(tab, "family", list(families()), defaults)
    made["combination"] = _dropdown(tab, "combination", list(COMBINATIONS), defaults)
    made["composer"] = _dropdown(
        tab, "composer", list(COMPOSERS), defaults, visible=False
    )  # until an engine says that it has several
    with gr.Row(elem_classes=["stylus-checks"]):
        made["vary_inside_batch"] = _checkbox(tab, "vary_inside_batch", True)
        made["compare"] = _checkbox(tab, "compare", True)
    made["downloads"] = _checkbox(tab, "downloads", False)
    gr.Checkbox(label="Preview while I type", value=False, elem_id=element(tab, "live"))


def _accordion(tab: str, made: dict[str, Any]) -> Any:
    """The accordion with its switch: InputAccordion, or a checkbox before A1111 1.6."""
    maker = compat.input_accordion()
    if maker is not None:
        made["enabled"] = maker(False, label=_LABELS["enabled"], elem_id=element(tab, "enabled"))
        return made["enabled"]
    accordion = gr.Accordion(_LABELS["enabled"], open=False, elem_id=element(tab, "accordion"))
    with accordion:
        made["enabled"] = gr.Checkbox(label="Enable", value=False, elem_id=element(tab, "enabled"))
    return accordion


def _fields(made: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Paste fields: component and function of the infotext.

    "Send to" needs named fields, which the host finds by equality.
    """
    for name in NAMES:
        if name in _SENT:
            yield made[name], NamedPasted(_label(name), name)
        else:
            yield made[name], partial(_pasted, name)


class NamedPasted(str):
    """A callable that equals its name: "send to img2img" looks the name up, a paste calls it."""

    name: str
    __slots__ = ("name",)

    def __new__(cls, label: str, name: str) -> NamedPasted:
        made = super().__new__(cls, label)
        made.name = name
        return made

    def __call__(self, params: dict[str, Any]) -> Any:
        return _pasted(self.name, params)


def _pasted(name: str, params: dict[str, Any]) -> Any:
    from stylus_ext.host import infotext  # reads prompts, which building the page does not need

    return infotext.pasted(name, params)


def _label(name: str) -> str:
    return f"Stylus {name.replace('_', ' ')}"


def _slider(tab: str, name: str, defaults: PanelValues) -> Any:
    limits = options.limits(name)
    step = 0.05 if isinstance(getattr(defaults, name), float) else 1
    return gr.Slider(
        label=_LABELS[name],
        info=_INFO.get(name),
        value=getattr(defaults, name),
        minimum=limits[0],
        maximum=limits[1],
        step=step,
        elem_id=element(tab, name),
    )


def _dropdown(
    tab: str, name: str, choices: list[str], defaults: PanelValues, visible: bool = True
) -> Any:
    return gr.Dropdown(
        label=_LABELS[name],
        info=_INFO.get(name),
        choices=choices,
        value=getattr(defaults, name),
        visible=visible,
        elem_id=element(tab, name),
    )


def _hidden(tab: str, name: str, label: str | None) -> Any:
    """A text box that only the page's scripts and events use."""
    return gr.Textbox(label=label, value="", visible=False, elem_id=element(tab, name))


def _checkbox(tab: str, name: str, visible: bool) -> Any:
    return gr.Checkbox(
        label=_LABELS[name],
        info=_INFO.get(name),
        value=False,
        visible=visible,
        elem_id=element(tab, name),
    )


LABEL, NAME = "Stylus", "stylus"


def make_tab() -> list[tuple[Any, str, str]]:
    """The tab for `on_ui_tabs`: blocks, label, id suffix."""
    with compat.gr.Blocks(analytics_enabled=False) as blocks:
        place("tab")
    return [(blocks, LABEL, NAME)]
