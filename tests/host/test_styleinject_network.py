"""The tag's network: pictures change with it and are as before without it, whatever happens."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from starlette.applications import Starlette
from torch import Tensor, nn

from stylus_ext.styleinject.adapter import make_adapter
from stylus_ext.styleinject.baking import lora_layers
from stylus_ext.styleinject.files import save, save_lora
from stylus_ext.styleinject.layers import Shape
from tests.host.double.fixtures import Stage
from tests.host.test_start_up import early_starts
from tests.styleinject.tiny_unet import TinyUNet, a_unet, pictures, randomise

ALL = ("conv_in", "conv_out", "attn", "proj")


class Generation:
    """A `p` that samples by the UNet, with a hires pass that has tags of its own."""

    def __init__(self, net: Any, unet: nn.Module, *tags: str, hires: tuple[str, ...] = ()) -> None:
        self.net, self.unet, self.tags, self.hires = net, unet, tags, hires
        self.comments: list[str] = []
        self.fails = False

    def comment(self, text: str) -> None:
        self.comments.append(text)

    def sample(self, number: int) -> list[Tensor]:
        passes = [self.unet(*pictures(number))]
        if self.fails:
            raise RuntimeError
        if self.hires:
            self.net.activate(self, params(self.hires))
            passes.append(self.unet(*pictures(number)))
        return passes


def params(tags: tuple[str, ...]) -> list[Any]:
    """As the host parses `<styleinject:a:b>`."""
    return [SimpleNamespace(items=tag.split(":"), positional=tag.split(":")) for tag in tags]


def make(p: Generation, batches: int = 1, number: int = 2) -> list[list[Tensor]]:
    """The host's order: activation for every batch, then sampling; deactivation at the end."""
    made = []
    with torch.inference_mode():
        for _ in range(batches):
            p.net.activate(p, params(p.tags))
            made.append(p.sample(number))
    p.net.deactivate(p)
    return made


def hooks(unet: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in unet.modules())


@pytest.fixture
def unet() -> TinyUNet:
    return a_unet()


@pytest.fixture
def net(stage: Stage, unet: TinyUNet, tmp_path: Path, monkeypatch: Any) -> Iterator[Any]:
    folder = tmp_path / "Lora"
    (folder / "styles").mkdir(parents=True)
    stage.host.cmd_opts.lora_dir = str(folder)
    for name, seed, family in (("ink", 2, ""), ("oil", 3, ""), ("other", 4, "sdxl")):
        adapter = make_adapter(unet, Shape(3, 2), ALL, family)
        randomise(adapter, seed)
        save(adapter, folder / "styles" / f"{name}.safetensors")
    save_lora(lora_layers(adapter), folder / "plain.safetensors", "sd1")
    monkeypatch.setattr(stage.host.model, "model", SimpleNamespace(diffusion_model=unet), False)
    start_app(stage)
    yield stage.host.extra_networks["styleinject"]
    assert hooks(unet) == 0


def start_app(stage: Stage) -> None:
    """The host's last step of starting and of reloading its page."""
    (app_started,) = stage.host.callbacks["on_app_started"]
    app_started(None, Starlette())
    for thread in early_starts(stage):
        thread.join()


def changed(pictures_: list[list[Tensor]], base: list[list[Tensor]]) -> list[list[bool]]:
    return [
        [not torch.equal(one, other) for one, other in zip(ours, theirs, strict=True)]
        for ours, theirs in zip(pictures_, base, strict=True)
    ]


def test_pictures_change_with_it_and_are_as_before_without_it(net: Any, unet: TinyUNet) -> None:
    base = make(Generation(net, unet))
    assert changed(make(Generation(net, unet, "ink:0.8")), base) == [[True]]
    assert changed(make(Generation(net, unet)), base) == [[False]]
    assert changed(make(Generation(net, unet, "ink:0")), base) == [[False]]
    assert changed(make(Generation(net, unet, "ink")), make(Generation(net, unet, "ink:1"))) == [
        [False]
    ]


def test_every_batch_and_the_hires_pass_have_their_own(net: Any, unet: TinyUNet) -> None:
    base = make(Generation(net, unet, hires=("ink:0",)), 2)
    with_both = make(Generation(net, unet, "ink:1", hires=("ink:1",)), 2)
    assert changed(with_both, base) == [[True, True]] * 2
    only_first = make(Generation(net, unet, "ink:1", hires=("ink:0",)), 2)
    assert changed(only_first, base) == [[True, False]] * 2


