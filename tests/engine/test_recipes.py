"""Recipes and storage as operations, over a real data folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylus_ext.core.errors import InvalidInput
from stylus_ext.engine.stylus import Stylus
from tests.engine.test_operations import ask, stylus
from tests.lora_files import write_lora

__all__ = ["stylus"]
CORGI = {
    "name": "Corgi",
    "prompt": "a corgi on a hill",
    "adapters": [{"key": "civitai:1", "weight": 0.7, "name": "Corgi Friend"}],
}
PIXELS = {
    "name": "Pixels",
    "prompt": "pixel art of a castle",
    "adapters": [{"key": "civitai:2", "weight": 1}],
}


def test_recipes_are_kept_found_and_forgotten(stylus: Stylus) -> None:
    assert ask(stylus, "recipes", keep=[CORGI, PIXELS])["message"] == "2 recipes are kept."
    listed = ask(stylus, "recipes")["recipes"]
    assert [one["name"] for one in listed] == ["Corgi", "Pixels"]
    assert listed[0]["adapters"] == [
        {"key": "civitai:1", "weight": 0.7, "name": "Corgi Friend", "stem": ""}
    ]
    assert (listed[0]["alike"], listed[0]["on_disk"]) == (None, [])
    like = ask(stylus, "recipes", like="a castle in pixel art")["recipes"]
    assert [one["name"] for one in like] == ["Pixels", "Corgi"]
    assert like[0]["alike"] > like[1]["alike"]
    assert [one["name"] for one in ask(stylus, "recipes", forget="Corgi")["recipes"]] == ["Pixels"]
    with pytest.raises(InvalidInput, match="'Corgi'"):
        ask(stylus, "recipes", forget="Corgi")


def test_one_wrong_recipe_keeps_none(stylus: Stylus) -> None:
    with pytest.raises(InvalidInput):
        ask(stylus, "recipes", keep=[CORGI, {"name": ""}])
    assert ask(stylus, "recipes")["recipes"] == []


def test_a_recipe_lists_its_adapters_on_disk(stylus: Stylus, tmp_path: Path) -> None:
    write_lora(tmp_path / "loras" / "zz17.safetensors")
    ask(stylus, "index", lora_dirs=[str(tmp_path / "loras")])
    key = ask(stylus, "show", key="zz17")["entry"]["key"]
    recipe = ask(
        stylus,
        "recipes",
        keep=[{"name": "Here", "prompt": "x", "adapters": [{"key": key}, {"key": "civitai:1"}]}],
    )["recipes"][0]
    assert recipe["on_disk"] == [key]


def test_storage_lists_fetched_files_that_still_exist(stylus: Stylus, tmp_path: Path) -> None:
    empty = ask(stylus, "storage")
    assert (empty["on"], empty["files"], empty["used"]) == (False, [], 0)
    for number, name in enumerate(("older", "newer", "gone"), 1):
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(b"x" * 10 * number)
        stylus.downloads.ledger.write(path, f"civitai:{number}", 10 * number, "0" * 64)
    (tmp_path / "gone.safetensors").unlink()
    reported = ask(stylus, "storage")
    assert [Path(one["path"]).stem for one in reported["files"]] == ["older", "newer"]
    assert [one["name"] for one in reported["files"]] == ["Corgi Friend", "Pixel World"]
    assert reported["used"] == 30
    assert reported["left"] == reported["quota"] - 30
