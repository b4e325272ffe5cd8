"""The family of the loaded checkpoint: who says it, and who is believed first."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stylus_ext.host.checkpoint import Checkpoint, Remembered, checkpoint_of, find_family

PONY = "67ab2fd8ec439a89b3fedb15cc65f54336af163c7eb5e4f2acc98f090a29b0b3"


def test_the_users_word_comes_first(tmp_path: Path) -> None:
    found = find_family(Checkpoint("ponyXL", sha256=PONY, architecture="sdxl"), "illustrious")
    assert (found.family, found.because, found.known) == ("illustrious", "you said so", True)


def test_then_a_sidecar(tmp_path: Path) -> None:
    file = tmp_path / "ponyMix.safetensors"
    (tmp_path / "ponyMix.civitai.info").write_text(
        json.dumps({"baseModel": "Illustrious"}), "utf-8"
    )
    found = find_family(Checkpoint("ponyMix", str(file), architecture="sdxl"), None)
    assert (found.family, found.because) == ("illustrious", "its sidecar")


@pytest.mark.parametrize(
    "said",
    [
        "{",
        "[]",
        '{"baseModel": 7}',
        '{"baseModel": "Marzipan"}',
        '{"baseModel": null}',
        "[" * 100_000,
    ],
)
def test_a_sidecar_that_says_nothing_is_passed_over(tmp_path: Path, said: str) -> None:
    (tmp_path / "x.civitai.info").write_text(said, "utf-8")
    assert (
        find_family(
            Checkpoint("x", str(tmp_path / "x.safetensors"), architecture="sd1"), None
        ).because
        == "its architecture"
    )


def test_an_unlisted_base_model_is_used_for_itself(tmp_path: Path) -> None:
    (tmp_path / "x.civitai.info").write_text(json.dumps({"baseModel": "Nebula 9"}), "utf-8")
    checkpoint = Checkpoint("x", str(tmp_path / "x.safetensors"))
    found = find_family(checkpoint, None)
    assert (found.family, found.because, found.known) == ("nebula-9", "its sidecar", True)
    assert find_family(replace(checkpoint, title="ponyXL"), None).family == "pony"
    assert find_family(replace(checkpoint, architecture="sdxl"), None).family == "sdxl"
    assert find_family(replace(checkpoint, architecture="nebula9"), None).family == "nebula9"


@pytest.mark.parametrize(
    ("name", "architecture", "family"),
    [
        ("Wan2_2-I2V-A14B-LOW", "wan", "wan-2.2-i2v-a14b"),
        ("wan2.2_ti2v_5B", "wan", "wan-2.2-ti2v-5b"),
        ("my video model", "wan", "wan"),
        ("flux1-kontext-dev", "flux1", "flux1-kontext"),
        ("z_image_turbo", "z-image", "z-image-turbo"),
        ("qwen-image-21", "qwen-image-2.1", "qwen-image-2.1"),
        ("flux-2-klein-base-4b", "flux2-klein-4b", "flux2-klein-4b-base"),
    ],
)
def test_the_name_tells_the_models_of_one_engine_apart(
    name: str, architecture: str, family: str
) -> None:
    assert find_family(Checkpoint(name, architecture=architecture), None).family == family


def test_a1111s_own_sidecar_counts_too(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps({"sd version": "SD2"}), "utf-8")
    assert find_family(Checkpoint("x", str(tmp_path / "x.safetensors")), None).family == "sd2"


def test_then_the_files_metadata() -> None:
    spec = {
        "modelspec.architecture": "stable-diffusion-xl-v1-base",
        "modelspec.title": "NoobAI XL 1.1",
    }
    assert find_family(Checkpoint("x", metadata=spec, architecture="sdxl"), None).family == "noobai"
    assert (
        find_family(
            Checkpoint("x", metadata={"modelspec.architecture": "flux-1-dev"}), None
        ).because
        == "its metadata"
    )


def test_sdxl_as_architecture_leaves_the_name_a_say() -> None:
    spec = {"modelspec.architecture": "stable-diffusion-xl-v1-base"}
    assert (
        find_family(Checkpoint("autismmix_pony", metadata=spec, architecture="sdxl"), None).family
        == "pony"
    )
    assert (
        find_family(Checkpoint("nothing", metadata=spec, architecture="sdxl"), None).family
        == "sdxl"
    )


def test_then_a_known_hash() -> None:
    found = find_family(Checkpoint("renamed", sha256=PONY.upper(), architecture="sdxl"), None)
    assert (found.family, found.because) == ("pony", "its hash")


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("ponyDiffusionV6XL", "pony"),
        ("autismmixSDXL_autismmixPony", "pony"),
        ("noobaiXLNAIXL_vPred10", "noobai"),
        ("illustriousXL_v01", "illustrious"),
        ("sd_xl_base_1.0", "sdxl"),
        ("juggernautXL_v9", "sdxl"),
        ("flux1-dev-fp8", "flux1"),
        ("flux1-schnell", "flux1"),
        ("v1-5-pruned-emaonly", "sd1"),
        ("sd3_medium", "sd3"),
        ("flux-2-klein-4b-fp8", "flux2-klein-4b"),
        ("flux-2-klein-base-9b", "flux2-klein-9b-base"),
        ("flux1-dev-kontext_fp8_scaled", "flux1-kontext"),
        ("wan2.2_t2v_high_noise_14B_fp8_scaled", "wan-2.2-t2v-a14b"),
        ("Wan2_2-I2V-A14B-LOW_fp8", "wan-2.2-i2v-a14b"),
        ("wan2.2_ti2v_5B_fp16", "wan-2.2-ti2v-5b"),
        ("wan2.1_t2v_1.3B_fp16", "wan-1.3b-t2v"),
        ("wan2.1_t2v_14B_bf16", "wan-14b-t2v"),
        ("wan2.1_i2v_480p_14B_fp8", "wan-14b-i2v-480p"),
        ("wan_video", "wan"),
        ("z_image_turbo_bf16", "z-image-turbo"),
        ("z-image-base", "z-image"),
        ("qwen_image_edit_2509", "qwen"),
        ("anima-preview", "anima"),
        ("anima_pencil-XL-v5", "sdxl"),
        ("Chroma1-HD", "chroma"),
        ("lumina_2", "lumina"),
        ("krea2_turbo", "krea2"),
        ("ernie-image", "ernie"),
        ("illuminatiDiffusion", "unknown"),
        ("swan", "unknown"),
        ("dreamshaper_8", "unknown"),
        ("exlibris", "unknown"),
        ("illusion", "unknown"),
        ("vanilla", "unknown"),
    ],
)
def test_then_its_name(name: str, family: str) -> None:
    assert find_family(Checkpoint(name), None).family == family


def test_a_name_cannot_be_true_of_another_architecture() -> None:
    """A model of the first kind that is called after a pony."""
    assert find_family(Checkpoint("my pony", architecture="sd1"), None).family == "sd1"


def test_then_the_architecture_and_then_nothing() -> None:
    assert (
        find_family(Checkpoint("dreamshaper", architecture="sd1"), None).because
        == "its architecture"
    )
    assert not find_family(Checkpoint("dreamshaper"), None).known


def model(name: str = "LatentDiffusion", **flags: Any) -> Any:
    return type(name, (), flags)()


def engine(name: str, **flags: Any) -> Any:
    """A model of Forge or Forge Neo."""
    return model(name, __module__=f"backend.diffusion_engine.{name.lower()}", **flags)


@pytest.mark.parametrize(
    ("made", "architecture"),
    [
        (model(is_sd1=True, is_sdxl=False), "sd1"),
        (model(is_sd2=True), "sd2"),
        (model(is_sdxl=True), "sdxl"),
        (model(is_ssd=True, is_sdxl=True), "sdxl"),
        (model(is_sd3=True, is_sd1=False), "sd3"),
        (model("Flux", is_sd1=False, is_sd2=False, is_sdxl=False, is_sd3=False), "flux1"),
        (engine("StableDiffusion", is_sd1=True), "sd1"),
        (engine("StableDiffusionXL", is_sdxl=True), "sdxl"),
        (engine("StableDiffusionXLRefiner", is_sdxl=True), "sdxl"),
        (engine("Flux"), "flux1"),
        (engine("Flux2"), "flux2"),
        (engine("Flux2", model_config=model("Flux2K4B")), "flux2-klein-4b"),
        (engine("Flux2", model_config=model("Flux2K9B")), "flux2-klein-9b"),
        (engine("Chroma"), "chroma"),
        (engine("Lumina2"), "lumina"),
        (engine("ZImage"), "z-image"),
        (engine("Wan", is_wan=True), "wan"),
        (engine("QwenImage", is_wan=True), "qwen"),
        (engine("QwenImage21"), "qwen-image-2.1"),
        (engine("Anima", is_wan=True), "anima"),
        (engine("Krea2", is_wan=True), "krea2"),
        (engine("ErnieImage"), "ernie"),
        (engine("PiD"), "pid"),
        (engine("Mugen", is_sdxl=True), "mugen"),
        (engine("Nebula9"), "nebula9"),
        (model("FakeInitialModel"), ""),
        (None, ""),
    ],
)
def test_architectures_of_the_hosts(made: Any, architecture: str) -> None:
    """Forge and Forge Neo are asked for the engine's class: Mugen is no SDXL, and has its flag."""
    assert checkpoint_of(None, made).architecture == architecture


