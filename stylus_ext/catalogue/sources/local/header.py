"""The header of a safetensors file: metadata and shapes; no tensor is loaded.

Length of the header, end of the tensors and depth of the JSON are checked before memory is
allocated for them. `BadLoraFile` says what is wrong.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeGuard

from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.family import UNKNOWN
from stylus_ext.core.files import open_regular
from stylus_ext.net.values import NotJson, parsed

MAX_HEADER = 64 * 1024 * 1024
_LENGTH = 8
_METADATA = "__metadata__"


class BadLoraFile(InvalidInput):
    """A file in a LoRA folder that cannot be used; `why` is the reason without the file's name."""

    def __init__(self, code: str, message: str, why: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.why = why

    def note(self) -> Note:
        return Note(self.code, str(self))


@dataclass(frozen=True, slots=True)
class Header:
    """Metadata and shapes of a safetensors file; `start` is the offset of the tensors."""

    metadata: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]
    start: int


def read_header(path: Path) -> Header:
    try:
        with open_regular(path) as file:
            return _read(file, path.name)
    except (OSError, ValueError) as error:
        raise _unreadable(path.name, error) from error


def _read(file: BinaryIO, name: str) -> Header:
    size = os.fstat(file.fileno()).st_size
    if size == 0:
        raise BadLoraFile("file_empty", f"{name} is empty; it was skipped. Download it again.")
    start = file.read(_LENGTH)
    if len(start) < _LENGTH:
        raise _damaged(name, "it is too short to be a safetensors file")
    length = struct.unpack("<Q", start)[0]
    if length > MAX_HEADER or length > size - _LENGTH:
        raise _damaged(name, f"its header claims {length:,} bytes, and the whole file has {size:,}")
    try:
        content = parsed(file.read(length))
    except NotJson as error:
        raise _damaged(name, f"its header cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise _damaged(name, "its header is not a table of tensors")
    metadata = content.pop(_METADATA, None) or {}
    shapes, end = _tensors(content, name)
    if _LENGTH + length + end != size:
        raise _damaged(
            name, f"its tensors need {_LENGTH + length + end:,} bytes, and the file has {size:,}"
        )
    return Header(_texts(metadata), shapes, _LENGTH + length)


def _tensors(content: Mapping[str, object], name: str) -> tuple[dict[str, tuple[int, ...]], int]:
    """The shape of each tensor, and the end of the last one."""
    shapes = {}
    end = 0
    for tensor, about in content.items():
        if not tensor.isprintable():
            raise _damaged(name, "a tensor has a name that no program writes")
        if not isinstance(about, dict):
            raise _damaged(name, f"the entry of tensor {tensor[:80]!r} is not a table")
        shape, offsets = about.get("shape"), about.get("data_offsets")
        if not (
            _sizes(shape) and _sizes(offsets) and len(offsets) == 2 and offsets[0] <= offsets[1]  # noqa: PLR2004
        ):
            raise _damaged(name, f"tensor {tensor[:80]!r} has no usable shape or place")
        shapes[tensor] = tuple(shape)
        end = max(end, offsets[1])
    return shapes, end


def _sizes(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and (
        not value or (set(map(type, value)) == {int} and min(value) >= 0)
    )


def _texts(metadata: object) -> dict[str, str]:
    """The texts only: some trainers write other values, against the format."""
    if not isinstance(metadata, dict):
        return {}
    return {key: value for key, value in metadata.items() if isinstance(value, str)}


def _damaged(name: str, why: str) -> BadLoraFile:
    return BadLoraFile(
        "file_damaged", f"{name} is damaged and was skipped: {why}. Download it again.", why
    )


def _unreadable(name: str, error: OSError | ValueError) -> BadLoraFile:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return BadLoraFile(
        "file_unreadable",
        f"{name} could not be read and was skipped ({reason}). Check its permissions.",
    )


Shapes = Mapping[str, tuple[int, ...]]

_CROSS = re.compile(r"attn2[._]to_[kv]\b|attn2[._]processor[._]to_[kv]_lora")
_TEXT_LAYER = re.compile(r"(?:^lora_te_|text_encoder[._]).*(?:mlp[._]fc1|q_proj|k_proj|v_proj)")
_UNET = tuple(
    "down_blocks_ up_blocks_ mid_block_ input_blocks_ output_blocks_ middle_block_".split()
)
_DEEP = re.compile(r"transformer_blocks_(?:[2-9]|\d\d)")
"""SD 1 and 2 have one transformer block a level, SDXL up to ten."""
_CONTEXT = {768: "sd1", 1024: "sd2", 2048: "sdxl", 1280: "sdxl"}
_LAYERS_WIDTH = {2304: "lumina", 3840: "z-image-turbo"}
_FLUX_WIDTH = {6144: "flux2", 4096: "flux2-klein-9b"}


def family_of_tensors(shapes: Shapes) -> str:
    """The family by names and shapes, or `UNKNOWN`."""
    names = "\n".join(shapes).replace(".", "_")
    for family, marks in _TRANSFORMERS.items():
        if any(mark in names for mark in marks):
            return family
    if "double_blocks_" in names or "single_blocks_" in names:
        family = _FLUX_WIDTH.get(_width(shapes, re.compile(r"img_attn[._]qkv|linear1")), "flux1")
        return "flux2" if "double_stream_modulation" in names else family
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
"""Parts of names, one of which is enough; specific families first, dots as underscores."""


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
    """The input width of a module whose name matches; 0 if it cannot be told."""
    for name, shape in shapes.items():
        if len(shape) > 1 and place.search(name):
            if re.search(r"lora_down|lora_A|lora\.down|hada_w[12]_b|\.diff\b", name):
                return shape[1]
            if ".lokr_w2" in name and not name.endswith("_a"):
                return _of_kronecker(name, shapes)
    return 0


def _of_kronecker(name: str, shapes: Shapes) -> int:
    """The width of a Kronecker product is the product of the widths."""
    module = name.partition(".lokr_w2")[0]
    other = shapes.get(f"{module}.lokr_w1") or shapes.get(f"{module}.lokr_w1_b") or ()
    return shapes[name][1] * other[1] if len(other) > 1 else 0
