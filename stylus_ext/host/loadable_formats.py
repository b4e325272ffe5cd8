"""Which formats of adapter files the host loads, asked of its own loader; StyleInject is ours."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import CodeType
from typing import Any

from stylus_ext.core.weight_formats import (
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
    STYLEINJECT,
)
from stylus_ext.host import compat

logger = logging.getLogger(__name__)

_MODULE_TYPES = {
    "ModuleTypeLora": (LORA,),
    "ModuleTypeHada": (LOHA,),
    "ModuleTypeIa3": (IA3,),
    "ModuleTypeLokr": (LOKR,),
    "ModuleTypeFull": (FULL,),
    "ModuleTypeNorm": (NORM,),
    "ModuleTypeGLora": (GLORA,),
    "ModuleTypeOFT": (OFT, BOFT),
}
"""Classes of A1111's Lora extension."""

_UP_DOWN = ("lora_up.weight", "lora_down.weight")
_SAMPLES = {
    LORA: _UP_DOWN,
    LOHA: ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"),
    LOKR: ("lokr_w1", "lokr_w2"),
    GLORA: ("a1.weight", "a2.weight", "b1.weight", "b2.weight"),
    DORA: (*_UP_DOWN, "dora_scale"),
    FULL: ("diff",),
    NORM: ("w_norm", "b_norm"),
    IA3: ("weight", "on_input"),
    OFT: ("oft_blocks",),
    BOFT: ("oft_blocks",),
    OFT2: ("oft_R.weight",),
}
"""Names of tensors of one module."""
_DIMENSIONS = {OFT: 3, BOFT: 4}


def loadable_formats() -> tuple[str, ...]:
    """Empty if the host cannot be asked."""
    module = compat.networks()
    types = tuple(getattr(module, "module_types", None) or ())
    return _formats(
        types, getattr(sys.modules.get("network"), "NetworkModule", None), _loader(module)
    )


@cache
def _formats(types: tuple[Any, ...], base: Any | None, load: Any | None) -> tuple[str, ...]:
    try:
        found = set(_of_types(types, base) if types else _of_loader(load))
    except Exception:  # of the host, whose insides may change
        logger.debug("The host's loader of LoRAs could not be asked.", exc_info=True)
        found = set()
    return tuple(sorted({*found, STYLEINJECT} if found else ()))


def _of_types(types: Sequence[Any], base: Any | None) -> Iterator[str]:
    for each in types:
        yield from _MODULE_TYPES.get(type(each).__name__, ())
    if base is not None and any(DORA + "_scale" in texts for texts in _texts_of(base)):
        yield DORA


def _texts_of(owner: type) -> Iterator[tuple[Any, ...]]:
    """The constants and names in the methods of a class."""
    for member in vars(owner).values():
        code = getattr(member, "__code__", None)
        if isinstance(code, CodeType):
            yield (*code.co_consts, *code.co_names)


def _loader(module: Any | None) -> Any | None:
    """The function of ComfyUI that Forge and its relatives read a file with."""
    patched = sys.modules.get("ldm_patched.modules.lora")
    return getattr(module, "load_lora", None) or getattr(patched, "load_lora", None)


def _of_loader(load: Any | None) -> Iterator[str]:
    if load is None:
        return
    for name in _SAMPLES:
        patches, rest = _parts(load(_sample(name), {"layer": "layer.weight"}))
        if patches and not rest:
            yield name


def _parts(answer: Any) -> tuple[Any, Any]:
    """What was loaded and what was left; older versions return the first alone."""
    return answer if isinstance(answer, tuple) else (answer, {})


def _sample(name: str) -> Mapping[str, Any]:
    import torch

    shape = (1,) * _DIMENSIONS.get(name, 2)
    return {f"layer.{part}": torch.zeros(shape) for part in _SAMPLES[name]}
