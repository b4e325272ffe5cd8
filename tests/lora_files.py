"""Tiny real safetensors files: valid LoRAs of several families, other networks that are no LoRA,
and their sidecars.
"""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Shapes = Mapping[str, tuple[int, ...]]

RANK = 2


def _pair(module: str, size_in: int, size_out: int) -> dict[str, tuple[int, ...]]:
    """One module of a LoRA as the usual trainer names it."""
    return {
        f"{module}.alpha": (),
        f"{module}.lora_down.weight": (RANK, size_in),
        f"{module}.lora_up.weight": (size_out, RANK),
    }


def _peft(module: str, size_in: int, size_out: int) -> dict[str, tuple[int, ...]]:
    """One module of a LoRA as diffusers and PEFT name it."""
    return {f"{module}.lora_A.weight": (RANK, size_in), f"{module}.lora_B.weight": (size_out, RANK)}


_SD_UNET = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0"
_XL_UNET = "lora_unet_input_blocks_4_1_transformer_blocks_0"
_XL = {
    **_pair(f"{_XL_UNET}_attn2_to_k", 2048, 640),
    **_pair("lora_te1_text_model_encoder_layers_0_mlp_fc1", 768, 3072),
    **_pair("lora_te2_text_model_encoder_layers_0_mlp_fc1", 1280, 5120),
}

LORAS: dict[str, Shapes] = {
    "sd1": {
        **_pair(f"{_SD_UNET}_attn1_to_k", 640, 640),
        **_pair(f"{_SD_UNET}_attn2_to_k", 768, 640),
        **_pair("lora_te_text_model_encoder_layers_0_mlp_fc1", 768, 3072),
    },
    "sd2": {
        **_pair(f"{_SD_UNET}_attn2_to_k", 1024, 640),
        **_pair("lora_te_text_model_encoder_layers_0_mlp_fc1", 1024, 4096),
    },
    "sdxl": _XL,
    "pony": _XL,
    "sd3": _pair("lora_unet_joint_blocks_0_x_block_attn_qkv", 1536, 4608),
    "flux1": {
        **_pair("lora_unet_double_blocks_0_img_attn_qkv", 3072, 9216),
        **_pair("lora_unet_single_blocks_0_linear1", 3072, 21504),
        **_pair("lora_te1_text_model_encoder_layers_0_mlp_fc1", 768, 3072),
    },
    "flux1-diffusers": {
        **_peft("transformer.transformer_blocks.0.attn.add_q_proj", 3072, 3072),
        **_peft("transformer.single_transformer_blocks.0.attn.to_q", 3072, 3072),
    },
    "flux2": _pair("lora_unet_double_blocks_0_img_attn_qkv", 6144, 18432),
    "qwen": _peft("transformer_blocks.0.img_mlp.net.2", 12288, 3072),
    "wan": _peft("diffusion_model.blocks.0.cross_attn.k", 5120, 5120),
}
"""The tensors of a small LoRA by family."""

NOT_LORAS: dict[str, Shapes] = {
    "checkpoint": {
        "model.diffusion_model.input_blocks.0.0.weight": (4, 4, 3, 3),
        "first_stage_model.decoder.conv_in.weight": (4, 4, 3, 3),
        "cond_stage_model.transformer.text_model.embeddings.position_ids": (1, 7),
    },
    "vae": {"decoder.conv_in.weight": (4, 4, 3, 3), "encoder.conv_in.bias": (4,)},
    "embedding": {"emb_params": (2, 768)},
    "embedding-xl": {"clip_g": (2, 1280), "clip_l": (2, 768)},
    "controlnet": {"control_model.input_blocks.0.0.weight": (4, 4, 3, 3)},
    "nothing": {},
}
"""Tensors of safetensors files that are something else."""


def safetensors_bytes(
    shapes: Shapes, metadata: Mapping[str, str] | None = None, seed: int = 0
) -> bytes:
    """A valid file of float16 tensors with small random values."""
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    position = 0
    for name, shape in shapes.items():
        length = 2 * math.prod(shape)
        header[name] = {
            "dtype": "F16",
            "shape": list(shape),
            "data_offsets": [position, position + length],
        }
        position += length
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    rng = random.Random(seed)
    values = struct.pack("<64e", *(rng.uniform(-0.02, 0.02) for _ in range(64)))
    body = (values * (position // len(values) + 1))[:position]
    return struct.pack("<Q", len(text)) + text + body


def write_lora(
    path: Path, family: str = "sd1", metadata: Mapping[str, str] | None = None, seed: int = 0
) -> Path:
    """A LoRA of one of `LORAS`; two with different seeds have different hashes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(safetensors_bytes(LORAS[family], metadata, seed))
    return path


def write_sidecar(lora: Path, suffix: str, content: object) -> Path:
    """`suffix` takes the place of `.safetensors`: ".json", ".civitai.info", ".metadata.json",
    ".txt"; text stays as it is.
    """
    path = lora.with_name(lora.stem + suffix)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path
