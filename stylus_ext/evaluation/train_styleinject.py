"""Trains a StyleInject adapter, or a LoRA of equal size, on pictures or from another checkpoint.

It runs on diffusers, which is in the environment for training only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stylus_ext.core.errors import InvalidInput, reason_of
from stylus_ext.evaluation.training_data import (
    CaptionedPicture,
    EncodedData,
    embed,
    encode_data,
    read_folder,
)

METHODS = ("styleinject", "lora")
_FAMILIES = {768: "sd1", 1024: "sd2"}
_SDXL = 2048
_WITHOUT_CAPTION = 0.1
_CALIBRATION_TIMES = (0.1, 0.5, 0.9)
_MOST_CALIBRATION = 16

Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """`distil` is a checkpoint whose predictions are learned instead of the pictures' noise."""

    data: Path
    base: Path
    out: Path
    name: str
    distil: Path | None = None
    method: str = "styleinject"
    branches: int = 4
    rank: int = 4
    variance: bool = True
    steps: int = 1000
    batch: int = 1
    learning_rate: float = 1e-4
    size: int = 512
    seed: int = 1
    sample_every: int = 250


def train(request: TrainingRequest, report: Report) -> dict[str, Any]:
    """Train, or resume, and write the adapter's files; on Ctrl+C those of the steps made so far."""
    import torch

    from stylus_ext.styleinject.training import Training, TrainingPlan

    _check(request)
    pictures = read_folder(request.data, request.out)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    report("loading the checkpoint", 0, 0)
    pipeline = _load(request.base, device)
    teacher = _load(request.distil, device).unet if request.distil is not None else None
    request.out.mkdir(parents=True, exist_ok=True)
    data = encode_data(pipeline, pictures, request.size, report)
    torch.manual_seed(request.seed)
    adapter = _adapter(request, pipeline.unet).to(device)
    plan = TrainingPlan(
        request.steps, request.learning_rate, request.seed, what=_description(request, pictures)
    )
    training = Training(adapter, plan, request.out)
    loss = _Loss(pipeline, teacher, data, request.batch)
    last = [0.0]

    def after_step(value: float) -> None:
        last[0] = value
        report("training", training.step, request.steps)
        if request.sample_every and training.step % request.sample_every == 0:
            _write_sample(pipeline, pictures[0].caption, training.step, request)

    try:
        training.run(pipeline.unet, loss, after_step)
    finally:
        files = _write_files(request, adapter, pipeline, data)
    return {
        "steps": training.step,
        "loss": last[0],
        "parameters": adapter.size,
        "files": [str(file) for file in files],
    }


def _check(request: TrainingRequest) -> None:
    if not re.fullmatch(r"[\w.-]+", request.name):
        raise InvalidInput("--name may have letters, digits, '-', '_' and '.' only.")
    if request.method not in METHODS:
        raise InvalidInput(f"--method must be one of: {', '.join(METHODS)}.")
    if request.size % 8:
        raise InvalidInput("--size must be a multiple of 8.")


def _description(request: TrainingRequest, pictures: list[CaptionedPicture]) -> str:
    """What may not change between the parts of one training; the number of steps may."""
    changing = ("steps", "sample_every", "out", "name", "learning_rate", "seed")
    fixed = {name: str(value) for name, value in asdict(request).items() if name not in changing}
    return json.dumps({**fixed, "pictures": len(pictures)}, sort_keys=True)


def _load(checkpoint: Path, device: str) -> Any:
    """A pipeline of a diffusers folder or a single file, whose own weights are not trained."""
    from diffusers import StableDiffusionPipeline

    options: dict[str, Any] = {"safety_checker": None, "requires_safety_checker": False}
    try:
        if checkpoint.is_dir():
            pipeline = StableDiffusionPipeline.from_pretrained(
                checkpoint, low_cpu_mem_usage=False, **options
            )
        else:
            pipeline = StableDiffusionPipeline.from_single_file(str(checkpoint), **options)
    except (OSError, ValueError, KeyError) as error:
        raise InvalidInput(
            f"{checkpoint} cannot be loaded: {reason_of(str(error).splitlines()[0])}. Give a"
            " checkpoint of SD 1 or SD 2: a safetensors file, or a folder in the format of"
            " diffusers."
        ) from error
    if pipeline.unet.config.cross_attention_dim == _SDXL:
        raise InvalidInput("Training is for checkpoints of SD 1 and SD 2.")
    pipeline.set_progress_bar_config(disable=True)
    for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        part.requires_grad_(False).eval()
    return pipeline.to(device)


