"""The adapters of single layers: n parallel down matrices with a router, and one shared up matrix.

With the layer's input x and output h, the result is h + B * sum_i s_i A_i(x), where s is a softmax
over the input. The variance step, as we read it: every channel is scaled about its mean over the
positions of one picture by 1 + s V, so its variance follows the input. B and V start at zero, at
which the output is h.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of an adapter; `variance` switches the variance step."""

    branches: int = 4
    rank: int = 4
    variance: bool = True


class StyleInjectLayer(nn.Module, ABC):
    """What the two kinds of layers share: the up matrix, the router and the variance step."""

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, ...], shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.down = nn.Parameter(torch.empty(shape.branches, shape.rank, inputs, *kernel))
        self.up = nn.Parameter(torch.zeros(outputs, shape.rank))
        self.router = nn.Linear(inputs, shape.branches)
        self.gain = nn.Parameter(torch.zeros(shape.branches, outputs)) if shape.variance else None
        for branch in self.down:  # as LoRA's trainers begin
            nn.init.kaiming_uniform_(branch.detach(), a=math.sqrt(5))

    @abstractmethod
    def routing(self, x: Tensor) -> Tensor:
        """The weights of the branches, for each position of a linear layer or each picture."""

    @abstractmethod
    def change(self, x: Tensor, routing: Tensor) -> Tensor:
        """What is added to the layer's output."""

    def forward(self, x: Tensor, h: Tensor, weight: float = 1.0) -> Tensor:
        """The layer's new output for its input and output."""
        routing = self.routing(x)
        return self.rescale(h + weight * self.change(x, routing).to(h.dtype), routing, weight)

    @abstractmethod
    def rescale(self, h: Tensor, routing: Tensor, weight: float) -> Tensor:
        """The variance step: the output with its channels scaled about their means."""

    def _softmax(self, features: Tensor) -> Tensor:
        router = self.router
        logits = functional.linear(
            features, router.weight.to(features.dtype), router.bias.to(features.dtype)
        )
        return logits.softmax(-1, dtype=torch.float32)


class StyleInjectLinear(StyleInjectLayer):
    """Routes every position of the input by a fully connected layer."""

    def __init__(self, layer: nn.Linear, shape: Shape) -> None:
        super().__init__(layer.in_features, layer.out_features, (), shape)

    def routing(self, x: Tensor) -> Tensor:
        return self._softmax(x)

    def change(self, x: Tensor, routing: Tensor) -> Tensor:
        branches, rank = self.shape.branches, self.shape.rank
        low = functional.linear(x, self.down.to(x.dtype).flatten(0, 1))
        low = low.unflatten(-1, (branches, rank)) * routing.to(x.dtype).unsqueeze(-1)
        return functional.linear(low.sum(-2), self.up.to(x.dtype))

    def rescale(self, h: Tensor, routing: Tensor, weight: float) -> Tensor:
        if self.gain is None or h.dim() < 3:  # noqa: PLR2004  a single position has no variance
            return h
        positions = tuple(range(1, h.dim() - 1))
        gain = weight * routing.mean(positions, keepdim=True) @ self.gain.float()
        return h + (h - h.mean(positions, keepdim=True)) * gain.to(h.dtype)


class StyleInjectConv2d(StyleInjectLayer):
    """Routes every picture by a 1x1 convolution of the sum over its positions."""

    def __init__(self, layer: nn.Conv2d, shape: Shape) -> None:
        kernel = (layer.kernel_size[0], layer.kernel_size[1])
        super().__init__(layer.in_channels, layer.out_channels, kernel, shape)
        self.steps = steps_of(layer)

    def routing(self, x: Tensor) -> Tensor:
        return self._softmax(x.sum((-2, -1), dtype=torch.float32))

    def change(self, x: Tensor, routing: Tensor) -> Tensor:
        branches, rank = self.shape.branches, self.shape.rank
        low = functional.conv2d(x, self.down.to(x.dtype).flatten(0, 1), None, *self.steps)
        low = low.unflatten(1, (branches, rank)) * routing.to(x.dtype)[:, :, None, None, None]
        return functional.conv2d(low.sum(1), self.up.to(x.dtype)[:, :, None, None])

    def rescale(self, h: Tensor, routing: Tensor, weight: float) -> Tensor:
        if self.gain is None:
            return h
        gain = weight * (routing @ self.gain.float())[:, :, None, None]
        return h + (h - h.mean((-2, -1), keepdim=True)) * gain.to(h.dtype)


def steps_of(layer: nn.Conv2d) -> tuple[Any, Any, Any]:
    return layer.stride, layer.padding, layer.dilation


class LoraLinear(nn.Module):
    """A plain LoRA of one linear layer, for comparison."""

    def __init__(self, layer: nn.Linear, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.empty(rank, layer.in_features))
        self.up = nn.Parameter(torch.zeros(layer.out_features, rank))
        nn.init.kaiming_uniform_(self.down.detach(), a=math.sqrt(5))

    def forward(self, x: Tensor, h: Tensor, weight: float = 1.0) -> Tensor:
        low = functional.linear(x, self.down.to(x.dtype))
        return h + weight * functional.linear(low, self.up.to(x.dtype)).to(h.dtype)


class LoraConv2d(nn.Module):
    """A plain LoRA of one convolution, for comparison."""

    def __init__(self, layer: nn.Conv2d, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.empty(rank, layer.in_channels, *layer.kernel_size))
        self.up = nn.Parameter(torch.zeros(layer.out_channels, rank))
        self.steps = steps_of(layer)
        nn.init.kaiming_uniform_(self.down.detach(), a=math.sqrt(5))

    def forward(self, x: Tensor, h: Tensor, weight: float = 1.0) -> Tensor:
        low = functional.conv2d(x, self.down.to(x.dtype), None, *self.steps)
        return h + weight * functional.conv2d(low, self.up.to(x.dtype)[:, :, None, None])


def parameters_of(layer: nn.Module) -> int:
    return sum(parameter.numel() for parameter in layer.parameters())