def test_attributes_that_a_host_lacks() -> None:
    info = SimpleNamespace(name="model.safetensors", filename="/x/model.safetensors")
    assert checkpoint_of(info, None) == Checkpoint("model.safetensors", "/x/model.safetensors")
    odd = SimpleNamespace(name_for_extra="m", filename=None, sha256=None, metadata={"a": 1})
    assert checkpoint_of(odd, None) == Checkpoint("m", metadata={"a": "1"})


def test_a_choice_is_kept_for_its_checkpoint_and_forgotten(tmp_path: Path) -> None:
    one, other = Checkpoint("one", sha256="aa"), Checkpoint("other", sha256="bb")
    Remembered(tmp_path / "new").put(one, "pony")
    Remembered(tmp_path / "new").put(other, "sdxl")
    assert Remembered(tmp_path / "new").get(one) == "pony"
    Remembered(tmp_path / "new").put(one, None)
    assert Remembered(tmp_path / "new").get(one) is None
    assert Remembered(tmp_path / "new").get(other) == "sdxl"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["checkpoints.json"]


def test_a_broken_memory_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "checkpoints.json").write_text("{", "utf-8")
    memory = Remembered(tmp_path)
    assert memory.get(Checkpoint("one")) is None
    memory.put(Checkpoint("one"), "sd1")
    assert memory.get(Checkpoint("one")) == "sd1"


def test_nothing_is_kept_for_a_checkpoint_without_a_name(tmp_path: Path) -> None:
    Remembered(tmp_path).put(Checkpoint(), "pony")
    assert list(tmp_path.iterdir()) == []
    assert Remembered(tmp_path).get(Checkpoint()) is None
