"""Models of random weights, some kilobytes long, made where they are needed: real in everything but
their judgement.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

WORDS = (
    "a the of copper train market night teapot fog rain wall corgi graffiti style city lantern"
    " street tree".split()
)


def cross_encoder(folder: Path, labels: int = 1) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        import transformers

        library: Any = transformers  # mypy knows its classes, and no types of theirs

        torch.manual_seed(11)
        folder.mkdir(parents=True, exist_ok=True)
        vocabulary = [
            "[PAD]",
            "[UNK]",
            "[CLS]",
            "[SEP]",
            "[MASK]",
            *WORDS,
            *(f"##{sign}" for sign in "abcdefghijklmnopqrstuvwxyz"),
            *"abcdefghijklmnopqrstuvwxyz.,",
        ]
        vocabulary = list(dict.fromkeys(vocabulary))
        (folder / "vocab.txt").write_text("\n".join(vocabulary), "utf-8")
        config = library.BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            num_labels=labels,
            initializer_range=1.0,
        )
        library.BertForSequenceClassification(config).save_pretrained(
            folder, safe_serialization=True
        )
        library.BertTokenizerFast(vocab_file=str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def diffusion_pipeline(folder: Path, seed: int) -> Path:
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
            sample_size=16,
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
