"""The host's way from a prompt to pictures, as HOST.md (a) to (e) and (h) found it. A picture is
what it was made of.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

HOOKS = (
    "setup",
    "before_process",
    "process",
    "before_process_batch",
    "process_batch",
    "before_hr",
    "postprocess_batch",
    "postprocess_image",
    "postprocess",
)
_NETWORK = re.compile(r"<(\w+):([^>]+)>")


@dataclass
class Picture:
    """`pixels` are equal exactly if texts, networks and seeds of all passes were."""

    pixels: tuple[Any, ...]
    info: dict[str, str] = field(default_factory=dict)


@dataclass
class State:
    interrupted: bool = False
    stopping_generation: bool = False
    textinfo: str | None = None
    job: str = ""
    texts: list[str] = field(default_factory=list)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "textinfo" and value:
            self.texts.append(value)
        object.__setattr__(self, name, value)


class Loras:
    """The built-in extension: names by file name, aliases by metadata, hashes written on activation
    and never taken away.
    """

    def __init__(self, names: list[str]) -> None:
        self.available_networks = {name: f"file of {name}" for name in names}
        self.available_network_aliases = dict(self.available_networks)
        self.forbidden_network_aliases: dict[str, int] = {}
        self.loaded: list[tuple[str, float]] = []
        self.loaded_networks: list[SimpleNamespace] = []
        self.all_or_none = False  # reForge's and Forge's way with a name that is missing

    def activate(self, p: Any, networks: list[str]) -> None:
        self.loaded = []
        said = [text.split(":") for text in networks]
        try:
            weights = [float(parts[1]) if len(parts) > 1 else 1.0 for parts in said]
        except ValueError:
            return
        if self.all_or_none and any(parts[0] not in self.available_networks for parts in said):
            return
        self.loaded = [
            (parts[0], weight)
            for parts, weight in zip(said, weights, strict=True)
            if parts[0] in self.available_networks
        ]
        self.loaded_networks[:] = [
            SimpleNamespace(name=name, unet_multiplier=weight) for name, weight in self.loaded
        ]
        if self.loaded:
            p.extra_generation_params["Lora hashes"] = ", ".join(
                f"{name}: {abs(hash(name)) % 10**12}" for name, _ in self.loaded
            )


@dataclass
class Processing:
    """Both kinds of `p` in one: `init_images` makes it img2img."""

    host: Any
    prompt: Any = ""
    negative_prompt: Any = ""
    styles: list[str] = field(default_factory=list)
    seed: int = 1
    subseed_strength: float = 0.0
    batch_size: int = 1
    n_iter: int = 1
    steps: int = 20
    calls_per_step: int = 1
    hr_second_pass_steps: int = 0
    denoising_strength: float = 0.7
    multipliers: list[dict[str, float]] = field(default_factory=list)
    enable_hr: bool = False
    hr_prompt: str = ""
    hr_negative_prompt: str = ""
    disable_extra_networks: bool = False
    is_api: bool = False
    init_images: list[Any] | None = None
    image_mask: Any = None
    firstpass_image: Any = None
    scripts: Any = None
    script_args: Any = None
    extra_generation_params: dict[str, Any] = field(default_factory=dict)
    comments: dict[str, int] = field(default_factory=dict)
    all_prompts: Any = None
    all_negative_prompts: Any = None
    all_hr_prompts: Any = None
    all_hr_negative_prompts: Any = None
    all_seeds: Any = None
    main_prompt: Any = None
    main_negative_prompt: Any = None
    iteration: int = 0
    batch_index: int = 0

    def comment(self, text: str) -> None:
        self.comments[text] = 1

    def give_scripts(self, runner: Any, args: Any) -> None:
        self.scripts, self.script_args = runner, args
        runner.call("setup", self)

    def setup_prompts(self) -> None:
        count = self.batch_size * self.n_iter
        texts = self.prompt if isinstance(self.prompt, list) else [self.prompt] * count
        self.all_prompts = [self.host.styled(text, self.styles) for text in texts]
        self.all_negative_prompts = [self.negative_prompt] * len(self.all_prompts)
        self.main_prompt, self.main_negative_prompt = (
            self.all_prompts[0],
            self.all_negative_prompts[0],
        )
        if self.enable_hr:
            self.hr_prompt = self.hr_prompt or self.prompt
            self.hr_negative_prompt = self.hr_negative_prompt or self.negative_prompt
            self.all_hr_prompts = [self.host.styled(self.hr_prompt, self.styles)] * count
            self.all_hr_negative_prompts = [self.hr_negative_prompt] * count

    def init(self) -> None:
        if self.enable_hr:
            self.host.say_hires(self)


@dataclass
class Processed:
    images: list[Picture]
    infotexts: list[str]
    p: Any
    grid: str = ""


def process_images(p: Any) -> Processed:
    if p.scripts is not None:
        p.scripts.call("before_process", p)
    return process_images_inner(p)


def process_images_inner(p: Any) -> Processed:
    p.setup_prompts()
    p.all_seeds = [
        p.seed + (x if p.subseed_strength == 0 else 0) for x in range(len(p.all_prompts))
    ]
    if p.scripts is not None:
        p.scripts.call("process", p)
    p.init()
    images: list[Picture] = []
    infotexts: list[str] = []
    for number in range(p.n_iter):
        p.iteration = number
        if p.host.state.interrupted or p.host.state.stopping_generation:
            break
        _batch(p, number, images, infotexts)
    if not infotexts:
        infotexts.append(infotext(p, p.all_prompts, p.all_negative_prompts, p.all_seeds, 0))
    done = Processed(images, infotexts, p)
    if len(images) > 1:
        for callback in p.host.callbacks.get("on_image_grid", []):
            callback(images)
        done.grid = p.host.grid_told(p)
    if p.scripts is not None:
        p.scripts.call("postprocess", p, done)
    return done


def _batch(p: Any, number: int, images: list[Picture], infotexts: list[str]) -> None:
    part = slice(number * p.batch_size, (number + 1) * p.batch_size)
    p.prompts, p.negative_prompts, p.seeds = (
        p.all_prompts[part],
        p.all_negative_prompts[part],
        p.all_seeds[part],
    )
    if p.scripts is not None:
        p.scripts.call(
            "before_process_batch",
            p,
            batch_number=number,
            prompts=p.prompts,
            seeds=p.seeds,
            subseeds=p.seeds,
        )
    if not p.prompts:
        return
    passes = [_pass(p, p.prompts, p.negative_prompts)]
    if p.scripts is not None:
        p.scripts.call("process_batch", p, batch_number=number, prompts=p.prompts)
    if number == 0:
        p.host.params_txt = infotext(
            p, p.all_prompts[part], p.all_negative_prompts[part], p.seeds, 0
        )
    _sample(p, p.steps)
    if p.enable_hr:
        passes.append(_second_pass(p, part))
    if getattr(p, "txt2img_upscale", False):
        passes[0] = [("given picture", p.firstpass_image.pixels)]
    if p.scripts is not None:
        p.scripts.call("postprocess_batch", p, images, batch_number=number)
    p.prompts, p.negative_prompts = p.all_prompts[part], p.all_negative_prompts[part]
    for index in range(len(p.prompts)):
        p.batch_index = index
        given = tuple(getattr(image, "pixels", image) for image in p.init_images or ())
        made = Picture(
            (p.seeds[index], given, *(texts[min(index, len(texts) - 1)] for texts in passes))
        )
        if p.scripts is not None:
            p.scripts.call("postprocess_image", p, made)
        text = p.host.told(p, index)
        made.info["parameters"] = text
        images.append(made)
        infotexts.append(text)


def _second_pass(p: Any, part: slice) -> list[Any]:
    found = _pass(p, p.all_hr_prompts[part], p.all_hr_negative_prompts[part])
    if p.scripts is not None:
        p.scripts.call("before_hr", p)
    _sample(p, p.hr_second_pass_steps or p.steps)
    return found


def _sample(p: Any, steps: int) -> None:
    """The calls of the model in one pass, with the multipliers that each has; the host counts a
    step after its first call.
    """
    denoiser = SimpleNamespace(p=p, step=0, steps=steps, total_steps=steps * p.calls_per_step)
    for step in range(steps):
        for _ in range(p.calls_per_step):
            reported = max(0, step - 1) if denoiser.step % p.calls_per_step == 0 else step
            params = SimpleNamespace(
                denoiser=denoiser, sampling_step=reported, total_sampling_steps=steps
            )
            for callback in p.host.callbacks.get("on_cfg_denoiser", []):
                callback(params)
            p.multipliers.append(
                {each.name: each.unet_multiplier for each in p.host.loras.loaded_networks}
            )
            denoiser.step += 1


def _pass(p: Any, prompts: list[str], negatives: list[str]) -> list[Any]:
    """Networks are those of the first prompt; the tags of the others are taken out unheard (HOST.md
    b).
    """
    stripped = [_NETWORK.sub("", text).strip() for text in prompts]
    found = [match.group(2) for match in _NETWORK.finditer(prompts[0]) if match.group(1) == "lora"]
    if not p.disable_extra_networks:
        p.host.loras.activate(p, found)
    networks = tuple(p.host.loras.loaded)
    return [(text, negative, networks) for text, negative in zip(stripped, negatives, strict=True)]


def infotext(p: Any, prompts: list[str], negatives: list[str], seeds: list[int], index: int) -> str:
    params = {
        "Steps": p.steps,
        "Sampler": "Euler",
        "CFG scale": 7.0,
        "Seed": seeds[index],
        **p.extra_generation_params,
        "Version": "v1.8.0",
    }
    params = {
        name: value(p, index, prompts[index], negatives[index]) if callable(value) else value
        for name, value in params.items()
    }
    last = ", ".join(
        f"{name}: {quote(value)}" for name, value in params.items() if value is not None
    )
    negative = f"\nNegative prompt: {negatives[index]}" if negatives[index] else ""
    return f"{prompts[index]}{negative}\n{last}".strip()


def quote(value: Any) -> Any:
    return (
        json.dumps(value, ensure_ascii=False)
        if any(sign in str(value) for sign in ",\n:")
        else value
    )


def parse_generation_parameters(text: str, skip_fields: list[str] | None = None) -> dict[str, Any]:
    *lines, last = text.strip().split("\n")
    found: dict[str, Any] = {"Prompt": "", "Negative prompt": ""}
    name = "Prompt"
    for line in lines:
        name = "Negative prompt" if line.startswith("Negative prompt:") else name
        found[name] += ("\n" if found[name] else "") + line.removeprefix("Negative prompt:").strip()
    for key, value in re.findall(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)', last):
        found[key] = json.loads(value) if value.startswith('"') and value.endswith('"') else value
    return found


def xyz(p: Any, apply: Callable[[Any, Any, Any], None], values: list[Any]) -> list[Processed]:
    """The grid: copies of one `p` that share its dictionaries."""
    done = []
    for value in values:
        cell = copy.copy(p)
        apply(cell, value, values)
        done.append(process_images(cell))
    return done
