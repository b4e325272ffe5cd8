"""Names of a UNet's layers in files: those of LoRA trainers, in diffusers' terms.

A1111 and the Forge family name the same layers of SD 1, SD 2 and SDXL as the original code does.
"""

from __future__ import annotations

import re

PREFIX = "lora_unet_"

_BLOCK = re.compile(
    r"(down|up)_blocks_(\d+)_(resnets|attentions|downsamplers|upsamplers)_(\d+)(?:_(.+))?"
)
_MIDDLE = re.compile(r"mid_block_(resnets|attentions)_(\d+)_(.+)")
_IN_RESNET = {
    "norm1": "in_layers_0",
    "conv1": "in_layers_2",
    "time_emb_proj": "emb_layers_1",
    "norm2": "out_layers_0",
    "conv2": "out_layers_3",
    "conv_shortcut": "skip_connection",
}
_OUTSIDE = {
    "conv_in": "input_blocks_0_0",
    "conv_norm_out": "out_0",
    "conv_out": "out_2",
    "time_embedding_linear_1": "time_embed_0",
    "time_embedding_linear_2": "time_embed_2",
    "add_embedding_linear_1": "label_emb_0_0",
    "add_embedding_linear_2": "label_emb_0_2",
}


def original_names(name: str) -> tuple[str, ...]:
    """The names that the original code may have for a layer of diffusers, most likely first.

    An upsampler comes third in a block with attention, else second.
    """
    if name in _OUTSIDE:
        return (_OUTSIDE[name],)
    if found := _MIDDLE.fullmatch(name):
        kind, number, rest = found[1], int(found[2]), found[3]
        if kind == "attentions":
            return (f"middle_block_1_{rest}",)
        return (f"middle_block_{2 * number}_{_IN_RESNET.get(rest, rest)}",)
    if found := _BLOCK.fullmatch(name):
        return _in_block(found[1], int(found[2]), found[3], int(found[4]), found[5] or "")
    return ()


def _in_block(way: str, block: int, kind: str, number: int, rest: str) -> tuple[str, ...]:
    down = way == "down"
    side, first = ("input", 3 * block + 1) if down else ("output", 3 * block)
    if kind == "resnets":
        return (f"{side}_blocks_{first + number}_0_{_IN_RESNET.get(rest, rest)}",)
    if kind == "attentions":
        return (f"{side}_blocks_{first + number}_1_{rest}",)
    if down:
        return (f"input_blocks_{3 * block + 3}_0_op",)
    return tuple(f"output_blocks_{3 * block + 2}_{place}_conv" for place in (2, 1))
