"""What the names and shapes of tensors give away: whether a file is a LoRA at all, and for which family it was made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from stylus_ext.core.family import UNKNOWN

Shapes = Mapping[str, tuple[int, ...]]

_PART = re.compile(
    r"""(?x)
      \b (?: lora_(?:up|down|mid|A|B|embedding_A|embedding_B|magnitude_vector) | lora_linear_layer | lora\.(?:up|down) ) \b
    | _lora\.(?:up|down)\b
    | \.(?: hada_[wt][12](?:_[ab])? | lokr_[wt][12](?:_[ab])? | oft_blocks | oft_diag | boft_\w+ | dora_scale | on_input
          | glora_\w+ | vera_lambda_[bd] ) \b
    | ^(?: lora_(?:unet|te\d?|prior|transformer|controlnet) | lycoris ) _ .+ \. (?: diff | diff_b | set_weight | set_bias
          | w_norm | b_norm | a1 | a2 | b1 | b2 | vector | reft ) \b
    """
)
"""What only the tensors of an adapter have in their names."""

_CROSS = re.compile(r"attn2[._]to_[kv]\b|attn2[._]processor[._]to_[kv]_lora")
_TEXT_LAYER = re.compile(r"(?:^lora_te_|text_encoder[._]).*(?:mlp[._]fc1|q_proj|k_proj|v_proj)")
_UNET = re.compile(r"(?:down|up)_blocks[._]\d|mid_block[._]|(?:in|out)put_blocks[._]\d|middle_block[._]\d")
_DEPTH = re.compile(r"transformer_blocks[._](\d+)")
_CONTEXT = {768: "sd1", 1024: "sd2", 2048: "sdxl", 1280: "sdxl"}
_FLUX_WIDTH = {6144: "flux2", 4096: "flux2-klein-9b"}
_ONE_BLOCK_MOST = 2
"""SD 1 and 2 have one transformer block a level, SDXL up to ten."""


def is_lora(names: Iterable[str]) -> bool:
    """Whether any tensor is a part of a LoRA or one of its relatives (LoHa, LoKr, OFT, DoRA, GLoRA, full differences)."""
    return any(_PART.search(name) for name in names)


def family_of_tensors(shapes: Shapes) -> str:
    """The family that the names and shapes speak of, or `UNKNOWN`."""
    names = "\n".join(shapes)
    for mark, family in _TRANSFORMERS:
        if mark.search(names):
            return family
    if re.search(r"double_blocks[._]\d|single_blocks[._]\d", names):
        return _of_double_blocks(names, shapes)
    if re.search(r"single_transformer_blocks[._]\d", names):
        return _FLUX_WIDTH.get(_width(shapes, re.compile(r"single_transformer_blocks")), "flux1")
    if re.search(r"transformer_blocks[._]\d+[._](?:ff_context|attn[._]add_[qkv]_proj)", names):
        return "sd3"
    if re.search(r"noise_refiner|context_refiner|\blayers[._]\d+[._]attention|_layers_\d+_attention", names):
        return {2304: "lumina", 3840: "z-image-turbo"}.get(_width(shapes, re.compile("attention")), UNKNOWN)
    return _of_unet(names, shapes)


_TRANSFORMERS = (
    (re.compile(r"joint_transformer_blocks[._]\d"), "auraflow"),
    (re.compile(r"double_stream_blocks[._]\d|single_stream_blocks[._]\d"), "hidream"),
    (re.compile(r"joint_blocks[._]\d+[._]x_block[._]attn2"), "sd3.5-medium"),
    (re.compile(r"joint_blocks[._]\d"), "sd3"),
    (re.compile(r"transformer_blocks[._]\d+[._](?:img|txt)_mlp"), "qwen"),
    (re.compile(r"(?<![a-z])blocks[._]\d+[._](?:cross|self)_attn"), "wan"),
    (re.compile(r"distilled_guidance_layer"), "chroma"),
    (re.compile(r"img_mlp[._]fc[12]|single_blocks[._]\d+[._]modulation[._]linear"), "hunyuan-video"),
)
"""Marks of which one is enough, the particular before the general."""


def _of_double_blocks(names: str, shapes: Shapes) -> str:
    if "double_stream_modulation" in names:
        return "flux2"
    return _FLUX_WIDTH.get(_width(shapes, re.compile(r"img_attn[._]qkv|linear1")), "flux1")


def _of_unet(names: str, shapes: Shapes) -> str:
    if re.search(r"lora_te2_|text_encoder_2|lora_te1_", names):
        return "sdxl"
    family = _CONTEXT.get(_width(shapes, _CROSS))
    if family is not None:
        return family
    if _UNET.search(names) is None:
        return {768: "sd1", 1024: "sd2"}.get(_width(shapes, _TEXT_LAYER), UNKNOWN)
    if any(int(depth) >= _ONE_BLOCK_MOST for depth in _DEPTH.findall(names)):
        return "sdxl"
    return UNKNOWN


def _width(shapes: Shapes, place: re.Pattern[str]) -> int:
    """How many values a module in that place takes in; 0 where it cannot be told."""
    for name, shape in shapes.items():
        if len(shape) > 1 and place.search(name):
            if re.search(r"lora_down|lora_A|lora\.down|hada_w[12]_b|\.diff\b", name):
                return shape[1]
            if ".lokr_w2" in name and not name.endswith("_a"):
                return _of_kronecker(name, shapes)
    return 0


def _of_kronecker(name: str, shapes: Shapes) -> int:
    """The width of a product is the product of the widths."""
    module = name.partition(".lokr_w2")[0]
    other = shapes.get(f"{module}.lokr_w1") or shapes.get(f"{module}.lokr_w1_b") or ()
    return shapes[name][1] * other[1] if len(other) > 1 else 0
