"""Pictures by diffusers, on a tiny random pipeline with tiny random LoRAs."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.errors import InvalidInput, StylusError
from stylus_ext.evaluation.pictures.manifest import PictureFolder
from tests.engine_process import PATIENCE_S, run, start
from tests.evaluation.pictures.test_run import saved
from tests.lora_files import safetensors_bytes
from tests.tiny_models import diffusion_pipeline

pytest.importorskip("diffusers", reason="it is in the environment for evaluation only")
pytest.importorskip("peft", reason="it is in the environment for evaluation only")
pytestmark = pytest.mark.filterwarnings("ignore")  # those of diffusers

from stylus_ext.evaluation.pictures.diffusers_maker import (  # noqa: E402
    DiffusersMaker,
    DiffusersModel,
)

BLOCK = "down_blocks_0_attentions_0_transformer_blocks_0"
FIELDS: dict[str, Any] = {
    "prompt": "a red fox",
    "negative_prompt": "blurry",
    "seed": 3,
    "steps": 2,
    "cfg_scale": 5.0,
    "width": 16,
    "height": 16,
}


def write_lora(file: Path, seed: int, *, text: bool = False) -> None:
    """A LoRA large enough to change the tiny pictures."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    modules = [(f"lora_unet_{BLOCK}_attn2_to_{each}", 32 if each in "kv" else 16) for each in "qkv"]
    if text:
        layer = "lora_te_text_model_encoder_layers_0_self_attn"
        modules += [(f"{layer}_{each}_proj", 32) for each in ("q", "k", "v", "out")]
    tensors = {}
    for module, width in modules:
        out = 32 if module.startswith("lora_te") else 16
        tensors[f"{module}.lora_down.weight"] = torch.randn(4, width) * 3
        tensors[f"{module}.lora_up.weight"] = torch.randn(out, 4) * 3
        tensors[f"{module}.alpha"] = torch.tensor(4.0)
    save_file(tensors, file)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return diffusion_pipeline(tmp_path_factory.mktemp("model") / "tiny", 1)


@pytest.fixture(scope="module")
def loras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loras")
    write_lora(folder / "ink.safetensors", 1)
    write_lora(folder / "v1.5 gold.safetensors", 2)
    write_lora(folder / "words.safetensors", 3, text=True)
    (folder / "loha.safetensors").write_bytes(
        safetensors_bytes({f"lora_unet_{BLOCK}_attn2_to_q.hada_w1_a": (16, 4)})
    )
    (folder / "broken.safetensors").write_bytes(b"no header")
    return folder


@pytest.fixture(scope="module")
def maker(model: Path, loras: Path) -> Iterator[DiffusersMaker]:
    made = DiffusersMaker(DiffusersModel(model, device="cpu"), [loras])
    made.check()
    yield made
    made.close()


def pixels(maker: DiffusersMaker, **fields: Any) -> bytes:
    from PIL import Image

    received = maker.generate({**FIELDS, **fields})
    with Image.open(BytesIO(received.data)) as picture:
        assert picture.format == "PNG"
        assert picture.size == (16, 16)
        data: bytes = picture.tobytes()
        return data


def test_only_files_that_diffusers_loads_are_listed(maker: DiffusersMaker) -> None:
    assert sorted(maker.loras()) == ["ink", "v1.5 gold", "words"]


def test_the_same_seed_gives_the_same_picture_whatever_came_before(maker: DiffusersMaker) -> None:
    first = pixels(maker)
    assert pixels(maker, seed=4) != first
    assert pixels(maker, prompt="a red fox <lora:ink:1>") != first
    assert pixels(maker, prompt="a blue house") != first
    assert pixels(maker) == first


def test_a_lora_changes_the_picture_by_its_weight(maker: DiffusersMaker) -> None:
    base = pixels(maker)
    texts = ["<lora:ink:1>", "<lora:ink:0.5>", "<lora:v1.5 gold:1>", "<lora:words:1>"]
    texts.append("<lora:ink:1> <lora:v1.5 gold:1>")
    found = [pixels(maker, prompt=f"a red fox, {text}") for text in texts]
    assert len({base, *found}) == 1 + len(texts)
    assert [pixels(maker, prompt=f"a red fox, {text}") for text in texts] == found
    assert pixels(maker, prompt="a red fox, <lora:ink:0> <lora:words:0>") == base


def test_model_and_text_encoder_have_weights_of_their_own(maker: DiffusersMaker) -> None:
    base = pixels(maker)
    assert pixels(maker, prompt="a red fox <lora:ink:1:0>") == base
    weights = ("1:0", "0:1", "1:1", "0.5:1")
    found = {pixels(maker, prompt=f"a red fox <lora:words:{each}>") for each in weights}
    assert len({base, *found}) == 5


