"""A cross-encoder of random weights, some kilobytes long, made where it is needed: real in
everything but its judgement.
"""

from __future__ import annotations

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
