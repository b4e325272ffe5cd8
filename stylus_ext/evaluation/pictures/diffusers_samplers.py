"""The WebUIs' names of samplers and schedules, as schedulers of diffusers."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from stylus_ext.core.errors import InvalidInput

_SAMPLERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "euler": ("EulerDiscreteScheduler", {}),
    "euler a": ("EulerAncestralDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "dpm2": ("KDPM2DiscreteScheduler", {}),
    "dpm2 a": ("KDPM2AncestralDiscreteScheduler", {}),
    "lms": ("LMSDiscreteScheduler", {}),
    "dpm++ 2m": ("DPMSolverMultistepScheduler", {}),
    "dpm++ 2m sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "dpm++ 2s a": ("DPMSolverSinglestepScheduler", {}),
    "dpm++ sde": ("DPMSolverSinglestepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "ddim": ("DDIMScheduler", {}),
    "plms": ("PNDMScheduler", {}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "lcm": ("LCMScheduler", {}),
}
_SCHEDULES: Mapping[str, Mapping[str, Any]] = {
    "": {},
    "automatic": {},
    "karras": {"use_karras_sigmas": True},
    "exponential": {"use_exponential_sigmas": True},
    "beta": {"use_beta_sigmas": True},
    "sgm uniform": {"timestep_spacing": "trailing"},
}


def set_sampler(pipeline: Any, sampler: str, schedule: str) -> None:
    """Give the pipeline this sampler; without a name its own stays."""
    name, schedule = sampler.strip().lower(), schedule.strip().lower()
    for each in _SCHEDULES:  # `DPM++ 2M Karras`, as older WebUIs write it
        if each and not schedule and name.endswith(f" {each}"):
            name, schedule = name.removesuffix(f" {each}"), each
    if schedule not in _SCHEDULES:
        raise InvalidInput(f"There is no schedule {schedule!r}; there are {_listed(_SCHEDULES)}.")
    if name and name not in _SAMPLERS:
        raise InvalidInput(f"There is no sampler {sampler!r}; there are {_listed(_SAMPLERS)}.")
    if not name and not _SCHEDULES[schedule]:
        return
    import diffusers

    current = pipeline.scheduler
    title, options = _SAMPLERS[name] if name else (type(current).__name__, {})
    wanted = getattr(diffusers, title)
    if wanted not in (*current.compatibles, type(current)):
        raise InvalidInput(f"{sampler} does not fit this model. Leave --sampler out.")
    changes = {**options, **_SCHEDULES[schedule]}
    if not _takes(wanted, _SCHEDULES[schedule]):
        raise InvalidInput(f"{title} has no schedule {schedule!r}. Leave --scheduler out.")
    pipeline.scheduler = wanted.from_config(current.config, **changes)


def _takes(scheduler: Any, options: Mapping[str, Any]) -> bool:
    return set(options) <= set(inspect.signature(scheduler.__init__).parameters)


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(name for name in names if name)