def test_what_cannot_be_loaded_is_refused_and_the_next_picture_is_right(
    maker: DiffusersMaker,
) -> None:
    base = pixels(maker)
    for prompt in ("<lora:loha:1>", "<lora:none:1>", "<lora:ink:1> <lora:none:1>"):
        with pytest.raises(InvalidInput):
            pixels(maker, prompt=prompt)
    assert pixels(maker) == base


def coloured(colour: int, mode: str = "RGB") -> str:
    from PIL import Image

    data = BytesIO()
    Image.new(mode, (40, 20), colour).save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


def test_img2img_and_inpainting(maker: DiffusersMaker) -> None:
    base = pixels(maker)
    start: dict[str, Any] = {"init_images": [coloured(0)], "denoising_strength": 0.6}
    changed = pixels(maker, **start)
    assert changed not in (base, pixels(maker, **{**start, "init_images": [coloured(255)]}))
    painted = [pixels(maker, **start, mask=coloured(level, "L")) for level in (0, 255)]
    assert len({base, changed, painted[0]}) == 3
    assert painted[1] == changed  # all of it is painted anew
    inked = pixels(maker, **start, mask=coloured(255, "L"), prompt="a red fox <lora:ink:1>")
    assert inked != painted[1]
    assert pixels(maker) == base


def test_samplers_by_the_names_of_the_webuis(maker: DiffusersMaker) -> None:
    fields = {"steps": 4}
    names = ["Euler a", "Euler", "DPM++ 2M Karras", "UniPC"]
    found = {pixels(maker, **fields, sampler_name=name) for name in names}
    assert len(found) == len(names)
    apart = pixels(maker, **fields, sampler_name="DPM++ 2M", scheduler="Karras")
    assert apart == pixels(maker, **fields, sampler_name="DPM++ 2M Karras")
    for wrong in ({"sampler_name": "none"}, {"scheduler": "none"}):
        with pytest.raises(InvalidInput):
            pixels(maker, **wrong)
    assert pixels(maker, sampler_name="") == pixels(maker)


@pytest.mark.parametrize("device", ["cpu", "nonsense"])
def test_what_is_no_model_is_refused(tmp_path: Path, device: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.safetensors").write_bytes(safetensors_bytes({"a": (1,)}))
    (tmp_path / "a.ckpt").write_bytes(b"x")
    for name in ("folder", "a.safetensors", "a.ckpt", "missing"):
        with pytest.raises(StylusError):
            DiffusersMaker(DiffusersModel(tmp_path / name, device=device), []).check()


def test_a_killed_run_resumes_picture_by_picture(tmp_path: Path, model: Path, loras: Path) -> None:
    count, out = 6, tmp_path / "out"
    prompts = [f"a red fox {number}" for number in range(count)]
    (tmp_path / "prompts.txt").write_text("\n".join(prompts))
    plans = [json.dumps(saved(prompt, f"{prompt} <lora:ink:1>")) for prompt in prompts]
    (tmp_path / "plans.jsonl").write_text("\n".join(plans))
    words = [
        "evaluate",
        "--diffusers",
        str(model),
        "--lora-dir",
        str(loras),
        "--diffusers-device",
        "cpu",
    ]
    words += ["--prompts", str(tmp_path / "prompts.txt"), "--out", str(out)]
    words += ["--arms", f"base,plan:{tmp_path / 'plans.jsonl'}", "--steps", "20"]
    words += ["--width", "16", "--height", "16", "--json"]
    extra = {"OMP_NUM_THREADS": "1"}  # for so small a model, threads only wait for each other
    process = start(tmp_path / "data", *words, extra=extra)
    while process.poll() is None and len(PictureFolder(out).pictures()) < 3:
        time.sleep(0.02)
    process.kill()
    _, errors = process.communicate(timeout=PATIENCE_S)
    kept = PictureFolder(out).pictures()
    assert 3 <= len(kept) < 2 * count, errors
    ran = run(tmp_path / "data", *words, extra=extra)
    assert ran.code == 0, ran.err
    made = PictureFolder(out).pictures()
    assert made[: len(kept)] == kept
    assert Counter(each.arm for each in made).most_common()[0][1] == count == len(made) / 2
    assert {each.checkpoint for each in made} == {model.name}
    texts = {(each.prompt, each.arm): each.sha256 for each in made}
    assert len(set(texts.values())) == 2 * count
