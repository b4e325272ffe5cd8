"""What a safetensors file is, by the names and shapes of its tensors, whatever its name says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from stylus_ext.core.weight_formats import (
    ADAPTER_KEY,
    BOFT,
    DORA,
    FULL,
    GLORA,
    IA3,
    LOHA,
    LOKR,
    LORA,
    NORM,
    OFT,
    OFT2,
    ROUTED,
    STYLEINJECT,
    UNKNOWN,
)

Shapes = Mapping[str, tuple[int, ...]]

NO_METADATA: Mapping[str, object] = {}

ADAPTER, EMBEDDING, OTHER = "adapter", "embedding", "other"
UNET, TEXT_ENCODER = "unet", "text encoder"


@dataclass(frozen=True, slots=True)
class FileType:
    """`formats` and `parts` are of an adapter's weights; `embeddings` are those that it bundles."""

    name: str
    formats: frozenset[str] = frozenset()
    parts: frozenset[str] = frozenset()
    embeddings: tuple[str, ...] = ()


# Digits are replaced by 0 before matching, so that the results of a few hundred names can be kept.
_SUFFIXES = {
    ROUTED: r"\.(?:lora_(?:ups|downs|As|Bs)|lora_(?:up|down|A|B)[._]?0)\b.*",
    LORA: r"\.lora_(?:up|down|mid|A|B|embedding_A|embedding_B)"
    r"|(?:_|\.)lora\.(?:up|down)|\.lora_linear_layer",
    LOHA: r"\.hada_[wt]0(?:_[ab])?",
    LOKR: r"\.lokr_[wt]0(?:_[ab])?",
    BOFT: r"\.boft_\w+",
    OFT2: r"\.oft_R",
    OFT: r"\.oft_(?:blocks|diag)",
    DORA: r"\.dora_scale|\.lora_magnitude_vector",
    IA3: r"\.on_input",
    GLORA: r"\.glora_\w+",
}
"""The ends of names that only adapters have, by format; a trainer may add words after a dot."""

_PREFIXED_SUFFIXES = {
    GLORA: r"\.[ab]0\.weight",
    NORM: r"\.[wb]_norm",
    FULL: r"\.(?:diff|diff_b|set_weight|set_bias)",
    UNKNOWN: r"\.(?:[ab]0|vector|reft|vera_\w+)\b.*",
}
"""Ends that mean something only in a module whose name begins like an adapter's."""

_ADAPTER_MODULE = r"(?:(?:lora|oft)_(?:unet|te\d?|prior|transformer|controlnet)|lycoris)_[^.]+"
_FORMATS = [
    *((name, re.compile(rf"^.*?((?:{suffix})(?:\.\w+)*)$")) for name, suffix in _SUFFIXES.items()),
    *(
        (name, re.compile(f"^{_ADAPTER_MODULE}.*?({suffix})$"))
        for name, suffix in _PREFIXED_SUFFIXES.items()
    ),
]
_ROUTER = re.compile(r"^(.+)\.(?:router|gate)(?:\.\w+)*$")
"""Beside an adapter's weights; large models have routers of their own, which LoRAs may change."""
_MODULE = re.compile(_ADAPTER_MODULE)
_BUNDLED = re.compile(r"bundle_emb\.([^.]+)\.")
_OF_TEXT_ENCODER = re.compile(
    r"^(?:lora|oft|lycoris)_te\d?_|text_encoders?[._]|text_model[._]|clip_[lgh]\."
)

_MOST_VECTORS = 4
_VECTORS = re.compile(r"emb_params|string_to_param\..*|clip_[lgh]|t5xxl|qwen\w*|<.*>")

