"""A tiny random UNet whose layers are named as those of diffusers, and its pictures."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS, CONTEXT = 16, 12


class Attention(nn.Module):
    def __init__(self, context: int) -> None:
        super().__init__()
        self.to_q = nn.Linear(CHANNELS, CHANNELS, bias=False)
        self.to_k = nn.Linear(context, CHANNELS, bias=False)
        self.to_v = nn.Linear(context, CHANNELS, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(CHANNELS, CHANNELS)])

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        mixed = functional.scaled_dot_product_attention(
            self.to_q(x), self.to_k(context), self.to_v(context)
        )
        return self.to_out[0](mixed)


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attn1, self.attn2 = Attention(CHANNELS), Attention(CONTEXT)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        x = x + self.attn1(x, x)
        return x + self.attn2(x, context)


class SpatialTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(4, CHANNELS)
        self.proj_in = nn.Conv2d(CHANNELS, CHANNELS, 1)
        self.transformer_blocks = nn.ModuleList([Transformer()])
        self.proj_out = nn.Conv2d(CHANNELS, CHANNELS, 1)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        h = self.proj_in(self.norm(x))
        tokens = self.transformer_blocks[0](h.flatten(2).transpose(1, 2), context)
        return x + self.proj_out(tokens.transpose(1, 2).reshape(h.shape))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attentions = nn.ModuleList([SpatialTransformer()])


class TinyUNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(4, CHANNELS, 3, padding=1)
        self.down_blocks = nn.ModuleList([Block()])
        self.conv_out = nn.Conv2d(CHANNELS, 4, 3, padding=1)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        return self.conv_out(self.down_blocks[0].attentions[0](self.conv_in(x), context))


class OriginalUNet(nn.Module):
    """The same layers under the names of the original code."""

    def __init__(self, like: TinyUNet) -> None:
        super().__init__()
        self.input_blocks = nn.ModuleList(
            [
                nn.ModuleList([like.conv_in]),
                nn.ModuleList([nn.Identity(), like.down_blocks[0].attentions[0]]),
            ]
        )
        self.out = nn.ModuleList([nn.Identity(), nn.Identity(), like.conv_out])

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        return self.out[2](self.input_blocks[1][1](self.input_blocks[0][0](x), context))


def a_unet(seed: int = 0) -> TinyUNet:
    torch.manual_seed(seed)
    unet = TinyUNet()
    unet.requires_grad_(False).eval()
    return unet


def pictures(number: int, seed: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(number, 4, 6, 6, generator=generator),
        torch.randn(number, 5, CONTEXT, generator=generator),
    )


def randomise(module: nn.Module, seed: int = 2, size: float = 0.3) -> None:
    """Give all parameters other values, so that an adapter changes something."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * size)


Run = Callable[[], Tensor]
