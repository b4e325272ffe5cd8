"""What the names and shapes of tensors give away: whether a file is a LoRA at all, and for which
family it was made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from stylus_ext.core.family import UNKNOWN

Shapes = Mapping[str, tuple[int, ...]]

_PART = re.compile(r"""(?x)
      \b (?: lora_(?:up|down|mid|A|B|embedding_A|embedding_B|magnitude_vector) | lora_linear_layer | lora\.(?:up|down) ) \b
    | _lora\.(?:up|down)\b
    | \.(?: hada_[wt][12](?:_[ab])? | lokr_[wt][12](?:_[ab])? | oft_blocks | oft_diag | boft_\w+ | dora_scale | on_input
          | glora_\w+ | vera_lambda_[bd] ) \b
    | ^(?: lora_(?:unet|te\d?|prior|transformer|controlnet) | lycoris ) _ .+ \. (?: diff | diff_b | set_weight | set_bias
          | w_norm | b_norm | a1 | a2 | b1 | b2 | vector | reft ) \b
    """)  # noqa: E501
"""What only the tensors of an adapter have in their names."""

_CROSS = re.compile(r"attn2[._]to_[kv]\b|attn2[._]processor[._]to_[kv]_lora")
_TEXT_LAYER = re.compile(r"(?:^lora_te_|text_encoder[._]).*(?:mlp[._]fc1|q_proj|k_proj|v_proj)")
_UNET = (
    "down_blocks_",
    "up_blocks_",
    "mid_block_",
    "input_blocks_",
    "output_blocks_",
    "middle_block_",
)
_DEEP = re.compile(r"transformer_blocks_(?:[2-9]|\d\d)")
"""SD 1 and 2 have one transformer block a level, SDXL up to ten."""
_CONTEXT = {768: "sd1", 1024: "sd2", 2048: "sdxl", 1280: "sdxl"}
_LAYERS_WIDTH = {2304: "lumina", 3840: "z-image-turbo"}
_FLUX_WIDTH = {6144: "flux2", 4096: "flux2-klein-9b"}


def is_lora(names: Iterable[str]) -> bool:
    """Whether any tensor is a part of a LoRA or one of its relatives (LoHa, LoKr, OFT, DoRA, GLoRA,
    full differences).
    """
    return any(_PART.search(name) for name in names)


def family_of_tensors(shapes: Shapes) -> str:
    """The family that the names and shapes speak of, or `UNKNOWN`."""
    names = "\n".join(shapes).replace(".", "_")
    for family, marks in _TRANSFORMERS.items():
        if any(mark in names for mark in marks):
            return family
    if "double_blocks_" in names or "single_blocks_" in names:
        return _of_double_blocks(names, shapes)
    if "single_transformer_blocks_" in names:
        return _FLUX_WIDTH.get(_width(shapes, re.compile(r"single_transformer_blocks")), "flux1")
    if any(
        mark in names
        for mark in ("_ff_context_", "_attn_add_q_proj", "_attn_add_k_proj", "_attn_add_v_proj")
    ):
        return "sd3"
    if any(
        mark in names
        for mark in (
            "noise_refiner",
            "context_refiner",
            "layers_0_attention_",
            "layers_1_attention_",
        )
    ):
        return _LAYERS_WIDTH.get(_width(shapes, re.compile("attention")), UNKNOWN)
    return _of_unet(names, shapes)


_TRANSFORMERS = {
    "auraflow": ("joint_transformer_blocks_",),
    "hidream": ("double_stream_blocks_", "single_stream_blocks_"),
    "sd3.5-medium": ("_x_block_attn2",),
    "sd3": ("joint_blocks_",),
    "qwen": ("_img_mlp_net_", "_txt_mlp_net_"),
    UNKNOWN: ("_cross_attn_q_proj", "_cross_attn_k_proj", "_cross_attn_v_proj"),
    "wan": (
        "_cross_attn_q_",
        "_cross_attn_k_",
        "_cross_attn_v_",
        "_cross_attn_o_",
        "blocks_0_self_attn_",
    ),
    "chroma": ("distilled_guidance_layer",),
    "hunyuan-video": ("_img_mlp_fc1", "_img_mlp_fc2", "single_blocks_0_modulation_linear"),
}
"""Marks of which one is enough, the particular before the general; the dots of the names are
underscores here.
"""


def _of_double_blocks(names: str, shapes: Shapes) -> str:
    if "double_stream_modulation" in names:
        return "flux2"
    return _FLUX_WIDTH.get(_width(shapes, re.compile(r"img_attn[._]qkv|linear1")), "flux1")


def _of_unet(names: str, shapes: Shapes) -> str:
    if any(mark in names for mark in ("lora_te1_", "lora_te2_", "text_encoder_2")):
        return "sdxl"
    family = _CONTEXT.get(_width(shapes, _CROSS))
    if family is not None:
        return family
    if not any(mark in names for mark in _UNET):
        return {768: "sd1", 1024: "sd2"}.get(_width(shapes, _TEXT_LAYER), UNKNOWN)
    return "sdxl" if _DEEP.search(names) else UNKNOWN


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
