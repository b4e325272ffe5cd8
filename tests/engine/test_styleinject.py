"""StyleInject files from the LoRA folder to the prompt: picked like LoRAs, with an own tag."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stylus_ext.engine.stylus import Stylus
from stylus_ext.styleinject.adapter import make_adapter
from stylus_ext.styleinject.files import save
from stylus_ext.styleinject.layers import Shape
from tests.engine.test_embeddings import LOOSE, always, ask, stylus
from tests.lora_files import write_lora, write_sidecar
from tests.styleinject.tiny_unet import a_unet

__all__ = ["stylus"]


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Any]:
    """A LoRA of castles and a StyleInject file of ink drawings in one folder."""
    lora = write_lora(tmp_path / "loras" / "castle_keep.safetensors", "sd1")
    write_sidecar(lora, ".json", {"description": "An old castle.", "activation text": "castle"})
    ink = tmp_path / "loras" / "ink_drawing.safetensors"
    save(make_adapter(a_unet(), Shape(3, 2), base_family="sd1"), ink)
    write_sidecar(
        ink, ".json", {"description": "An ink drawing style.", "activation text": "ink drawing"}
    )
    return {
        "lora_dirs": (str(tmp_path / "loras"),),
        "stems": ("castle_keep", "ink_drawing"),
    }


def test_it_is_written_with_its_own_tag(stylus: Stylus, folders: dict[str, Any]) -> None:
    answer = ask(stylus, "a castle, ink drawing", **folders)
    (text,) = answer.texts.positive
    added = text.removeprefix("a castle, ink drawing ").split()
    assert sorted(added) == ["<lora:castle_keep:0.75>", "<styleinject:ink_drawing:0.75>"]
    assert set(answer.masks[0].on) == {"castle_keep", "ink_drawing"}
    types = {pick.name: pick.type for pick in answer.plans[0].composition.picks}
    assert sorted(types.values()) == ["lora", "styleinject"]


def test_its_weight_counts_for_the_limit_like_a_loras(
    stylus: Stylus, folders: dict[str, Any]
) -> None:
    settings = {**LOOSE, "weights": {"total_cap": 1.0}}
    (text,) = ask(stylus, "a castle, ink drawing", settings=settings, **folders).texts.positive
    assert "<lora:castle_keep:0.5>" in text
    assert "<styleinject:ink_drawing:0.5>" in text


def test_masks_vary_it(stylus: Stylus, folders: dict[str, Any]) -> None:
    settings = {**LOOSE, "diversity": {"scheme": "subsets"}}
    answer = ask(stylus, *["a castle, ink drawing"] * 6, settings=settings, **folders)
    written = {("<styleinject:" in text, "<lora:" in text) for text in answer.texts.positive}
    assert len(written) > 1


def test_where_the_webui_does_not_load_it_it_is_left_out(
    stylus: Stylus, folders: dict[str, Any]
) -> None:
    for formats, there in ((["lora"], False), (["lora", "styleinject"], True)):
        settings = {"selection": {**LOOSE["selection"], "formats": formats}}
        (text,) = ask(stylus, "an ink drawing", settings=settings, **folders).texts.positive
        assert ("<styleinject:" in text) is there


def test_the_users_own_tag_is_kept_and_not_doubled(stylus: Stylus, folders: dict[str, Any]) -> None:
    always(stylus, "ink_drawing")
    prompt = "an ink drawing <styleinject:ink_drawing:0.3>"
    answer = ask(stylus, prompt, **folders)
    assert answer.texts.positive[0].count("ink_drawing:") == 1
    assert not [note for note in answer.plans[0].notes if note.code == "not_loadable"]


def test_a_lora_tag_for_it_is_noted(stylus: Stylus, folders: dict[str, Any]) -> None:
    ask(stylus, "a moor", **folders)
    answer = ask(stylus, "a moor <lora:ink_drawing:1>", **folders)
    assert [note for note in answer.plans[0].notes if note.code == "not_loadable"]


def test_the_catalogue_names_its_type(stylus: Stylus, folders: dict[str, Any]) -> None:
    ask(stylus, "a moor", **folders)
    entry = stylus.catalogue.entry("ink_drawing")
    assert (entry.type, entry.card.type, entry.family) == ("styleinject", "lora", "sd1")
