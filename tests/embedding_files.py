"""Generated embeddings by family, and pickles whose content must never be opened."""

from __future__ import annotations

from pathlib import Path

from tests.lora_files import Shapes, safetensors_bytes

EMBEDDINGS: dict[str, tuple[Shapes, str]] = {
    "a1111": ({"emb_params": (4, 768)}, "sd1"),
    "one-vector": ({"emb_params": (768,)}, "sd1"),
    "diffusers": ({"<statue>": (2, 768)}, "sd1"),
    "string-to-param": ({"string_to_param.*": (8, 768)}, "sd1"),
    "sd2": ({"emb_params": (1, 1024)}, "sd2"),
    "sdxl": ({"clip_g": (2, 1280), "clip_l": (2, 768)}, "sdxl"),
    "other": ({"emb_params": (1, 4096)}, "unknown"),
}
"""Tensors and family."""

PICKLE = b"\x80\x04cposix\nsystem\n(S'touch opened'\ntR."
"""Would run a command if it were unpickled."""


def write_embedding(path: Path, name: str = "a1111", seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(safetensors_bytes(EMBEDDINGS[name][0], seed=seed))
    return path


def write_pickle(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(PICKLE)
    return path
