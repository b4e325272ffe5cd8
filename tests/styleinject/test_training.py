"""Training on the tiny UNet: resumed trainings, and distilling a teacher of two styles."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from stylus_ext.core.errors import InvalidInput
from stylus_ext.styleinject.adapter import (
    Adapter,
    attach,
    lora_of_equal_size,
    make_adapter,
)
from stylus_ext.styleinject.layers import Shape
from stylus_ext.styleinject.training import Loss, Training, TrainingPlan
from tests.styleinject.tiny_unet import CONTEXT, TinyUNet, a_unet, randomise

STYLES = ("attn1_", "attn2_", "proj_out")
SHAPE = Shape(4, 2, False)


def inputs(number: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Random pictures, texts that begin with the token of one of two styles, and the styles."""
    style = torch.randint(0, 2, (number,), generator=generator)
    context = torch.randn(number, 5, CONTEXT, generator=generator)
    context[:, 0] = torch.where(style[:, None] == 1, 2.0, -2.0)
    x = torch.randn(number, 4, 6, 6, generator=generator)
    return x + torch.where(style == 1, 1.5, -1.5)[:, None, None, None], context, style


class Teacher:
    """The UNet with one of two other sets of weights, by the style of the text."""

    def __init__(self) -> None:
        self.unets = []
        for seed in (11, 12):
            unet = a_unet()
            change = make_adapter(unet, Shape(1, 4, False), STYLES)
            randomise(change, seed, 0.25)
            attach(change, unet)
            self.unets.append(unet)

    def __call__(self, x: Tensor, context: Tensor, style: Tensor) -> Tensor:
        with torch.no_grad():
            both = torch.stack([unet(x, context) for unet in self.unets])
        return both[style, torch.arange(len(style))]


def distil(unet: TinyUNet, teacher: Teacher) -> Loss:
    def loss(generator: torch.Generator) -> Tensor:
        x, context, style = inputs(16, generator)
        return functional.mse_loss(unet(x, context), teacher(x, context, style))

    return loss


def test_error(unet: nn.Module, adapter: Adapter, teacher: Teacher) -> float:
    """The mean squared error on pictures that no training has seen."""
    x, context, style = inputs(256, torch.Generator().manual_seed(99))
    attached = attach(adapter, unet)
    with torch.no_grad():
        error = functional.mse_loss(unet(x, context), teacher(x, context, style))
    attached.detach()
    return float(error)


test_error.__test__ = False  # type: ignore[attr-defined]


def distilled(make: object, steps: int) -> tuple[int, float, float]:
    """The number of parameters, and the errors before and after training."""
    unet, teacher = a_unet(), Teacher()
    torch.manual_seed(21)
    adapter = make(unet, SHAPE, STYLES)  # type: ignore[operator]
    before = test_error(unet, adapter, teacher)
    Training(adapter, TrainingPlan(steps, 5e-3)).run(unet, distil(unet, teacher), lambda _: None)
    return adapter.size, before, test_error(unet, adapter, teacher)


def test_two_styles_are_distilled_no_worse_than_by_a_lora_of_equal_size() -> None:
    size, before, routed = distilled(make_adapter, 200)
    lora_size, _, plain = distilled(lora_of_equal_size, 200)
    assert size <= lora_size
    assert routed < before / 2
    assert routed <= plain


def trained(folder: Path | None, steps: int, stop_at: int = 0) -> Training:
    """A training with a state in this folder, interrupted after some steps."""
    unet, teacher = a_unet(), Teacher()
    torch.manual_seed(21)
    adapter = make_adapter(unet, Shape(2, 2), STYLES)
    training = Training(adapter, TrainingPlan(steps, save_every=2), folder)

    def after(_: float) -> None:
        if training.step == stop_at:
            raise KeyboardInterrupt

    training.run(unet, distil(unet, teacher), after)
    return training


def test_a_resumed_training_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, 6, stop_at=3)
    resumed, whole = trained(tmp_path, 6), trained(None, 6)
    before, after = whole.adapter.state_dict(), resumed.adapter.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert resumed.step == 6


def test_a_killed_training_resumes_from_the_last_saved_step(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, 6, stop_at=3)
    state = (tmp_path / "training.safetensors").read_bytes()
    (tmp_path / ".training.safetensors.1.part").write_bytes(state[:100])  # a write that was cut
    assert trained(tmp_path, 6).step == 6


def test_a_finished_training_takes_no_step_more(tmp_path: Path) -> None:
    trained(tmp_path, 2)
    assert trained(tmp_path, 2).step == 2


def test_the_state_of_another_training_is_refused(tmp_path: Path) -> None:
    trained(tmp_path, 2)
    adapter = make_adapter(a_unet(), Shape(2, 2), STYLES)
    for plan in (TrainingPlan(2, seed=2), TrainingPlan(2, what="another model")):
        with pytest.raises(InvalidInput):
            Training(adapter, plan, tmp_path)
    (tmp_path / "training.safetensors").write_bytes(b"torn")
    with pytest.raises(InvalidInput):
        Training(adapter, TrainingPlan(2), tmp_path)


def test_the_unet_is_not_trained_and_keeps_no_hook() -> None:
    unet, teacher = a_unet(), Teacher()
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    Training(make_adapter(unet, SHAPE, STYLES), TrainingPlan(3)).run(
        unet, distil(unet, teacher), lambda _: None
    )
    assert all(torch.equal(before[name], value) for name, value in unet.state_dict().items())
    assert not any(module._forward_hooks for module in unet.modules())
