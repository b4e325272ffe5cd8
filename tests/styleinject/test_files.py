"""Files: a live adapter comes back as it was, damaged files are refused, baked ones are LoRAs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from stylus_ext.core.errors import InvalidInput
from stylus_ext.styleinject.adapter import Adapter, attach, make_adapter, make_lora
from stylus_ext.styleinject.baking import bake, expected_routing, lora_layers
from stylus_ext.styleinject.files import is_styleinject, load, read_metadata, save, save_lora
from stylus_ext.styleinject.layers import LoraConv2d, LoraLinear, Shape
from tests.styleinject.tiny_unet import TinyUNet, a_unet, pictures, randomise

ALL = ("conv_in", "conv_out", "attn", "proj")


def output(unet: nn.Module, adapter: Adapter | None = None) -> Tensor:
    attached = attach(adapter, unet) if adapter is not None else None
    with torch.no_grad():
        result = unet(*pictures(4))
    if attached is not None:
        attached.detach()
    return result


def a_trained(unet: TinyUNet, shape: Shape) -> Adapter:
    adapter = make_adapter(unet, shape, ALL, "sd1")
    randomise(adapter)
    for layer in adapter.layers.values():
        randomise(layer.router, size=0.02)
    return adapter


@pytest.mark.parametrize("variance", [True, False])
def test_a_saved_adapter_comes_back(tmp_path: Path, variance: bool) -> None:
    unet, path = a_unet(), tmp_path / "style.safetensors"
    adapter = a_trained(unet, Shape(3, 2, variance))
    save(adapter, path)
    again = load(path)
    assert again.base_family == "sd1"
    before, after = adapter.state_dict(), again.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert torch.allclose(output(unet, again), output(unet, adapter), atol=1e-5)
    metadata = read_metadata(path)
    assert metadata["stylus.adapter"] == "styleinject"
    wanted = {"n": "3", "rank": "2", "layers": str(len(adapter.layers)), "base_family": "sd1"}
    assert {name: metadata[f"stylus.{name}"] for name in wanted} == wanted
    assert metadata["stylus.variance"] == ("on" if variance else "off")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_other_files_are_refused(tmp_path: Path) -> None:
    lora, text, odd, torn = (tmp_path / f"{name}.safetensors" for name in "abcd")
    save_lora({"x": (torch.ones(2, 3), torch.ones(4, 2))}, lora, "sd1")
    text.write_text("no tensors")
    ours = {"stylus.adapter": "styleinject", "stylus.format": "1"}
    save_file({"lora_unet_x.strange": torch.ones(1)}, odd, metadata=ours)
    save_file({"lora_unet_x.lora_downs": torch.ones(2, 1, 3)}, torn, metadata=ours)
    assert not is_styleinject(lora)
    assert not is_styleinject(text)
    assert is_styleinject(odd)
    for path in (lora, text, odd, torn, tmp_path / "none.safetensors"):
        with pytest.raises(InvalidInput):
            load(path)


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "later.safetensors"
    save_file(
        {"x": torch.ones(1)},
        path,
        metadata={"stylus.adapter": "styleinject", "stylus.format": "2"},
    )
    with pytest.raises(InvalidInput):
        load(path)


def test_a_plain_lora_is_not_saved_as_a_live_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        save(make_lora(a_unet(), 2), tmp_path / "x.safetensors")


def as_plain_lora(unet: TinyUNet, path: Path) -> Adapter:
    """What a host makes of a LoRA file: up times down, times alpha by rank."""
    tensors = load_file(path)
    names = {name.partition(".")[0] for name in tensors}
    modules = {path.replace(".", "_"): module for path, module in unet.named_modules()}
    layers: dict[str, nn.Module] = {}
    for name in names:
        base = modules[name.removeprefix("lora_unet_")]
        down, up = tensors[f"{name}.lora_down.weight"], tensors[f"{name}.lora_up.weight"]
        rank = down.shape[0]
        assert up.shape[:2] == (base.weight.shape[0], rank)
        assert up.dim() == down.dim() == base.weight.dim()
        made = (LoraConv2d if down.dim() > 2 else LoraLinear)(base, rank)
        with torch.no_grad():
            made.down.copy_(down)
            made.up.copy_(up.flatten(1) * tensors[f"{name}.alpha"] / rank)
        layers[name.removeprefix("lora_unet_")] = made
    return Adapter(layers)


def test_a_baked_adapter_is_a_lora_near_the_live_one(tmp_path: Path) -> None:
    unet, path = a_unet(), tmp_path / "baked.safetensors"
    adapter = a_trained(unet, Shape(4, 2, False))
    routing = expected_routing(adapter, unet, lambda: unet(*pictures(4)))
    assert set(routing) == set(adapter.layers)
    assert all(abs(weights.sum().item() - 1) < 1e-5 for weights in routing.values())
    assert not any(layer._forward_hooks for layer in [*unet.modules(), *adapter.modules()])
    save_lora(bake(adapter, routing), path, adapter.base_family)
    base, live = output(unet), output(unet, adapter)
    baked = output(unet, as_plain_lora(unet, path))
    assert (baked - live).norm() < 0.5 * (base - live).norm()
    even = bake(adapter, {})
    save_lora(even, path, "sd1")
    unrouted = output(unet, as_plain_lora(unet, path))
    assert (baked - live).norm() < (unrouted - live).norm()


def test_one_branch_is_baked_exactly(tmp_path: Path) -> None:
    unet, path = a_unet(), tmp_path / "baked.safetensors"
    adapter = a_trained(unet, Shape(1, 2, False))
    save_lora(bake(adapter, {}), path, "sd1")
    assert torch.allclose(output(unet, as_plain_lora(unet, path)), output(unet, adapter), atol=1e-5)


def test_a_trained_lora_is_saved_as_it_is(tmp_path: Path) -> None:
    unet, path = a_unet(), tmp_path / "lora.safetensors"
    lora = make_lora(unet, 3, ALL)
    randomise(lora)
    save_lora(lora_layers(lora), path, "sdxl")
    assert torch.allclose(output(unet, as_plain_lora(unet, path)), output(unet, lora), atol=1e-5)
    assert read_metadata(path)["ss_network_dim"] == "3"


def test_a_run_that_fails_while_baking_leaves_no_hook() -> None:
    unet = a_unet()
    adapter = make_adapter(unet, Shape(), ALL)

    def fails() -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        expected_routing(adapter, unet, fails)
    assert not any(module._forward_hooks for module in [*unet.modules(), *adapter.modules()])
