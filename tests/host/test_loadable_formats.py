"""The formats that a host loads, asked of loaders as the hosts have them."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

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
    STYLEINJECT,
)
from tests.host.double.fixtures import Stage

ON = {"enabled": True}
COMFY = {
    LORA: ("lora_up.weight", "lora_down.weight"),
    LOHA: ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"),
    LOKR: ("lokr_w1", "lokr_w2"),
    GLORA: ("a1.weight", "a2.weight", "b1.weight", "b2.weight"),
    FULL: ("diff",),
    NORM: ("w_norm", "b_norm"),
}


def comfy_loader(tensors: dict[str, Any], modules: dict[str, str]) -> tuple[dict[str, Any], Any]:
    """Takes what it knows of each module and returns the rest, as ComfyUI's does."""
    taken: dict[str, Any] = {}
    left = dict(tensors)
    for module, target in modules.items():
        scale = left.pop(f"{module}.dora_scale", None)
        for name, parts in COMFY.items():
            if all(f"{module}.{part}" in left for part in parts):
                taken[target] = name, [left.pop(f"{module}.{part}") for part in parts], scale
    return taken, left


@pytest.fixture(autouse=True)
def no_loader(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The double's module is one for all tests."""
    for name in ("module_types", "load_lora"):
        monkeypatch.setattr(sys.modules["networks"], name, None, raising=False)


def names(*kinds: str) -> list[Any]:
    """Objects of classes with these names, as A1111 has one for each format."""
    return [type(f"ModuleType{kind}", (), {})() for kind in kinds]


def a_network_module(knows_dora: bool) -> ModuleType:
    class Early:
        def __init__(self, weights: Any) -> None:
            self.scale = weights.get("scale")

    class Late:
        def __init__(self, weights: Any) -> None:
            self.dora_scale = weights.get("dora_scale")

    module = ModuleType("network")
    vars(module)["NetworkModule"] = Late if knows_dora else Early
    return module


def test_asked_of_a1111s_classes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    networks = sys.modules["networks"]
    kinds = names("Lora", "Hada", "Ia3", "Lokr", "Full", "Norm", "GLora", "OFT")
    monkeypatch.setattr(networks, "module_types", kinds, raising=False)
    monkeypatch.setitem(sys.modules, "network", a_network_module(knows_dora=False))
    expected = {LORA, LOHA, IA3, LOKR, FULL, NORM, GLORA, OFT, BOFT, STYLEINJECT}
    assert asked_formats(stage) == expected


def test_later_versions_know_dora(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["networks"], "module_types", names("Lora"), raising=False)
    monkeypatch.setitem(sys.modules, "network", a_network_module(knows_dora=True))
    assert asked_formats(stage) == {LORA, DORA, STYLEINJECT}


def test_asked_of_forges_loader(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(sys.modules["networks"], "load_lora", comfy_loader, raising=False)
    assert asked_formats(stage) == {*COMFY, DORA, STYLEINJECT}


def test_older_loaders_return_the_patches_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    older = SimpleNamespace(load_lora=lambda *given: comfy_loader(*given)[0])
    monkeypatch.setitem(sys.modules, "ldm_patched.modules.lora", older)
    assert asked_formats(stage) >= set(COMFY)


def test_a_loader_that_fails_says_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(sys.modules["networks"], "load_lora", broken, raising=False)
    assert asked_formats(stage) == set()


def asked_formats(stage: Stage) -> set[str]:
    """What a generation asks the engine for."""
    stage.host.api(ON, prompt="a corgi, watercolor")
    return set(stage.asked[-1]["settings"].get("selection", {}).get("formats", ()))
