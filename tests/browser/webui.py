"""The double's host with a page of the real gradio: tabs, prompts, a button and a gallery under the
host's ids.

Runs where a gradio is, without pytest. What the double knows of hooks, prompts and infotexts stays
as it is.
"""

from __future__ import annotations

import functools
import hashlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
from PIL import Image

from tests.host.double import processing as way
from tests.host.double.processing import Processing
from tests.host.double.webui import Host, Runner

TABS = ("txt2img", "img2img")
GRADIO_4 = int(gr.__version__.split(".", maxsplit=1)[0]) >= 4
_JS = "js" if GRADIO_4 else "_js"
# as Forge does: no .pyi files beside the sources, and what is made anew on an update is the box
# alone
if GRADIO_4:
    gr.component_meta.create_or_modify_pyi = lambda *_: None
    gr.component_meta.updateable = lambda made: made
# What stands beside an accordion in the host's page: a box in its head that opens it, follows it,
# and is the hidden one's.
LINK_ACCORDIONS = """() => {
    window.inputAccordionChecked = (id, checked) => {
        const box = document.getElementById(id + '-visible-checkbox');
        if (box && box.checked !== checked) { box.checked = checked; box.dispatchEvent(new Event('input')); }
    };
    for (const accordion of document.querySelectorAll('.input-accordion')) {
        const head = accordion.querySelector('.label-wrap');
        const hidden = document.querySelector('#' + accordion.id + '-checkbox input');
        const box = document.createElement('input');
        const isOpen = () => head.classList.contains('open');
        let follows = true;
        const tell = () => {
            if (follows && isOpen() !== box.checked) head.click();
            if (hidden.checked === box.checked) return;
            hidden.checked = box.checked;
            hidden.dispatchEvent(new Event('input', {bubbles: true}));
        };
        Object.assign(box, {type: 'checkbox', checked: isOpen(), id: accordion.id + '-visible-checkbox'});
        box.className = hidden.className + ' input-accordion-checkbox';
        box.addEventListener('click', event => { follows = false; event.stopPropagation(); });
        box.addEventListener('input', tell);
        head.querySelector('span').prepend(box);
        new MutationObserver(() => { if (follows) { box.checked = isOpen(); tell(); } })
            .observe(head, {attributes: true, attributeFilter: ['class']});
    }
    document.body.classList.add('accordions-are-linked');
}"""  # noqa: E501
STYLE = (
    "input[type=checkbox].input-accordion-checkbox { vertical-align: sub; margin-right: .5em; }\n"
)


class HeadBox(gr.Checkbox):  # type: ignore[misc]  # gradio is not there where mypy runs
    """As the hosts have it: a hidden checkbox, and an accordion whose head shows and sets it."""

    @functools.wraps(gr.Checkbox.__init__)  # type: ignore[misc]  # gradio 4 reads from the signature what the page is told
    def __init__(self, value: bool = False, makes: bool = False, **kwargs: Any) -> None:
        if not makes:  # gradio 4 makes one for itself when it is updated
            super().__init__(value, **kwargs)
            return
        name = kwargs["elem_id"]
        super().__init__(value, **{**kwargs, "elem_id": f"{name}-checkbox", "visible": False})
        script = f"checked => {{ inputAccordionChecked('{name}', checked); }}"
        self.change(fn=None, inputs=[self], **{_JS: script})
        self.accordion = gr.Accordion(
            kwargs["label"], open=value, elem_id=name, elem_classes=["input-accordion"]
        )

    def __enter__(self) -> HeadBox:
        self.accordion.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.accordion.__exit__(*exc)

    def get_block_name(self) -> str:
        return "checkbox"


def input_accordion(value: bool, **kwargs: Any) -> Any:
    return HeadBox(value, makes=True, **kwargs)


