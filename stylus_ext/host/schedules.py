"""Carries out schedules in the host: A1111's loaded networks, or LoRAs added online by Forge Neo.

The host activates the tags for each batch, and again for the second pass, with their own weights.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from modules import scripts

from stylus_ext.core.errors import Note
from stylus_ext.core.generation import GenerationAnswer, ImageSchedules
from stylus_ext.core.schedules import (
    HostSteps,
    Schedule,
    schedules_in_text,
    weight_at,
)
from stylus_ext.core.settings import MERGE, Settings
from stylus_ext.host import compat
from stylus_ext.host.online_patches import OnlinePatches, are_readable
from stylus_ext.host.picture_facts import HIRES_SCHEDULES, SCHEDULES

_STEPS_PER_CHANGE = 4
"""A1111 merges all layers again after a change, which takes half as long as a step, or longer."""
_MOST_DENOISING = 0.999


class Carrier(Protocol):
    """One way of the host to change weights between steps.

    `prepare` is called before the host loads the LoRAs of a batch, `finish` after the batch.
    """

    def most_changes(self, steps: int) -> int: ...

    def prepare(self) -> None: ...

    def begin(self, schedules: Mapping[str, Schedule]) -> None: ...

    def at(self, step: int, steps: int) -> None: ...

    def restore(self) -> None: ...

    def finish(self) -> None: ...


class _Unprepared:
    """A way that needs nothing before the host loads the LoRAs of a batch, and after the batch."""

    def prepare(self) -> None:
        return

    def finish(self) -> None:
        return


class LoadedNetworks(_Unprepared):
    """A1111: multipliers of the UNet, which each layer compares before its next call."""

    def __init__(self) -> None:
        self._found: list[tuple[Any, Schedule, float]] = []

    def most_changes(self, steps: int) -> int:
        return steps // _STEPS_PER_CHANGE

    def begin(self, schedules: Mapping[str, Schedule]) -> None:
        self._found = [
            (network, schedules[network.name], network.unet_multiplier)
            for network in compat.networks().loaded_networks  # type: ignore[union-attr]
            if network.name in schedules
        ]

    def at(self, step: int, steps: int) -> None:
        for network, schedule, _ in self._found:
            network.unet_multiplier = weight_at(schedule, step, steps)

    def restore(self) -> None:
        for network, _, written in self._found:
            network.unet_multiplier = written
        self._found = []


class LoraControl(_Unprepared):
    """Forge Neo: the class of `<lora:name:[weight@time,...]>`, which interpolates between points.

    Earlier versions have `[from:to:when]` instead.
    """

    def __init__(self, control: Any) -> None:
        self._control = control
        self._has_points = hasattr(control, "_parse_schedule")
        self._files: list[str] = []

    def most_changes(self, steps: int) -> int:
        return steps if self._has_points else 1

    def begin(self, schedules: Mapping[str, Schedule]) -> None:
        known = getattr(compat.networks(), "available_network_aliases", {})
        found = {known[stem].filename: each for stem, each in schedules.items() if stem in known}
        self._files = list(found)
        written = self._points if self._has_points else self._from_to_when
        self._control.mapping.update({file: written(each) for file, each in found.items()})

    def at(self, step: int, steps: int) -> None:
        """LoRA Control has a callback of its own."""

    def restore(self) -> None:
        """Forget the schedules; the host reads the LoRAs again, since it changed their weights."""
        for file in self._files:
            self._control.mapping.pop(file, None)
        model = compat.loaded_model()
        if self._files and hasattr(model, "current_lora_hash"):
            model.current_lora_hash = str([])  # type: ignore[union-attr]
        self._files = []

    def _points(self, schedule: Schedule) -> list[tuple[float, float]]:
        """Each weight from its beginning to its end, so that there is nothing to interpolate."""
        ends = [time for time, _ in schedule[1:]] + [1.0]
        pairs = zip(schedule, ends, strict=True)
        return [(weight, at) for (time, weight), end in pairs for at in (time, end)]

    def _from_to_when(self, schedule: Schedule) -> list[float | None]:
        (_, before), (when, after) = schedule[0], schedule[-1]
        return [before, after, when if len(schedule) > 1 else None]


def carrier() -> Carrier | None:
    """What this host can do; None if the weights of a pass cannot change."""
    module = compat.networks()
    if getattr(module, "module_types", None) and hasattr(module, "network_apply_weights"):
        return LoadedNetworks()
    if not _online_flag():
        return None
    control = _lora_control()
    if control is not None:
        return LoraControl(control)
    return OnlinePatches() if are_readable() else None


def _lora_control() -> Any | None:
    found = (data.script_class for data in scripts.scripts_data)
    return next((kind for kind in found if kind.__name__ == "LoRAControl"), None)


def _online_flag() -> bool | None:
    """Whether Forge Neo adds LoRAs in each call, in place of merging them once; None elsewhere."""
    arguments = getattr(sys.modules.get("backend.args"), "dynamic_args", None)
    return getattr(arguments, "online_lora", None)


def host_steps(p: Any) -> HostSteps | None:
    """The steps of the shortest pass of `p`, with the changes that they allow."""
    found = carrier()
    steps = _fewest_steps(p)
    return None if found is None or steps < 1 else HostSteps(steps, found.most_changes(steps))


def _fewest_steps(p: Any) -> int:
    steps = int(getattr(p, "steps", 0) or 0)
    second = steps
    if getattr(p, "enable_hr", False):
        second = int(getattr(p, "hr_second_pass_steps", 0) or 0) or steps
    if getattr(p, "init_images", None) and not compat.option("img2img_fix_steps", False):
        denoising = float(getattr(p, "denoising_strength", None) or 0.0)
        steps = second = int(min(denoising, _MOST_DENOISING) * steps) + 1
    return min(steps, second)


def schedule_notes(settings: Settings, answer: GenerationAnswer) -> list[Note]:
    """A note where the user chose a way to combine LoRAs that this picture cannot have."""
    is_chosen = settings.combination.combine not in ("auto", MERGE)
    several = any(len(mask.on) > 1 for mask in answer.masks)
    if not (is_chosen and several) or any(each.first for each in answer.schedules):
        return []
    return [Note("not_scheduled", f"The weights of the LoRAs were merged: {_why_not()}")]


def _why_not() -> str:
    if carrier() is not None:
        return "there are too few steps, or nothing to do at different times."
    if _online_flag() is not None:
        return 'this WebUI needs an "(fp16 LoRA)" choice of Diffusion in Low Bits.'
    return "this WebUI cannot change weights between steps."


def replayed(fields: Mapping[str, str], images: int) -> tuple[ImageSchedules, ...]:
    """The schedules of an earlier picture for all images; nothing where the host cannot do them."""
    first = schedules_in_text(fields.get(SCHEDULES, ""))
    if not first or carrier() is None:
        return ()
    second = schedules_in_text(fields.get(HIRES_SCHEDULES, "")) or first
    return (ImageSchedules(first, second),) * images


class StepCounter:
    """The sampler's own step, by what the host states before each call of the model.

    The host counts a step after its first call; samplers of second order call twice in a step.
    """

    def __init__(self) -> None:
        self.step = 0
        self._counted = 0

    def before_call(self, call: int, reported: int, steps: int, calls: int) -> int:
        """`call` is the number of this call in the pass, for whose `steps` `calls` are expected."""
        counted = reported + 1 if call else 0
        is_second = calls > steps and counted > self._counted
        found = min(counted - is_second, steps - 1)
        self.step = max(self.step, found) if call else found
        self._counted = counted
        return self.step


class ScheduledPass:
    """The pass that is made now; `p` tells it from other generations inside of it."""

    def __init__(self, p: Any, way: Carrier, schedules: Mapping[str, Schedule]) -> None:
        self.p = p
        self._carrier, self._counter = way, StepCounter()
        way.begin(schedules)

    def before_call(self, params: Any) -> None:
        denoiser = params.denoiser
        steps = max(1, int(params.total_sampling_steps))
        calls = int(getattr(denoiser, "total_steps", None) or steps)
        step = self._counter.before_call(
            int(denoiser.step), int(params.sampling_step), steps, calls
        )
        self._carrier.at(step, steps)

    def end(self) -> None:
        self._carrier.restore()


_current: list[ScheduledPass] = []
_prepared: list[Carrier] = []
_hooked: list[bool] = []


def prepare_batch(all_schedules: Sequence[ImageSchedules], image: int) -> None:
    """Prepare the batch with this first image, before the host loads its LoRAs."""
    end_batch()
    way = carrier() if image < len(all_schedules) else None
    if way is None or not (all_schedules[image].first or all_schedules[image].second):
        return
    if not _hooked:
        _hooked.append(True)
        compat.register((compat.script_callbacks.on_cfg_denoiser, _before_call))
    _prepared.append(way)
    way.prepare()


def begin_pass(p: Any, all_schedules: Sequence[ImageSchedules], image: int, second: bool) -> None:
    """Begin a pass of the prepared batch, once the host has loaded its LoRAs."""
    _end_pass()
    if _prepared and image < len(all_schedules):
        schedules = all_schedules[image].second if second else all_schedules[image].first
        _current.append(ScheduledPass(p, _prepared[-1], schedules))


def _before_call(params: Any) -> None:
    for each in _current:
        if getattr(getattr(params, "denoiser", None), "p", None) is each.p:
            each.before_call(params)


def _end_pass() -> None:
    while _current:
        _current.pop().end()


def end_batch() -> None:
    """Restore the weights, also after an interrupt or an error."""
    _end_pass()
    while _prepared:
        _prepared.pop().finish()


def forget_callback() -> None:
    """Called when the host has cleared its callbacks."""
    _hooked.clear()