def test_two_tags_act_together(net: Any, unet: TinyUNet) -> None:
    one, both = make(Generation(net, unet, "ink:1")), make(Generation(net, unet, "ink:1", "oil:1"))
    assert changed(both, one) == [[True]]


def test_pictures_of_a_batch_do_not_influence_each_other(net: Any, unet: TinyUNet) -> None:
    two = make(Generation(net, unet, "ink:1"), number=2)[0][0]
    x, context = pictures(2)
    p = Generation(net, unet, "ink:1")
    with torch.inference_mode():
        net.activate(p, params(p.tags))
        alone = unet(x[:1], context[:1])
    net.deactivate(p)
    assert torch.allclose(two[:1], alone, atol=1e-5)


def test_hooks_are_gone_after_an_exception(net: Any, unet: TinyUNet) -> None:
    p = Generation(net, unet, "ink:1")
    p.fails = True
    with pytest.raises(RuntimeError):
        make(p)
    assert hooks(unet) == 0
    assert "sample" not in vars(p)


def test_hooks_are_gone_when_the_list_is_empty(net: Any, unet: TinyUNet) -> None:
    p = Generation(net, unet, "ink:1")
    net.activate(p, params(p.tags))
    assert hooks(unet) > 0
    net.activate(p, [])
    assert hooks(unet) == 0


def test_another_extensions_sampling_stays(net: Any, unet: TinyUNet) -> None:
    p = Generation(net, unet, "ink:1")
    theirs = p.sample

    def tiled(number: int) -> list[Tensor]:
        return theirs(number)

    p.sample = tiled  # type: ignore[method-assign]
    make(p, 2)
    assert p.sample is tiled


@pytest.mark.parametrize(
    "tag", ["missing:1", "plain:1", "ink:much", "ink:nan", "other:1", "", "../Lora/plain:1"]
)
def test_an_unusable_tag_is_one_comment_and_no_change(
    net: Any, stage: Stage, unet: TinyUNet, tag: str
) -> None:
    stage.host.model.is_sd1 = True
    p = Generation(net, unet, tag)
    assert changed(make(p), make(Generation(net, unet))) == [[False]]
    assert len(p.comments) == 1


def test_one_unusable_tag_keeps_the_others(net: Any, unet: TinyUNet) -> None:
    p = Generation(net, unet, "missing:1", "ink:1")
    assert changed(make(p), make(Generation(net, unet, "ink:1"))) == [[False]]
    assert len(p.comments) == 1


def test_compiled_and_replaced_unets_are_refused(
    net: Any, unet: TinyUNet, monkeypatch: Any
) -> None:
    base = make(Generation(net, unet))
    with monkeypatch.context() as patch:
        module = ModuleType("modules.sd_unet")
        vars(module)["current_unet"] = object()
        patch.setitem(sys.modules, "modules.sd_unet", module)
        p = Generation(net, unet, "ink:1")
        assert changed(make(p), base) == [[False]]
        assert len(p.comments) == 1
    unet._compiled_call_impl = unet.forward
    q = Generation(net, unet, "ink:1")
    assert changed(make(q), base) == [[False]]
    assert len(q.comments) == 1


def test_forges_unet_lies_in_its_patcher(net: Any, stage: Stage, unet: TinyUNet) -> None:
    stage.host.model.model = None
    stage.host.model.forge_objects = SimpleNamespace(
        unet=SimpleNamespace(model=SimpleNamespace(diffusion_model=unet))
    )
    base = make(Generation(net, unet))
    assert changed(make(Generation(net, unet, "ink:1")), base) == [[True]]


def test_without_a_model_there_is_a_comment(net: Any, stage: Stage, unet: TinyUNet) -> None:
    stage.host.model.model = None
    p = Generation(net, unet, "ink:1")
    make(p)
    assert len(p.comments) == 1


def test_a_replaced_file_is_read_again(net: Any, unet: TinyUNet, tmp_path: Path) -> None:
    first = make(Generation(net, unet, "ink:1"))
    adapter = make_adapter(unet, Shape(2, 1), ALL)
    randomise(adapter, 9)
    save(adapter, tmp_path / "Lora" / "styles" / "ink.safetensors")
    assert changed(make(Generation(net, unet, "ink:1")), first) == [[True]]


def test_it_is_registered_again_after_a_reload(stage: Stage) -> None:
    start_app(stage)
    stage.host.start()
    assert stage.host.extra_networks == {}
    start_app(stage)
    assert set(stage.host.extra_networks) == {"styleinject"}
