"""Adapters on a tiny random UNet: identity at the start, routing, gradients, hooks, refusals."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from stylus_ext.environment.layout import ROOT
from stylus_ext.styleinject.adapter import (
    Adapter,
    NotApplicable,
    attach,
    lora_of_equal_size,
    make_adapter,
    make_lora,
)
from stylus_ext.styleinject.layer_names import original_names
from stylus_ext.styleinject.layers import (
    LoraConv2d,
    LoraLinear,
    Shape,
    StyleInjectConv2d,
    StyleInjectLinear,
)
from tests.styleinject.tiny_unet import OriginalUNet, TinyUNet, a_unet, pictures, randomise

ALL = ("conv_in", "conv_out", "attn", "proj")
SHAPES = (Shape(4, 2, True), Shape(3, 2, False))


def with_adapter(unet: nn.Module, adapter: Adapter, weight: float = 1.0) -> Tensor:
    attached = attach(adapter, unet, weight)
    try:
        with torch.no_grad():
            return unet(*pictures(3))
    finally:
        attached.detach()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_new_adapter_is_bit_equal_to_the_base(shape: Shape) -> None:
    unet = a_unet()
    base = unet(*pictures(3))
    assert torch.equal(with_adapter(unet, make_adapter(unet, shape, ALL)), base)


@pytest.mark.parametrize("shape", SHAPES)
def test_up_at_zero_is_bit_equal_whatever_the_rest(shape: Shape) -> None:
    unet = a_unet()
    adapter = make_adapter(unet, shape, ALL)
    randomise(adapter)
    with torch.no_grad():
        for layer in adapter.layers.values():
            layer.up.zero_()
            if layer.gain is not None:
                layer.gain.zero_()
    assert torch.equal(with_adapter(unet, adapter), unet(*pictures(3)))


def test_a_weight_of_zero_hooks_nothing_and_a_weight_scales_the_change() -> None:
    unet = a_unet()
    adapter = make_adapter(unet, Shape(4, 2, True), ALL)
    randomise(adapter)
    base = unet(*pictures(3))
    assert torch.equal(with_adapter(unet, adapter, 0.0), base)
    small, large = (with_adapter(unet, adapter, weight) - base for weight in (0.01, 0.02))
    assert 1.5 < (large.norm() / small.norm()).item() < 2.5


@pytest.mark.parametrize("kind", ["linear", "convolution"])
def test_one_branch_without_variance_is_a_lora(kind: str) -> None:
    torch.manual_seed(3)
    ours: nn.Module
    lora: nn.Module
    if kind == "linear":
        base, x = nn.Linear(6, 5), torch.randn(2, 7, 6)
        ours, lora = StyleInjectLinear(base, Shape(1, 3, False)), LoraLinear(base, 3)
        randomise(ours)
        dense = ours.up @ ours.down[0]
        by_hand = base(x) + functional.linear(x, dense)
    else:
        conv, x = nn.Conv2d(6, 5, 3, stride=2, padding=1), torch.randn(2, 6, 8, 8)
        base = conv
        ours, lora = StyleInjectConv2d(conv, Shape(1, 3, False)), LoraConv2d(conv, 3)
        randomise(ours)
        dense = torch.einsum("or,rikl->oikl", ours.up, ours.down[0])
        by_hand = base(x) + functional.conv2d(x, dense, stride=2, padding=1)
    with torch.no_grad():
        lora.down.copy_(ours.down[0])
        lora.up.copy_(ours.up)
    h = base(x)
    assert torch.equal(ours(x, h), lora(x, h))
    assert torch.allclose(ours(x, h), by_hand, atol=1e-5)


@pytest.mark.parametrize("size", [0.1, 3.0, 100.0])
def test_routing_sums_to_one(size: float) -> None:
    torch.manual_seed(4)
    linear = StyleInjectLinear(nn.Linear(6, 5), Shape(4, 2))
    conv = StyleInjectConv2d(nn.Conv2d(6, 5, 3), Shape(4, 2))
    of_tokens = linear.routing(size * torch.randn(3, 7, 6))
    of_pictures = conv.routing(size * torch.randn(3, 6, 8, 8))
    assert of_tokens.shape == (3, 7, 4)
    assert of_pictures.shape == (3, 4)
    for routing in (of_tokens, of_pictures):
        assert torch.allclose(routing.sum(-1), torch.ones(routing.shape[:-1]), atol=1e-5)
        assert (routing >= 0).all()


def test_the_variance_step_scales_each_channel_about_its_mean() -> None:
    torch.manual_seed(5)
    layer = StyleInjectLinear(nn.Linear(6, 5), Shape(4, 2, True))
    x, h = torch.randn(2, 30, 6), torch.randn(2, 30, 5)
    assert layer.gain is not None
    with torch.no_grad():
        layer.gain.copy_(torch.randn(4, 5) * 0.3)
    changed = layer(x, h)
    expected = 1 + layer.routing(x).mean(1) @ layer.gain
    assert torch.allclose(changed.mean(1), h.mean(1), atol=1e-5)
    assert torch.allclose(changed.std(1) / h.std(1), expected.abs(), atol=1e-4)
    alone = layer(x[:1], h[:1])
    assert torch.allclose(changed[:1], alone, atol=1e-6), "other pictures of a batch are no input"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_models_of_half_precision_keep_theirs(dtype: torch.dtype) -> None:
    unet = a_unet()
    adapter = make_adapter(unet, Shape(4, 2), ALL)
    randomise(adapter, size=0.1)
    full = with_adapter(unet, adapter)
    x, context = pictures(3)
    attached = attach(adapter, unet.to(dtype))
    with torch.no_grad():
        half = unet(x.to(dtype), context.to(dtype))
    attached.detach()
    assert half.dtype == dtype
    assert (half.float() - full).norm() < 0.1 * full.norm()
    assert all(parameter.dtype == torch.float32 for parameter in adapter.parameters())


def test_only_the_adapter_has_gradients() -> None:
    unet = a_unet()
    adapter = make_adapter(unet, Shape(4, 2), ALL)
    randomise(adapter)
    attached = attach(adapter, unet)
    unet(*pictures(2)).square().mean().backward()
    attached.detach()
    assert all(parameter.grad is None for parameter in unet.parameters())
    assert all(parameter.grad is not None for parameter in adapter.parameters())


def test_hooks_are_gone_after_detaching() -> None:
    unet = a_unet()
    adapter = make_adapter(unet, Shape(), ALL)
    randomise(adapter)
    base = unet(*pictures(3))
    assert not torch.equal(with_adapter(unet, adapter), base)
    assert torch.equal(unet(*pictures(3)), base)
    assert not any(module._forward_hooks for module in unet.modules())


def test_two_adapters_act_together_and_leave_alone() -> None:
    unet = a_unet()
    one, two = make_adapter(unet, Shape(2, 2), ALL), make_adapter(unet, Shape(3, 1), ALL)
    randomise(one, 6)
    randomise(two, 7)
    alone = with_adapter(unet, one)
    second = attach(two, unet)
    both = with_adapter(unet, one)
    second.detach()
    assert not torch.equal(both, alone)
    assert torch.equal(with_adapter(unet, one), alone)


def test_names_of_diffusers_find_the_layers_of_the_original_code() -> None:
    unet = a_unet()
    adapter = make_adapter(unet, Shape(), ALL)
    randomise(adapter)
    assert torch.equal(with_adapter(OriginalUNet(unet), adapter), with_adapter(unet, adapter))


@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("down_blocks_1_attentions_0_proj_in", "input_blocks_4_1_proj_in"),
        ("down_blocks_0_downsamplers_0_conv", "input_blocks_3_0_op"),
        ("down_blocks_2_resnets_1_conv_shortcut", "input_blocks_8_0_skip_connection"),
        ("mid_block_attentions_0_proj_out", "middle_block_1_proj_out"),
        ("mid_block_resnets_1_time_emb_proj", "middle_block_2_emb_layers_1"),
        ("up_blocks_3_attentions_2_proj_in", "output_blocks_11_1_proj_in"),
        ("up_blocks_0_resnets_0_conv1", "output_blocks_0_0_in_layers_2"),
        ("time_embedding_linear_2", "time_embed_2"),
    ],
)
def test_original_names(name: str, original: str) -> None:
    assert original_names(name) == (original,)


def test_an_upsampler_is_second_without_attention_and_third_with_it() -> None:
    names = original_names("up_blocks_1_upsamplers_0_conv")
    assert names == ("output_blocks_5_2_conv", "output_blocks_5_1_conv")


class OtherUNet(TinyUNet):
    """Layers of the same names and other sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(5, 16, 3, padding=1)


