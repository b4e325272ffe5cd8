"""The host around it: modules under their names, script runners, options, callbacks, reloads, the
API's and the page's ways in.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
import traceback
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from tests.host.double import page
from tests.host.double import processing as way
from tests.host.double.processing import HOOKS, Loras, Picture, Processed, Processing, State

ROOT = Path(__file__).resolve().parents[3]
LORAS = [
    "corgi_dog",
    "glass_skyscraper",
    "knight_armor",
    "oil_painting",
    "portrait_detail",
    "watercolor_style",
]


class OptionInfo:
    """A1111's: all that an extension says of an option."""

    def __init__(
        self,
        default: Any = None,
        label: str = "",
        component: Any = None,
        component_args: Any = None,
        *,
        restrict_api: bool = False,
    ) -> None:
        self.default, self.label, self.component, self.component_args = (
            default,
            label,
            component,
            component_args,
        )
        self.section, self.restrict_api, self.comment_after = None, restrict_api, ""
        self.do_not_save = False

    def info(self, text: str) -> OptionInfo:
        self.comment_after += text
        return self


class OptionHTML(OptionInfo):
    """A heading between options."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.do_not_save = True


class Options:
    """Attributes exist once they were added, and raise AttributeError before."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {
            "sd_model_checkpoint": "tiny",
            "lora_add_hashes_to_infotext": True,
        }
        self.data_labels: dict[str, OptionInfo] = {}

    def __getattr__(self, name: str) -> Any:
        if name in vars(self).get("data", {}):
            return self.data[name]
        raise AttributeError(name)

    def add_option(self, name: str, info: OptionInfo) -> None:
        self.data_labels[name] = info
        if not info.do_not_save:
            self.data.setdefault(name, info.default)


class Script:
    alwayson = False
    infotext_fields: Any = None
    paste_field_names: Any = None
    is_img2img = False
    args_from = args_to = 0

    def __init__(self) -> None:
        self.after: list[tuple[str, Callable[[Any], None]]] = []

    def on_after_component(self, callback: Callable[[Any], None], *, elem_id: str) -> None:
        self.after.append((elem_id, callback))

    def after_component(self, component: Any, **kwargs: Any) -> None: ...


def _nothing(self: Script, p: Any, *args: Any, **kwargs: Any) -> None: ...


for _hook in HOOKS:
    setattr(Script, _hook, _nothing)

ALWAYS_VISIBLE = object()


class Runner:
    """The scripts of one tab. A hook that raises is reported, and the generation goes on (HOST.md
    h).
    """

    def __init__(self, host: Host, is_img2img: bool) -> None:
        self.host, self.is_img2img = host, is_img2img
        self.inputs: list[Any] = [None]
        self.fields: list[tuple[Any, Any]] = []
        self.sent: list[str] = []
        self.scripts: list[Any] = []
        for data in host.scripts.scripts_data:
            if not issubclass(data.script_class, Script):
                continue
            script = data.script_class()
            script.is_img2img = is_img2img
            if script.show(is_img2img) is ALWAYS_VISIBLE:
                self.scripts.append(script)

    def make_ui(self, blocks: page.Blocks, tab: str) -> None:
        blocks.hooks.append(self._tell)
        with blocks:
            page.Textbox(elem_id=f"{tab}_prompt", value="")
            for script in self.scripts:
                controls = script.ui(self.is_img2img) or []
                script.args_from, script.args_to = (
                    len(self.inputs),
                    len(self.inputs) + len(controls),
                )
                self.inputs += controls
                self.fields += script.infotext_fields or []
                self.sent += script.paste_field_names or []
            made = page.Textbox(elem_id=f"generation_info_{tab}", visible=False)
        for script in self.scripts:
            for elem_id, callback in script.after:
                if elem_id == made.elem_id:
                    callback(SimpleNamespace(component=made))
        blocks.hooks.remove(self._tell)

    def _tell(self, component: Any) -> None:
        for script in self.scripts:
            script.after_component(component, elem_id=component.elem_id)

    def call(self, hook: str, p: Any, *more: Any, **kwargs: Any) -> None:
        for script in self.scripts:
            args = p.script_args[script.args_from : script.args_to]
            try:
                getattr(script, hook)(p, *more, *args, **kwargs)
            except Exception:  # noqa: BLE001
                self.host.errors.append(f"{hook}: {traceback.format_exc()}")

    def api_defaults(self) -> list[Any]:
        """`ui()` is called twice more, on a page that nobody sees (HOST.md f)."""
        args: list[Any] = [0] + [None] * (len(self.inputs) - 1)
        with page.Blocks():
            for script in self.scripts:
                if script.ui(self.is_img2img):
                    args[script.args_from : script.args_to] = [
                        component.value for component in script.ui(self.is_img2img)
                    ]
        return args