def _adapter(request: TrainingRequest, unet: Any) -> Any:
    from stylus_ext.styleinject.adapter import lora_of_equal_size, make_adapter
    from stylus_ext.styleinject.layers import Shape

    shape = Shape(request.branches, request.rank, request.variance)
    family = _FAMILIES.get(unet.config.cross_attention_dim, "")
    make = make_adapter if request.method == METHODS[0] else lora_of_equal_size
    return make(unet, shape, base_family=family)


class _Loss:
    """The error of the prediction for one random batch."""

    def __init__(self, pipeline: Any, teacher: Any, data: EncodedData, batch: int) -> None:
        from diffusers import DDPMScheduler

        self.unet, self.teacher, self.data, self.batch = pipeline.unet, teacher, data, batch
        self.scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)

    def __call__(self, generator: Any) -> Any:
        import torch
        from torch.nn import functional

        data, device = self.data, self.data.latents.device
        times = self.scheduler.config.num_train_timesteps
        chosen = torch.randint(len(data.latents), (self.batch,), generator=generator)
        latents = data.latents[chosen.to(device)]
        noise = torch.randn(latents.shape, generator=generator).to(device)
        steps = torch.randint(times, (self.batch,), generator=generator).to(device)
        without = torch.rand(self.batch, generator=generator) < _WITHOUT_CAPTION
        captions = torch.where(
            without.to(device)[:, None, None], data.empty, data.captions[chosen.to(device)]
        )
        noisy = self.scheduler.add_noise(latents, noise, steps)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            predicted = self.unet(noisy, steps, captions).sample
            target = self._target(latents, noise, steps, noisy, captions)
        return functional.mse_loss(predicted.float(), target.float())

    def _target(self, latents: Any, noise: Any, steps: Any, noisy: Any, captions: Any) -> Any:
        import torch

        if self.teacher is not None:
            with torch.no_grad():
                return self.teacher(noisy, steps, captions).sample
        if self.scheduler.config.prediction_type == "v_prediction":
            return self.scheduler.get_velocity(latents, noise, steps)
        return noise


def _write_sample(pipeline: Any, caption: str, step: int, request: TrainingRequest) -> None:
    """A picture of the first caption, with the hooks of the training in place."""
    import torch

    folder = request.out / "samples"
    folder.mkdir(exist_ok=True)
    with torch.no_grad():
        image = pipeline(
            prompt_embeds=embed(pipeline, caption),
            negative_prompt_embeds=embed(pipeline, ""),
            height=request.size,
            width=request.size,
            num_inference_steps=20,
            generator=torch.Generator().manual_seed(request.seed),
        ).images[0]
    image.save(folder / f"{request.name}-{step:06}.png")


def _write_files(
    request: TrainingRequest, adapter: Any, pipeline: Any, data: EncodedData
) -> list[Path]:
    """The live file and the baked LoRA, or the LoRA alone."""
    from stylus_ext.styleinject.baking import bake, expected_routing, lora_layers
    from stylus_ext.styleinject.files import save, save_lora

    live = request.out / f"{request.name}.safetensors"
    if request.method != METHODS[0]:
        save_lora(lora_layers(adapter), live, adapter.base_family)
        return [live]
    save(adapter, live)
    routing = expected_routing(adapter, pipeline.unet, lambda: _calibrate(pipeline, data))
    baked = request.out / f"{request.name}_lora.safetensors"
    save_lora(bake(adapter, routing), baked, adapter.base_family)
    return [live, baked]


def _calibrate(pipeline: Any, data: EncodedData) -> None:
    """Noised pictures of the training data at a few times."""
    import torch
    from diffusers import DDPMScheduler

    scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
    generator = torch.Generator().manual_seed(0)
    for latents, caption in zip(
        data.latents[:_MOST_CALIBRATION], data.captions[:_MOST_CALIBRATION], strict=True
    ):
        noise = torch.randn(latents.shape, generator=generator).to(latents.device)
        for share in _CALIBRATION_TIMES:
            step = torch.tensor([int(share * (scheduler.config.num_train_timesteps - 1))])
            step = step.to(latents.device)
            noisy = scheduler.add_noise(latents[None], noise[None], step)
            pipeline.unet(noisy, step, caption[None])
