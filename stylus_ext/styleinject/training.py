"""The training loop of adapters: resumable, with a random sequence of its own for every step.

A training that was interrupted and resumed ends with the same weights as one that was not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from stylus_ext.core.errors import InvalidInput, reason_of
from stylus_ext.styleinject.adapter import Adapter, attach
from stylus_ext.styleinject.files import write_tensors

STATE_FILE = "training.safetensors"
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")
_PER_STEP = 1_000_003
_CLIP = 1.0

Loss = Callable[[torch.Generator], Tensor]
"""The loss of one step, whose random numbers all come from the generator."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """`what` describes the training; a folder's training is resumed only if it is the same."""

    steps: int
    learning_rate: float = 1e-3
    seed: int = 1
    save_every: int = 50
    what: str = ""


class Training:
    """Trains an adapter on a UNet whose own weights stay; keeps its state in a folder."""

    def __init__(self, adapter: Adapter, plan: TrainingPlan, folder: Path | None = None) -> None:
        self.adapter, self.plan = adapter, plan
        self.step = 0
        self._file = folder / STATE_FILE if folder is not None else None
        self._names = [name for name, _ in adapter.named_parameters()]
        self._optimiser = torch.optim.AdamW(adapter.parameters(), lr=plan.learning_rate)
        if self._file is not None and self._file.exists():
            self._resume(self._file)

    def run(self, unet: nn.Module, loss: Loss, after_step: Callable[[float], None]) -> None:
        """Train to the last step; the state is saved on the way, at the end and on Ctrl+C."""
        parameters = list(self.adapter.parameters())
        attached = attach(self.adapter, unet)
        try:
            while self.step < self.plan.steps:
                value = loss(self._generator())
                self._optimiser.zero_grad()
                value.backward()
                nn.utils.clip_grad_norm_(parameters, _CLIP)
                self._optimiser.step()
                self.step += 1
                if self.step % self.plan.save_every == 0:
                    self.save()
                after_step(value.item())
        finally:
            attached.detach()
            self.save()

    def _generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.plan.seed * _PER_STEP + self.step)

    def save(self) -> None:
        """Write the adapter and the optimiser's state in one step."""
        if self._file is None:
            return
        tensors = {f"adapter.{name}": value for name, value in self.adapter.named_parameters()}
        moments: Mapping[int, Mapping[str, Tensor]] = self._optimiser.state_dict()["state"]
        for number, name in enumerate(self._names):
            for moment, value in moments.get(number, {}).items():
                tensors[f"{moment}.{name}"] = value
        about = {"step": str(self.step), "plan": self._about()}
        write_tensors(tensors, self._file, about)

    def _about(self) -> str:
        plan = self.plan
        return json.dumps([plan.what, plan.learning_rate, plan.seed])

    def _resume(self, file: Path) -> None:
        metadata, tensors = _read(file)
        if metadata.get("plan") != self._about() or any(
            f"adapter.{name}" not in tensors for name in self._names
        ):
            raise InvalidInput(
                f"{file} is the state of another training. Choose another --out, or move the file."
            )
        with torch.no_grad():
            for name, parameter in self.adapter.named_parameters():
                parameter.copy_(tensors[f"adapter.{name}"])
        state = self._optimiser.state_dict()
        state["state"] = {
            number: {moment: tensors[f"{moment}.{name}"] for moment in _MOMENTS}
            for number, name in enumerate(self._names)
            if f"step.{name}" in tensors
        }
        self._optimiser.load_state_dict(state)
        self.step = int(metadata["step"])


def _read(file: Path) -> tuple[dict[str, str], dict[str, Any]]:
    try:
        with safe_open(file, "pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            return dict(opened.metadata() or {}), tensors
    except (OSError, SafetensorError) as error:
        raise InvalidInput(f"{file} cannot be read: {reason_of(error)}.") from error
