"""`train styleinject`: what its flags mean, and what is refused before anything is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.cli import train
from stylus_ext.cli.main import main
from stylus_ext.evaluation.train_styleinject import TrainingRequest

WORDS = ["train", "styleinject", "--data", "pics", "--base", "a.safetensors"]
RESULT = {"steps": 7, "loss": 0.5, "parameters": 12, "files": ["a", "b"]}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[TrainingRequest]:
    requests: list[TrainingRequest] = []

    def trained(request: TrainingRequest, report: Any) -> dict[str, Any]:
        report("training", 1, 7)
        requests.append(request)
        return RESULT

    monkeypatch.setattr(train, "train", trained)
    return requests


def test_the_results_lie_in_the_data_unless_said_otherwise(asked: list[TrainingRequest]) -> None:
    assert main(WORDS) == 0
    assert main([*WORDS, "--out", "there", "--distil", "b", "--method", "lora"]) == 0
    first, second = asked
    assert first == TrainingRequest(
        Path("pics"), Path("a.safetensors"), Path("pics/styleinject"), "style"
    )
    assert (second.out, second.distil, second.method) == (Path("there"), Path("b"), "lora")


def test_numbers_and_the_variance_step(asked: list[TrainingRequest]) -> None:
    flags = ["--branches", "2", "--rank", "3", "--no-variance", "--seed", "0", "--batch", "5"]
    assert main([*WORDS, *flags, "--sample-every", "0", "--learning-rate", "0.01"]) == 0
    (request,) = asked
    assert (request.branches, request.rank, request.variance, request.batch) == (2, 3, False, 5)
    assert (request.seed, request.sample_every, request.learning_rate) == (0, 0, 0.01)


def test_json_is_the_result_alone(
    asked: list[TrainingRequest], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*WORDS, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == RESULT


@pytest.mark.parametrize("flag", ["--steps", "--branches", "--rank", "--batch", "--size"])
def test_a_number_below_one_is_refused(asked: list[TrainingRequest], flag: str) -> None:
    assert main([*WORDS, flag, "0"]) == 1
    assert asked == []


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    words = ["train", "styleinject", "--data", str(tmp_path / "none"), "--base", "x"]
    assert main(words) == 1


def test_the_data_and_the_checkpoint_are_required(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "styleinject"])
    assert "required: --data, --base" in capsys.readouterr().err
