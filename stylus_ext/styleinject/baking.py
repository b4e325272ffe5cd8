"""Bakes a StyleInject adapter into a plain LoRA: every router is replaced by its mean output.

The mean is taken over a calibration set. What is lost is the dependence on the input, and the
variance step, which no LoRA can express.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from stylus_ext.styleinject.adapter import Adapter, attach


def expected_routing(
    adapter: Adapter, unet: nn.Module, run: Callable[[], object]
) -> dict[str, Tensor]:
    """The mean weights of the branches of each layer while `run` sends a calibration set."""
    sums: dict[str, list[Tensor]] = {name: [] for name in adapter.layers}
    handles = [
        layer.register_forward_hook(_recorder(sums[name])) for name, layer in adapter.layers.items()
    ]
    attached = attach(adapter, unet)
    try:
        with torch.no_grad():
            run()
    finally:
        attached.detach()
        for handle in handles:
            handle.remove()
    return {name: torch.stack(means).mean(0) for name, means in sums.items() if means}


def _recorder(means: list[Tensor]) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
    def record(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: ARG001
        means.append(layer.routing(inputs[0]).flatten(0, -2).mean(0))

    return record


def bake(adapter: Adapter, routing: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """The down and up matrices of the plain LoRA, by layer.

    A layer that the calibration set did not reach has all branches alike.
    """
    baked = {}
    for name, layer in adapter.layers.items():
        branches = layer.down.shape[0]
        weights = routing.get(name, torch.full((branches,), 1 / branches))
        down = torch.tensordot(weights.to(layer.down), layer.down.detach(), dims=1)
        baked[name] = (down, layer.up.detach().clone())
    return baked


def lora_layers(adapter: Adapter) -> dict[str, tuple[Tensor, Tensor]]:
    """The down and up matrices of an adapter that is a plain LoRA already."""
    return {
        name: (layer.down.detach(), layer.up.detach()) for name, layer in adapter.layers.items()
    }
