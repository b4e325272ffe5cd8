"""Files of adapters: the live one with its routers, and plain LoRAs that any WebUI loads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as safetensors_bytes
from torch import Tensor, nn

from stylus_ext.core.errors import InvalidInput, reason_of
from stylus_ext.core.files import write_file
from stylus_ext.core.weight_formats import ADAPTER_KEY, STYLEINJECT
from stylus_ext.styleinject.adapter import Adapter
from stylus_ext.styleinject.layer_names import PREFIX
from stylus_ext.styleinject.layers import Shape, StyleInjectConv2d, StyleInjectLinear

_FORMAT = "1"
_PARTS = {
    "down": "lora_downs",
    "up": "lora_up.weight",
    "router.weight": "router.weight",
    "router.bias": "router.bias",
    "gain": "variance",
}
_FAMILIES = {
    "sd1": "stable-diffusion-v1",
    "sd2": "stable-diffusion-v2",
    "sdxl": "stable-diffusion-xl-v1-base",
}
"""What a LoRA file states about its base model."""


def save(adapter: Adapter, path: Path) -> None:
    shape = _shape_of(adapter)
    tensors = {
        f"{PREFIX}{name}.{_PARTS[part]}": value
        for name, layer in adapter.layers.items()
        for part, value in layer.state_dict().items()
    }
    metadata = {
        ADAPTER_KEY: STYLEINJECT,
        "stylus.format": _FORMAT,
        "stylus.n": str(shape.branches),
        "stylus.rank": str(shape.rank),
        "stylus.layers": str(len(adapter.layers)),
        "stylus.base_family": adapter.base_family,
        "stylus.variance": "on" if shape.variance else "off",
        **_base_model(adapter.base_family),
    }
    write_tensors(tensors, path, metadata)


def _shape_of(adapter: Adapter) -> Shape:
    for layer in adapter.layers.values():
        if isinstance(layer, StyleInjectLinear | StyleInjectConv2d):
            return layer.shape
    raise InvalidInput("This adapter is no StyleInject adapter.")


def _base_model(family: str) -> dict[str, str]:
    name = _FAMILIES.get(family, family)
    return {"modelspec.architecture": f"{name}/lora"} if name else {}


def write_tensors(
    tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Write a file in one step: an interrupted write leaves the old file."""
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_file(path, safetensors_bytes(plain, metadata=dict(metadata or {})), durable=True)


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata in a file's header; empty if it is no safetensors file."""
    try:
        with safe_open(path, "pt") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError):
        return {}


def is_styleinject(path: Path) -> bool:
    return read_metadata(path).get(ADAPTER_KEY) == STYLEINJECT


def load(path: Path) -> Adapter:
    """Read a live file; the sizes of its layers are those of its tensors."""
    try:
        with safe_open(path, "pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise InvalidInput(f"{path.name} cannot be read: {reason_of(error)}.") from error
    if metadata.get(ADAPTER_KEY) != STYLEINJECT or metadata.get("stylus.format") != _FORMAT:
        raise InvalidInput(f"{path.name} is no StyleInject file that this version of Stylus reads.")
    parts = {written: part for part, written in _PARTS.items()}
    layers: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        module, _, part = name.removeprefix(PREFIX).partition(".")
        if part not in parts:
            raise InvalidInput(f"{path.name} has an unknown tensor: {name}.")
        layers.setdefault(module, {})[parts[part]] = value.float()
    try:
        made = {name: _layer(state) for name, state in layers.items()}
    except (KeyError, RuntimeError, ValueError) as error:
        raise InvalidInput(f"{path.name} is damaged: a layer's tensors do not fit.") from error
    return Adapter(made, metadata.get("stylus.base_family", ""))


def _layer(state: Mapping[str, Tensor]) -> nn.Module:
    branches, rank, inputs, *kernel = state["down"].shape
    shape = Shape(branches, rank, "gain" in state)
    outputs = state["up"].shape[0]
    base: Any
    made: nn.Module
    if kernel:
        base = nn.Conv2d(inputs, outputs, tuple(kernel), device="meta")
        made = StyleInjectConv2d(base, shape)
    else:
        base = nn.Linear(inputs, outputs, device="meta")
        made = StyleInjectLinear(base, shape)
    made.load_state_dict(dict(state))
    return made.requires_grad_(False).eval()


def lora_tensors(layers: Mapping[str, tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """The tensors of a plain LoRA of down and up matrices, as its trainers name them."""
    found = {}
    for name, (down, up) in layers.items():
        ones = (1,) * (down.dim() - 2)
        found[f"{PREFIX}{name}.lora_down.weight"] = down
        found[f"{PREFIX}{name}.lora_up.weight"] = up.reshape(*up.shape, *ones)
        found[f"{PREFIX}{name}.alpha"] = torch.tensor(float(down.shape[0]))
    return found


def save_lora(layers: Mapping[str, tuple[Tensor, Tensor]], path: Path, base_family: str) -> None:
    """Write a plain LoRA."""
    rank = max((int(down.shape[0]) for down, _ in layers.values()), default=0)
    metadata = {
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(rank),
        "ss_network_alpha": str(rank),
        **_base_model(base_family),
    }
    write_tensors(lora_tensors(layers), path, metadata)