class Tab(Runner):
    """One tab's scripts on the real page; what reaches `process` is kept."""

    host: WebUI

    @property
    def name(self) -> str:
        return TABS[self.is_img2img]

    def make(self) -> None:
        prompt = self._tell_of(gr.Textbox(label="Prompt", elem_id=f"{self.name}_prompt", lines=3))
        negative = self._tell_of(
            gr.Textbox(label="Negative prompt", elem_id=f"{self.name}_neg_prompt", lines=2)
        )
        styles = gr.Dropdown(
            label="Styles",
            choices=list(self.host.style_texts),
            value=[],
            multiselect=True,
            elem_id=f"{self.name}_styles",
        )
        self._tell_of(styles)
        button = self._tell_of(
            gr.Button("Generate", variant="primary", elem_id=f"{self.name}_generate")
        )
        with gr.Row():
            with gr.Column(variant="compact", elem_id=f"{self.name}_settings"):
                self._tell_of(
                    gr.Slider(
                        label="Batch count",
                        minimum=1,
                        maximum=8,
                        value=2,
                        step=1,
                        elem_id=f"{self.name}_batch_count",
                    )
                )
                for script in self.scripts:
                    with gr.Group():
                        self._make_script(script)
            with gr.Column(elem_id=f"{self.name}_results"):
                gallery = gr.Gallery(
                    label="Output", elem_id=f"{self.name}_gallery", show_label=False, height=180
                )
                shown = gr.HTML(elem_id=f"html_info_{self.name}")
                info = self._tell_of(
                    gr.Textbox(visible=False, elem_id=f"generation_info_{self.name}")
                )
                paste = gr.Button("Paste", elem_id=f"{self.name}_paste")
        outputs = [gallery, info, shown]
        button.click(
            fn=self.generate,
            inputs=[prompt, negative, styles, *self.inputs[1:]],
            outputs=outputs,
            **_unhurried(),
        )
        fields = [component for component, _ in self.fields]
        paste.click(
            fn=self.pasted, inputs=[prompt], outputs=[prompt, *fields], show_progress="hidden"
        )

    def _make_script(self, script: Any) -> None:
        began = time.perf_counter()
        controls = script.ui(self.is_img2img) or []
        self.host.built_in_ms[self.name] = round(1000 * (time.perf_counter() - began), 1)
        script.args_from, script.args_to = len(self.inputs), len(self.inputs) + len(controls)
        self.inputs += controls
        self.fields += script.infotext_fields or []
        self.sent += script.paste_field_names or []

    def _tell_of(self, component: Any) -> Any:
        """What the host does as soon as a component is made."""
        self._tell(component)
        for script in self.scripts:
            for elem_id, callback in script.after:
                if elem_id == component.elem_id:
                    callback(SimpleNamespace(component=component))
        return component

    def call(self, hook: str, p: Any, *more: Any, **kwargs: Any) -> None:
        if hook == "process":
            self.host.calls.append(
                {"tab": self.name, "prompt": p.prompt, "args": list(p.script_args[1:])}
            )
        super().call(hook, p, *more, **kwargs)

    def generate(
        self, prompt: str, negative: str, styles: list[str] | None, *args: Any
    ) -> list[Any]:
        given: list[Any] | None = ["picture"] if self.is_img2img else None
        with self.host.one_at_a_time:
            p = Processing(
                self.host, prompt, negative, n_iter=2, init_images=given, styles=list(styles or ())
            )
            p.give_scripts(self, (0, *args))
            done = way.process_images(p)
        self.host.infotexts += done.infotexts
        pictures = [Image.new("RGB", (64, 64), _colour(picture.pixels)) for picture in done.images]
        comments = "".join(f"<p>{text}</p>" for text in p.comments)
        said = f"<p>{done.infotexts[0].replace('<', '&lt;')}</p>{comments}"
        return [pictures, json.dumps({"infotexts": done.infotexts}), said]

    def pasted(self, infotext: str) -> list[Any]:
        """The paste button: an infotext in the prompt's box becomes prompt and values."""
        params = way.parse_generation_parameters(infotext)
        values = [
            target(params) if callable(target) else params.get(target) for _, target in self.fields
        ]
        return [
            params["Prompt"],
            *(gr.update() if value is None else gr.update(value=value) for value in values),
        ]


class WebUI(Host):
    """`bare` has no scripts: what it complains of is gradio's own."""

    def __init__(self, data_path: Path, put: Callable[[str, Any], None]) -> None:
        self.calls: list[dict[str, Any]] = []
        self.infotexts: list[str] = []
        self.built_in_ms: dict[str, float] = {}
        self.one_at_a_time = threading.Lock()
        super().__init__(
            data_path, SimpleNamespace(setitem=lambda _, name, value: put(name, value))
        )

    def _install(self, monkeypatch: Any) -> None:
        super()._install(monkeypatch)
        self._module("modules.ui_components", InputAccordion=input_accordion)

    def make_page(self) -> None:
        self.blocks, self.tabs = _page([Tab(self, False), Tab(self, True)], self._own_tabs())
        self.bare, _ = _page(self._bare(), [])

    def _own_tabs(self) -> list[Any]:
        return [made for callback in self.callbacks.get("on_ui_tabs", []) for made in callback()]

    def _bare(self) -> list[Tab]:
        tabs = [Tab(self, False), Tab(self, True)]
        for tab in tabs:
            tab.scripts = []
        return tabs


def _page(tabs: list[Tab], own: list[Any]) -> tuple[Any, list[Tab]]:
    """`own` are the tabs that extensions add, as `on_ui_tabs` brings them."""
    with gr.Blocks(title="Stylus in gradio", css=STYLE, analytics_enabled=False) as blocks:
        with gr.Tabs(elem_id="tabs"):
            for tab in tabs:
                with gr.Tab(tab.name, elem_id=f"tab_{tab.name}"):
                    tab.make()
            for made, label, name in own:
                with gr.Tab(label, id=name, elem_id=f"tab_{name}"):
                    made.render()
        blocks.load(fn=None, **{_JS: LINK_ACCORDIONS})
    return blocks, tabs


def _unhurried() -> dict[str, Any]:
    """gradio 4 lets an event run once at a time unless it is told otherwise."""
    return {"concurrency_limit": None} if GRADIO_4 else {}


def _colour(pixels: object) -> tuple[int, int, int]:
    digest = hashlib.sha256(repr(pixels).encode()).digest()
    return digest[0], digest[1], digest[2]
