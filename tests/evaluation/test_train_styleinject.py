"""Training on a tiny random pipeline of diffusers, which only the training's environment has."""

from __future__ import annotations

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
from tests.tiny_models import diffusion_pipeline

pytest.importorskip("diffusers", reason="it is in the environment for training only")
pytestmark = pytest.mark.filterwarnings("ignore")  # those of diffusers


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return diffusion_pipeline(tmp_path_factory.mktemp("base") / "a", 1)


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
    teacher = diffusion_pipeline(tmp_path / "b", 2)
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