_OTHER_TYPES = [
    (title, re.compile(rf"^(?:{beginnings})"))
    for title, beginnings in (
        ("ControlNet", r"control_model\.|controlnet_|lllite_unet|input_hint_block"),
        (
            "checkpoint",
            r"model\.diffusion_model\.|conditioner\.|cond_stage_model\.|joint_blocks\.\d"
            r"|(?:double|single|transformer|down|up|input|output)_blocks\.\d|blocks\.\d"
            r"|layers\.\d+\.attention",
        ),
        (
            "VAE",
            r"quant_conv|(?:first_stage_model\.|vae\.)?(?:encoder|decoder)"
            r"\.(?:conv_in|conv1|down|up|mid|middle)\b",
        ),
        (
            "text encoder",
            r"(?:text_model|encoder\.block|transformer\.resblocks|shared|model\.layers)\b",
        ),
        ("hypernetwork", r"linear\.\d+\.weight$"),
    )
]


def type_of(shapes: Shapes, metadata: Mapping[str, object] = NO_METADATA) -> FileType:
    """What a file with these tensors is; the name of something that is no adapter is a title.

    Of the routed files only those of Stylus say how they are applied.
    """
    formats, parts, embeddings = _weights(shapes)
    if ROUTED in formats and metadata.get(ADAPTER_KEY) == STYLEINJECT:
        formats = frozenset({STYLEINJECT})
    if formats:
        return FileType(ADAPTER, formats, parts, embeddings)
    if is_embedding(shapes):
        return FileType(EMBEDDING)
    for title, pattern in _OTHER_TYPES:
        if any(pattern.search(name) for name in shapes):
            return FileType(title)
    return FileType(OTHER)


def is_embedding(shapes: Shapes) -> bool:
    """Whether all tensors are vectors of a textual inversion."""
    return 0 < len(shapes) <= _MOST_VECTORS and all(
        _VECTORS.fullmatch(name) and len(shape) in {1, 2} for name, shape in shapes.items()
    )


def _weights(shapes: Shapes) -> tuple[frozenset[str], frozenset[str], tuple[str, ...]]:
    """The formats and parts of an adapter's modules, and its embeddings; all empty if it is none.

    A module of which no tensor is known has an unknown format: AUTOMATIC1111 refuses a file with
    such a module and with it all LoRAs of the picture.
    """
    known: dict[str, set[str]] = {}
    unknown: set[str] = set()
    routed: set[str] = set()
    embeddings: dict[str, None] = {}
    for name, shape in shapes.items():
        if bundled := _BUNDLED.match(name):
            embeddings[bundled[1]] = None
        elif (found := _format_of(name)) is not None:
            module, format_name = found
            is_blocks = format_name == OFT and len(shape) == 4  # noqa: PLR2004
            known.setdefault(module, set()).add(BOFT if is_blocks else format_name)
        elif module_name := _MODULE.match(name):
            unknown.add(module_name[0])
        if router := _ROUTER.match(name):
            routed.add(router[1])
    if not known:
        return frozenset(), frozenset(), ()
    formats = set().union(*known.values())
    if not routed.isdisjoint(known):
        formats.add(ROUTED)
    if unknown.difference(module.partition(".")[0] for module in known):
        formats.add(UNKNOWN)
    is_text = {bool(_OF_TEXT_ENCODER.search(module)) for module in known}
    parts = {TEXT_ENCODER if text else UNET for text in is_text}
    return frozenset(formats), frozenset(parts), tuple(embeddings)


def _format_of(name: str) -> tuple[str, str] | None:
    """The module of a tensor and its format."""
    found = _format_of_pattern(_DIGITS.sub("0", name))
    return found and (name.rsplit(".", found[1])[0], found[0])


_DIGITS = re.compile(r"\d+")


@lru_cache(maxsize=4096)
def _format_of_pattern(name: str) -> tuple[str, int] | None:
    """The format, and the number of dots in the end that tells it."""
    for format_name, pattern in _FORMATS:
        if found := pattern.match(name):
            return format_name, found[1].count(".")
    return None


_EMBEDDING_WIDTHS = {768: "sd1", 1024: "sd2", 1280: "sdxl"}


def embedding_family(shapes: Shapes) -> str:
    """The family of a textual inversion, by the width of its vectors; SDXL has two widths."""
    widths = {shape[-1] for shape in shapes.values() if shape}
    return _EMBEDDING_WIDTHS.get(max(widths, default=0), UNKNOWN)
