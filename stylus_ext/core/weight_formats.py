"""Formats of the weights in adapter files, and what to say where a WebUI cannot load one."""

from __future__ import annotations

from collections.abc import Iterable

LORA, LOHA, LOKR, OFT, BOFT, OFT2 = "lora", "loha", "lokr", "oft", "boft", "oftv2"
GLORA, IA3, FULL, NORM, DORA, ROUTED = "glora", "ia3", "full", "norm", "dora", "routed"
STYLEINJECT = "styleinject"
UNKNOWN = "unknown"

ADAPTER_KEY = "stylus.adapter"
"""The field in a file's metadata that says it is an adapter of a kind of ours."""

TITLES = {
    LORA: "LoRA",
    LOHA: "LoHa",
    LOKR: "LoKr",
    OFT: "OFT",
    BOFT: "BOFT",
    OFT2: "OFTv2",
    GLORA: "GLoRA",
    IA3: "(IA)³",
    FULL: "full difference",
    NORM: "norm layers",
    DORA: "DoRA",
    ROUTED: "routed adapter",
    STYLEINJECT: "StyleInject",
    UNKNOWN: "weights of an unknown format",
}
FORMATS = tuple(TITLES)

NOWHERE = frozenset({ROUTED, UNKNOWN})
"""Formats that no WebUI loads by any tag."""


def not_loadable(formats: Iterable[str], loads: frozenset[str] | None) -> tuple[str, ...]:
    """The formats among these that a WebUI does not load, in the order of `FORMATS`.

    `loads` is what the WebUI loads; None if that is unknown.
    """
    mine = frozenset(formats)
    missing = mine & NOWHERE if loads is None else mine - (loads - NOWHERE)
    return tuple(name for name in FORMATS if name in missing)


def cannot_load(missing: Iterable[str]) -> str:
    return "this WebUI cannot load " + " and ".join(TITLES[name] for name in missing)
