"""Training on a tiny random pipeline of diffusers, which only the training's environment has."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.errors import InvalidInput
from stylus_ext.environment.layout import ROOT
from stylus_ext.evaluation.train_styleinject import TrainingRequest, train
from tests.evaluation.test_training_data import add_picture

pytest.importorskip("diffusers", reason="it is in the environment for training only")
pytestmark = pytest.mark.filterwarnings("ignore")  # those of diffusers


def make_pipeline(folder: Path, seed: int) -> Path:
    """A pipeline of SD 1 with few channels and a tokenizer of single letters."""
    import torch
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
    from transformers.models.clip.tokenization_clip import bytes_to_unicode

    torch.manual_seed(seed)
    letters = list(bytes_to_unicode().values())
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    end = len(words) - 1
    text = CLIPTextConfig(  # type: ignore[no-untyped-call]
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        bos_token_id=end - 1,
        eos_token_id=end,
        pad_token_id=end,
    )
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL(block_out_channels=(8,), norm_num_groups=4),
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer(  # type: ignore[no-untyped-call]
            str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77
        ),
        unet=UNet2DConditionModel(
            block_out_channels=(16,),
            layers_per_block=1,
            norm_num_groups=8,
            down_block_types=("CrossAttnDownBlock2D",),
            up_block_types=("CrossAttnUpBlock2D",),
            cross_attention_dim=32,
            attention_head_dim=4,
        ),
        scheduler=DDIMScheduler(clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder / "model")
    return folder / "model"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pipeline(tmp_path_factory.mktemp("base") / "a", 1)


def request(base: Path, folder: Path, **fields: Any) -> TrainingRequest:
    for number in range(3):
        add_picture(folder / "data" / f"picture_{number}.png", (80 * number, 0, 0))
    plan: dict[str, Any] = {"steps": 4, "size": 16, "sample_every": 0, **fields}
    return TrainingRequest(folder / "data", base, folder / "out", "style", **plan)


def test_an_adapter_and_its_lora_are_written_with_samples(base: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    from stylus_ext.styleinject.files import load

    found = train(request(base, tmp_path, sample_every=2), lambda *_: None)
    live, baked = (Path(file) for file in found["files"])
    assert found["steps"] == 4
    assert load(live).size == found["parameters"]
    assert {name.partition(".")[2] for name in load_file(baked)} == {
        "alpha",
        "lora_down.weight",
        "lora_up.weight",
    }
    assert len(list((tmp_path / "out" / "samples").iterdir())) == 2


def test_a_lora_of_equal_size_and_a_distilled_adapter(base: Path, tmp_path: Path) -> None:
    teacher = make_pipeline(tmp_path / "b", 2)
    ours = train(request(base, tmp_path / "x", distil=teacher), lambda *_: None)
    lora = train(request(base, tmp_path / "y", method="lora"), lambda *_: None)
    assert ours["parameters"] <= lora["parameters"]
    assert len(lora["files"]) == 1


def test_a_killed_training_is_resumed(base: Path, tmp_path: Path) -> None:
    wanted = request(base, tmp_path, steps=100_000)
    code = "import sys; from stylus_ext.cli.main import main; sys.exit(main(sys.argv[1:]))"
    flags = ["--data", wanted.data, "--base", base, "--out", wanted.out, "--size", "16"]
    words = ["train", "styleinject", *map(str, flags), "--sample-every", "0"]
    state = wanted.out / "training.safetensors"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words, "--steps", "100000"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    until = time.monotonic() + 300
    while not state.exists() and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    steps: list[int] = []
    resumed = request(base, tmp_path, steps=100)
    train(resumed, lambda step, done, _: steps.append(done) if step == "training" else None)
    assert not steps or steps[0] > 50


def test_what_is_no_checkpoint_is_refused(base: Path, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_text("no")
    for wrong in (tmp_path / "none.safetensors", tmp_path / "x.safetensors", tmp_path):
        with pytest.raises(InvalidInput):
            train(request(wrong, tmp_path), lambda *_: None)