class Host:
    """One WebUI. The modules are the same objects for all tests; what is in them is new."""

    modules: dict[str, ModuleType] = {}

    def __init__(self, data_path: Path, monkeypatch: Any) -> None:
        self.state, self.loras, self.opts = State(), Loras(LORAS), Options()
        self.errors: list[str] = []
        self.params_txt = ""
        self.others: list[type[Script]] = []
        self.style_texts = {"Painted": "{prompt}, oil painting"}
        self.model = SimpleNamespace(
            is_sd1=True,
            sd_checkpoint_info=SimpleNamespace(
                name_for_extra="tiny",
                filename=str(data_path / "tiny.safetensors"),
                sha256="ab" * 32,
                metadata={},
            ),
        )
        self.cmd_opts = SimpleNamespace(lora_dir=str(data_path))
        self.data_path = data_path
        self._install(monkeypatch)

    def _module(self, name: str, **values: Any) -> ModuleType:
        module = Host.modules.setdefault(name, ModuleType(name))
        module.__spec__ = ModuleSpec(name, None)
        vars(module).update(values)
        return module

    def _install(self, monkeypatch: Any) -> None:
        self.callbacks: dict[str, list[Callable[..., Any]]] = {}
        self.extra_networks: dict[str, Any] = {}
        names = (
            "on_ui_settings",
            "on_before_ui",
            "on_ui_tabs",
            "on_app_started",
            "on_image_grid",
            "on_cfg_denoiser",
            "on_script_unloaded",
        )
        registering = {name: self._register(name) for name in names}
        self.scripts = self._module(
            "modules.scripts", Script=Script, AlwaysVisible=ALWAYS_VISIBLE, scripts_data=[]
        )
        table = SimpleNamespace(
            apply_styles_to_prompt=self.styled, apply_negative_styles_to_prompt=lambda text, _: text
        )
        shared = self._module(
            "modules.shared",
            prompt_styles=table,
            opts=self.opts,
            cmd_opts=self.cmd_opts,
            state=self.state,
            OptionInfo=OptionInfo,
            OptionHTML=OptionHTML,
            interrogator=None,
        )
        parts = {
            "scripts": self.scripts,
            "shared": shared,
            "script_callbacks": self._module("modules.script_callbacks", **registering),
            "paths_internal": self._module("modules.paths_internal", data_path=str(self.data_path)),
            "ui_components": self._module(
                "modules.ui_components", InputAccordion=page.InputAccordion
            ),
            "infotext_utils": self._module(
                "modules.infotext_utils",
                parse_generation_parameters=way.parse_generation_parameters,
            ),
            "extra_networks": self._module(
                "modules.extra_networks",
                register_extra_network=lambda network: self.extra_networks.update(
                    {network.name: network}
                ),
            ),
            "call_queue": self._module("modules.call_queue", queue_lock=threading.Lock()),
            "progress": self._module("modules.progress", current_task=None, pending_tasks={}),
            "sd_models": self._module(
                "modules.sd_models",
                model_data=SimpleNamespace(sd_model=self.model),
                checkpoint_aliases={},
            ),
        }
        package = self._module("modules", __path__=[], **parts)
        everything = {
            "modules": package,
            **{f"modules.{name}": module for name, module in parts.items()},
        }
        for name, module in page.as_modules().items():
            everything[name] = self._module(
                name,
                **{key: value for key, value in vars(module).items() if not key.startswith("__")},
            )
        lora = self._module("networks")
        for name in (
            "available_networks",
            "available_network_aliases",
            "forbidden_network_aliases",
            "loaded_networks",
        ):
            setattr(lora, name, getattr(self.loras, name))
        for name, module in {**everything, "networks": lora}.items():
            monkeypatch.setitem(sys.modules, name, module)

    def _register(self, name: str) -> Callable[[Callable[..., Any]], None]:
        return lambda callback: self.callbacks.setdefault(name, []).append(callback)

    def start(self) -> None:
        """Also what "Reload UI" does: callbacks cleared, scripts imported anew, the extension's own
        modules left as they are.
        """
        for callback in self.callbacks.get("on_script_unloaded", []):
            callback()
        self.callbacks.clear()
        self.scripts.scripts_data.clear()
        self.xyz_module = SimpleNamespace(
            axis_options=[SimpleNamespace(label="Nothing")],
            AxisOption=lambda label, kind, apply, **more: SimpleNamespace(
                label=label, type=kind, apply=apply, **more
            ),
        )
        grid = type("XyzScript", (), {"__module__": "xyz_grid.py"})
        self.scripts.scripts_data.append(SimpleNamespace(script_class=grid, module=self.xyz_module))
        self._load(ROOT / "scripts" / "stylus.py")
        for other in self.others:
            self.scripts.scripts_data.append(SimpleNamespace(script_class=other, module=None))
        self.extra_networks.clear()
        for name in ("on_before_ui", "on_ui_settings"):
            for callback in self.callbacks.get(name, []):
                callback()
        self.make_page()

    def make_page(self) -> None:
        self.page = page.Blocks()
        self.txt2img, self.img2img = Runner(self, False), Runner(self, True)
        self.txt2img.make_ui(self.page, "txt2img")
        self.img2img.make_ui(self.page, "img2img")
        self.own_tabs = [
            made for callback in self.callbacks.get("on_ui_tabs", []) for made in callback()
        ]

    def _load(self, path: Path) -> None:
        spec = importlib.util.spec_from_file_location("stylus.py", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Script):
                self.scripts.scripts_data.append(SimpleNamespace(script_class=value, module=module))

    def styled(self, text: str, styles: list[str]) -> str:
        for style in styles:
            text = self.style_texts[style].replace("{prompt}", text)
        return text

    def say_hires(self, p: Any) -> None:
        """A1111 1.8 compares the two boxes, not the lists."""
        if tuple(p.hr_prompt) != tuple(p.prompt):
            p.extra_generation_params["Hires prompt"] = p.hr_prompt
        if tuple(p.hr_negative_prompt) != tuple(p.negative_prompt):
            p.extra_generation_params["Hires negative prompt"] = p.hr_negative_prompt

    def told(self, p: Any, index: int) -> str:
        """One picture's infotext."""
        return way.infotext(p, p.prompts, p.negative_prompts, p.seeds, index)

    def grid_told(self, p: Any) -> str:
        """A grid's: the main prompt."""
        return way.infotext(p, [p.main_prompt], [p.main_negative_prompt], p.all_seeds, 0)

    def api(
        self, stylus: Any = None, runner: Runner | None = None, infotext: str = "", **fields: Any
    ) -> Processed:
        """A request: defaults, then the infotext's fields, then the caller's arguments by place."""
        tab = runner or (self.img2img if fields.get("init_images") else self.txt2img)
        args = tab.api_defaults()
        if infotext:
            params = way.parse_generation_parameters(infotext)
            fields.setdefault("prompt", params["Prompt"])
            fields.setdefault("seed", int(params["Seed"]))
            for component, target in tab.fields:
                value = target(params)
                if value is not None:
                    args[tab.inputs.index(component)] = type(component.value)(value)
        if stylus is not None:
            script = next(script for script in tab.scripts if script.title() == "Stylus")
            given = stylus if isinstance(stylus, list) else [stylus]
            args[script.args_from : script.args_from + len(given)] = given
        p = Processing(self, is_api=True, **fields)
        p.give_scripts(tab, tuple(args))
        return way.process_images(p)

    def generate(self, tab: Runner | None = None, **fields: Any) -> Processed:
        """The button of the page: the components' values as they stand."""
        runner = tab or self.txt2img
        p = Processing(self, **fields)
        p.give_scripts(runner, (0, *(component.value for component in runner.inputs[1:])))
        return way.process_images(p)

    def paste(self, infotext: str, tab: Runner | None = None) -> str:
        """The paste button; gives back the prompt box."""
        params = way.parse_generation_parameters(infotext)
        for component, target in (tab or self.txt2img).fields:
            value = target(params) if callable(target) else params.get(target)
            if value is not None:
                component.value = type(component.value)(value)
        return str(params["Prompt"])

    def send_to_img2img(self) -> None:
        """The host looks names up among the fields of both tabs, and copies the components'
        values.
        """
        here = [
            component for component, target in self.txt2img.fields if target in self.txt2img.sent
        ]
        there = [
            component for component, target in self.img2img.fields if target in self.txt2img.sent
        ]
        for source, target in zip(here, there, strict=True):
            target.value = source.value

    def without_stylus(self, infotext: str, **fields: Any) -> Picture:
        """The picture again, from what its infotext says."""
        params = way.parse_generation_parameters(infotext)
        fields |= {
            "hr_prompt": params.get("Hires prompt", ""),
            "hr_negative_prompt": params.get("Hires negative prompt", ""),
        }
        p = Processing(
            self, params["Prompt"], params["Negative prompt"], seed=int(params["Seed"]), **fields
        )
        return way.process_images(p).images[0]
