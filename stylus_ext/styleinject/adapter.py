"""An adapter of a whole UNet: made for its layers, attached by forward hooks, detached again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from stylus_ext.core.errors import InvalidInput
from stylus_ext.styleinject.layer_names import original_names
from stylus_ext.styleinject.layers import (
    LoraConv2d,
    LoraLinear,
    Shape,
    StyleInjectConv2d,
    StyleInjectLinear,
    parameters_of,
    steps_of,
)

ATTENTION = ("attn1_", "attn2_", "ff_net_", "proj_in", "proj_out")
"""Parts of the names of the layers that are trained: those of the attention blocks."""


class NotApplicable(InvalidInput):
    """The adapter cannot act on this model; the message says why."""


class Adapter(nn.Module):
    """Adapters of layers by the layers' names, which are those of LoRA files without the prefix."""

    def __init__(self, layers: Mapping[str, nn.Module], base_family: str = "") -> None:
        super().__init__()
        self.layers = nn.ModuleDict(layers)
        self.base_family = base_family

    @property
    def size(self) -> int:
        """The number of its parameters."""
        return parameters_of(self)


def make_adapter(
    unet: nn.Module, shape: Shape, parts: Iterable[str] = ATTENTION, base_family: str = ""
) -> Adapter:
    """A StyleInject adapter that changes nothing yet."""

    def made(layer: nn.Module) -> nn.Module:
        kind = StyleInjectConv2d if isinstance(layer, nn.Conv2d) else StyleInjectLinear
        return kind(layer, shape)

    return _made(unet, parts, made, base_family)


def make_lora(
    unet: nn.Module, rank: int, parts: Iterable[str] = ATTENTION, base_family: str = ""
) -> Adapter:
    """A plain LoRA that changes nothing yet."""

    def made(layer: nn.Module) -> nn.Module:
        return (LoraConv2d if isinstance(layer, nn.Conv2d) else LoraLinear)(layer, rank)

    return _made(unet, parts, made, base_family)


def lora_of_equal_size(
    unet: nn.Module, shape: Shape, parts: Iterable[str] = ATTENTION, base_family: str = ""
) -> Adapter:
    """The smallest LoRA with at least as many parameters as a StyleInject adapter of this shape."""
    parts = tuple(parts)
    size = make_adapter(unet, shape, parts).size
    per_rank = make_lora(unet, 1, parts).size
    return make_lora(unet, -(-size // per_rank), parts, base_family)


def _made(
    unet: nn.Module, parts: Iterable[str], made: Callable[[Any], nn.Module], base_family: str
) -> Adapter:
    layers = {name: made(layer) for name, layer in trained_layers(unet, tuple(parts))}
    if not layers:
        raise NotApplicable("The model has no layers that StyleInject could adapt.")
    return Adapter(layers, base_family)


def trained_layers(unet: nn.Module, parts: tuple[str, ...]) -> Iterator[tuple[str, nn.Module]]:
    for path, layer in unet.named_modules():
        name = path.replace(".", "_")
        is_plain_conv = isinstance(layer, nn.Conv2d) and layer.groups == 1
        if (isinstance(layer, nn.Linear) or is_plain_conv) and any(part in name for part in parts):
            yield name, layer


@dataclass(frozen=True, slots=True)
class Attached:
    """The hooks of an adapter on a UNet."""

    handles: tuple[Any, ...]

    def detach(self) -> None:
        for handle in self.handles:
            handle.remove()


def attach(adapter: Adapter, unet: nn.Module, weight: float = 1.0) -> Attached:
    """Let the adapter act on the UNet's layers; all layers must fit. A weight of 0 adds no hook."""
    refuse_unknown_kernels(unet)
    targets = find_layers(unet, adapter.layers)
    if weight == 0:
        return Attached(())
    for name, layer in targets.items():
        if isinstance(layer, nn.Conv2d):  # a file does not say how its kernels move
            adapter.layers[name].steps = steps_of(layer)
    hooks = [
        layer.register_forward_hook(_hook(adapter.layers[name], weight))
        for name, layer in targets.items()
    ]
    return Attached(tuple(hooks))


def _hook(adapter: nn.Module, weight: float) -> Callable[[Any, Any, Any], Any]:
    def changed(layer: Any, inputs: Any, output: Any) -> Any:  # noqa: ARG001
        x = inputs[0]
        if adapter.down.device != x.device:
            adapter.to(x.device)
        return adapter(x, output, weight)

    return changed


def refuse_unknown_kernels(unet: nn.Module) -> None:
    if hasattr(unet, "_orig_mod") or any(
        getattr(module, "_compiled_call_impl", None) is not None for module in unet.modules()
    ):
        raise NotApplicable(
            "StyleInject cannot change a compiled model. Switch torch.compile off and try again."
        )


def find_layers(unet: nn.Module, adapters: nn.ModuleDict) -> dict[str, Any]:
    """The UNet's layers that an adapter acts on, by the names in its file."""
    modules = {path.replace(".", "_"): module for path, module in unet.named_modules() if path}
    found = {}
    for name, adapter in adapters.items():
        known = (known for known in (name, *original_names(name)) if known in modules)
        layer = modules.get(next(known, ""))
        if layer is None:
            raise NotApplicable(f"The model has no layer {name}: the adapter is for another model.")
        _check_layer(name, layer, adapter)
        found[name] = layer
    return found


def _check_layer(name: str, layer: nn.Module, adapter: Any) -> None:
    weight: Any = getattr(layer, "weight", None)
    is_plain = isinstance(layer, nn.Linear | nn.Conv2d) and weight is not None
    if not (is_plain and weight.is_floating_point()):
        raise NotApplicable(
            f"The layer {name} is quantised, which StyleInject cannot change. Load the model"
            " unquantised."
        )
    down, up = tuple(adapter.down.shape), tuple(adapter.up.shape)
    inputs = down[2:] if isinstance(adapter, StyleInjectLinear | StyleInjectConv2d) else down[1:]
    if (up[0], *inputs) != tuple(weight.shape):
        raise NotApplicable(f"The layer {name} has another size: the adapter is for another model.")