def compiled() -> nn.Module:
    unet = a_unet()
    unet._compiled_call_impl = unet.forward
    return unet


def quantised() -> nn.Module:
    unet = a_unet()
    projection = unet.down_blocks[0].attentions[0].proj_in
    projection.weight = nn.Parameter(projection.weight.to(torch.int8), requires_grad=False)
    return unet


class OtherKernel(nn.Module):
    weight = None


def of_another_kernel() -> nn.Module:
    unet = a_unet()
    unet.conv_out = OtherKernel()
    return unet


@pytest.mark.parametrize("unfit", [OtherUNet, compiled, quantised, of_another_kernel, nn.Identity])
def test_an_unfit_model_is_refused_and_keeps_no_hook(unfit: type[nn.Module]) -> None:
    model, adapter = unfit(), make_adapter(a_unet(), Shape(), ALL)
    with pytest.raises(NotApplicable):
        attach(adapter, model)
    assert not any(module._forward_hooks for module in model.modules())


def test_a_lora_of_equal_size_has_no_fewer_parameters_and_no_needless_rank() -> None:
    unet = a_unet()
    shape = Shape(4, 4, True)
    size, lora = make_adapter(unet, shape).size, lora_of_equal_size(unet, shape)
    per_rank = make_lora(unet, 1).size
    assert 0 <= lora.size - size < per_rank


def test_known_sizes() -> None:
    layer = StyleInjectLinear(nn.Linear(320, 320), Shape(4, 4, False))
    assert sum(parameter.numel() for parameter in layer.parameters()) == 7684


def test_the_extension_loads_without_torch() -> None:
    code = (
        "import sys; import stylus_ext.styleinject, stylus_ext.core.weight_formats;"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, check=True)
