"""A reduced WebUI as a script: times the real Stylus script and prints JSON.

Gets the extension's folder as JSON on standard input and, for plans, a data folder, a LoRA folder
and prompts. gradio's components are only counted, and the standard library that every WebUI loads
is loaded first.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from types import ModuleType, SimpleNamespace
from typing import Any

_LOADED_BEFORE = (
    "argparse asyncio concurrent.futures.thread dataclasses email http.client http.server inspect"
    " logging.handlers platform secrets ssl subprocess tempfile urllib.request uuid"
)
_TIMES = 2000
_BEFORE_THE_TRACE = 10
_MODULES = 6000  # as many as A1111 1.8 has by then
_HOOKS = "setup before_process process before_process_batch postprocess_image postprocess".split()


class StandInComponent:
    """Any component: keeps its value and accepts every event."""

    count = 0

    def __init__(self, value: Any = None, **options: Any) -> None:
        StandInComponent.count += 1
        self._id = StandInComponent.count
        self.value, self.elem_id = value, options.get("elem_id")
        if Context.root_block is not None:
            Context.root_block.blocks[self._id] = self

    def __enter__(self) -> StandInComponent:
        return self

    def __exit__(self, *problem: object) -> None: ...

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *_, **__: None


class Context:
    root_block: Any = None


class Script:
    """The host's base class of scripts."""

    is_img2img = False

    def on_after_component(self, callback: object, *, elem_id: str) -> None: ...

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name not in _HOOKS:
            raise AttributeError(name)
        return lambda *_, **__: None


class Options:
    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def add_option(self, name: str, info: Any) -> None:
        self.__dict__.setdefault(name, info.default)


class Info:
    """An option of the settings page."""

    section: Any = None

    def __init__(self, default: Any = None, *_: Any, **__: Any) -> None:
        self.default = default

    def info(self, _: str) -> Info:
        return self


class Host:
    """The host's modules and callbacks."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.callbacks: list[tuple[str, Callable[..., Any]]] = []
        self.state = SimpleNamespace(interrupted=False, stopping_generation=False, textinfo=None)
        self.options = Options(sd_model_checkpoint="tiny", **order.get("options", {}))
        self.files = {
            path.stem: SimpleNamespace(name=path.stem, filename=str(path))
            for path in Path(order["loras"]).glob("*.safetensors")
        }
        self._install(Path(order["data"]), order["loras"])

    def _install(self, data: Path, loras: str) -> None:
        model = SimpleNamespace(
            is_sd1=True,
            sd_checkpoint_info=SimpleNamespace(
                name_for_extra="tiny", filename="", sha256="", metadata={}
            ),
        )
        names = (
            "on_ui_settings on_before_ui on_ui_tabs on_app_started on_image_grid"
            " on_script_unloaded on_infotext_pasted".split()
        )
        parts: dict[str, dict[str, Any]] = {
            "scripts": {"Script": Script, "AlwaysVisible": object(), "scripts_data": []},
            "shared": {
                "opts": self.options,
                "cmd_opts": SimpleNamespace(lora_dir=loras),
                "state": self.state,
                "OptionInfo": Info,
                "OptionHTML": Info,
                "interrogator": None,
            },
            "script_callbacks": {name: self._register(name) for name in names},
            "extra_networks": {"register_extra_network": lambda _: None},
            "paths_internal": {"data_path": str(data)},
            "ui_components": {"InputAccordion": StandInComponent},
            "infotext_utils": {"parse_generation_parameters": lambda _: {}},
            "sd_models": {"model_data": SimpleNamespace(sd_model=model), "checkpoint_aliases": {}},
        }
        made = {
            f"modules.{name}": _module(f"modules.{name}", **values)
            for name, values in parts.items()
        }
        widgets = (
            "Blocks Row Column Group Accordion HTML Button Number Checkbox Slider Dropdown Textbox"
            " State".split()
        )
        components = dict.fromkeys(widgets, StandInComponent)
        submodules = {name: made[f"modules.{name}"] for name in parts}
        found = (
            *made.values(),
            _module("modules", __path__=[], **submodules),
            _module(
                "gradio",
                Request=object,
                update=dict,
                __version__="3.41.2",
                __path__=[],
                **components,
            ),
            _module("gradio.context", Context=Context),
            _module(
                "networks",
                available_networks=self.files,
                available_network_aliases={},
                forbidden_network_aliases={},
            ),
            _module("starlette", __path__=[]),
            _module("starlette.routing", Route=lambda path, *_, **__: SimpleNamespace(path=path)),
            _module("starlette.responses", JSONResponse=StandInComponent),
        )
        sys.modules.update({module.__name__: module for module in found})

    def _register(self, name: str) -> Callable[[Callable[..., Any]], None]:
        def add(callback: Callable[..., Any]) -> None:
            # A1111 1.8 asks it who registers, and it asks every module for its file
            inspect.stack()
            self.callbacks.append((name, callback))

        return add

    def start(self, root: Path) -> list[Any]:
        """Start up to the finished page and app, with one script per tab."""
        sys.path.insert(0, str(root))
        spec = importlib.util.spec_from_file_location("stylus.py", root / "scripts" / "stylus.py")
        if spec is None or spec.loader is None:
            sys.exit(f"{root} is no folder of Stylus.")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found = [module.StylusScript(), module.StylusScript()]
        self._call("on_before_ui")
        self._call("on_ui_settings")
        Context.root_block = SimpleNamespace(blocks={})
        for script, is_img2img in zip(found, (False, True), strict=True):
            script.title(), script.show(is_img2img)
            script.after_component(
                StandInComponent(elem_id="img2img_prompt" if is_img2img else "txt2img_prompt"),
                elem_id="txt2img_prompt",
            )
            script.controls = script.ui(is_img2img)
        Context.root_block = None
        self._call("on_ui_tabs")
        Context.root_block = SimpleNamespace(blocks={})
        for script in found * 2:  # the API asks twice for what stands there at first
            script.ui(script is found[1])
        Context.root_block = None
        self._call("on_app_started", None, SimpleNamespace(router=SimpleNamespace(routes=[])))
        return found

    def _call(self, wanted: str, *given: Any) -> None:
        for name, callback in self.callbacks:
            if name == wanted:
                callback(*given)


def _module(name: str, **values: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(values)
    return module


def generation(script: Any, args: list[Any], prompt: str, seed: int) -> tuple[Any, float]:
    """Run the hooks of one generation without a picture; return `p` and the seconds."""
    p = SimpleNamespace(
        n_iter=1,
        batch_size=1,
        all_prompts=[prompt],
        all_negative_prompts=[""],
        all_hr_prompts=None,
        all_hr_negative_prompts=None,
        all_seeds=[seed],
        prompts=[prompt],
        extra_generation_params={},
        iteration=0,
        batch_index=0,
        main_prompt=prompt,
        main_negative_prompt="",
        prompt=prompt,
        negative_prompt="",
        is_api=True,
        disable_extra_networks=False,
        enable_hr=False,
        comments=[],
    )
    p.comment = p.comments.append
    started = time.perf_counter()
    script.setup(p, *args)
    script.before_process(p, *args)
    script.process(p, *args)
    p.prompts = list(p.all_prompts)
    script.before_process_batch(
        p, *args, batch_number=0, prompts=p.prompts, seeds=p.all_seeds, subseeds=p.all_seeds
    )
    script.postprocess_image(p, None, *args)
    script.postprocess(p, None, *args)
    return p, time.perf_counter() - started


def start_up(order: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    for name in _LOADED_BEFORE.split():
        importlib.import_module(name)
    host = Host(order)
    for number in range(_MODULES):
        name = f"loaded_before_{number}"
        sys.modules[name] = _module(name, __file__=f"/loaded/before/{number}.py")
    inspect.stack()  # other scripts came first
    before = set(sys.modules)
    started, busy = time.perf_counter(), time.process_time()
    scripts = host.start(Path(order["root"]))
    took, busy = time.perf_counter() - started, time.process_time() - busy
    new = sorted(set(sys.modules) - before)
    ours = [name for name in new if name.startswith("stylus_ext")]
    return scripts, {
        "startup_ms": took * 1000,
        "startup_cpu_ms": busy * 1000,
        "modules": ours,
        "components": StandInComponent.count,
        "also_imported": [name for name in new if name not in ours],
    }


def switched_off(script: Any, times: int) -> dict[str, float]:
    args = [control.value for control in script.controls]
    prompt = "a corgi, watercolor"
    took = [generation(script, args, prompt, seed)[1] * 1000 for seed in range(times)]
    return {"off_ms": median(took), "off_p99_ms": quantiles(took, n=100)[-1]}


def timed_generations(script: Any, prompts: list[str]) -> dict[str, float]:
    """Time the hooks without the engine's own time; the first plans load what is lazy."""
    planner = importlib.import_module("stylus_ext.host.planner")
    client = planner.current_planner().client
    ask, spent = client.generation, [0.0]

    def timed(*given: Any) -> Any:
        answer = ask(*given)
        spent.append(answer["elapsed_ms"])
        return answer

    client.generation = timed
    own, changed = [], 0
    for seed, prompt in enumerate(prompts):
        count = len(spent)
        p, took = generation(script, [{"enabled": True}], prompt, seed)
        if len(spent) == count:
            sys.exit(f"The engine made no plan: {' '.join(p.comments)}")
        changed += p.all_prompts[0] != prompt
        own.append(took * 1000 - sum(spent[count:]))
    warm = own[len(own) // 5 :]
    return {
        "on_first_ms": own[0],
        "on_warm_ms": median(warm),
        "on_warm_p95_ms": quantiles(warm, n=20)[-1],
        "changed": changed,
    }


def traced(script: Any, prompts: list[str], data: Path) -> dict[str, list[str]]:
    """The files of one generation that got adapters, here and in the engine."""
    trace = importlib.import_module("stylus_ext.evaluation.trace")
    args = [{"enabled": True}]
    for seed, prompt in enumerate(prompts):
        here = trace.FileTrace()
        trace.ask(data, trace.BEGIN)
        here.begin()
        here.install()
        p, _ = generation(script, args, prompt, seed)
        here.remove()
        trace.ask(data, trace.END)
        if seed >= _BEFORE_THE_TRACE and p.all_prompts != [prompt]:
            engine = json.loads((data / trace.FOUND).read_text("utf-8"))
            return {"engine": engine, "host": here.end()}
    sys.exit(f"The engine changed nothing: {' '.join(p.comments)}")


def main() -> None:
    order = json.load(sys.stdin)
    scripts, found = start_up(order)
    if order.get("trace"):
        found["files"] = traced(scripts[0], order["prompts"], Path(order["trace"]))
    elif order.get("prompts"):
        found |= timed_generations(scripts[0], order["prompts"])
    elif order.get("off"):
        found |= switched_off(scripts[0], order.get("times", _TIMES))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
