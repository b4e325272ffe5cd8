"""Embeddings and hypernetworks of hosts as they keep them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from stylus_ext.core.adapter_type import EMBEDDING, HYPERNETWORK
from tests.host.double.fixtures import Stage
from tests.lora_files import write_lora

ON = {"enabled": True}


class Database:
    """Loads the stems of its folder, as the hosts' databases do."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.folder = folder
        self.word_embeddings = {name: SimpleNamespace(hash="ab" * 32) for name in names}
        self.loads: list[dict[str, Any]] = []

    def load_textual_inversion_embeddings(self, **arguments: Any) -> None:
        self.loads.append(arguments)
        found = sorted(path.stem for path in self.folder.glob("*.safetensors"))
        self.word_embeddings = {name: SimpleNamespace(hash="") for name in found}


@pytest.fixture
def folder(stage: Stage, tmp_path: Path) -> Path:
    place = tmp_path / "embeddings"
    place.mkdir()
    stage.host.cmd_opts.embeddings_dir = str(place)
    return place


@pytest.fixture(autouse=True)
def no_modules(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    names = ("sd_hijack", "sd_hijack_optimizations", "ui_extra_networks_textual_inversion")
    for name in names:
        monkeypatch.delitem(sys.modules, f"modules.{name}", raising=False)
    yield
    for name in ("embeddings_dir", "hypernetwork_dir"):
        vars(stage.host.cmd_opts).pop(name, None)


def module(monkeypatch: pytest.MonkeyPatch, name: str, **values: Any) -> None:
    made = ModuleType(f"modules.{name}")
    vars(made).update(values)
    monkeypatch.setitem(sys.modules, made.__name__, made)


def a1111(monkeypatch: pytest.MonkeyPatch, database: Database) -> None:
    hijack = SimpleNamespace(embedding_db=database)
    module(monkeypatch, "sd_hijack", model_hijack=hijack)


def forge(monkeypatch: pytest.MonkeyPatch, *databases: Database) -> None:
    """A model with a database in each text encoder, and a hijack without one."""
    module(monkeypatch, "sd_hijack", model_hijack=SimpleNamespace())
    encoders = {
        f"text_processing_engine_{number}": SimpleNamespace(embeddings=database)
        for number, database in enumerate(databases)
    }
    data = SimpleNamespace(sd_model=SimpleNamespace(**encoders, is_sd1=True))
    monkeypatch.setattr(sys.modules["modules.sd_models"], "model_data", data)


def test_without_any_there_are_none(stage: Stage) -> None:
    from stylus_ext.host import other_adapters

    assert other_adapters.stems() == {"embeddings": (), "hypernetworks": ()}
    assert other_adapters.folders() == {}
    other_adapters.load_anew(["new"])


def test_of_a1111(stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stylus_ext.host import other_adapters

    database = Database(folder, "b", "a")
    a1111(monkeypatch, database)
    assert other_adapters.loaded_embeddings() == ("a", "b")
    assert other_adapters.folders() == {"embedding_dirs": (str(folder),)}
    assert other_adapters.folders([]) == {}
    write_lora(folder / "new.safetensors")
    before = other_adapters.listing()
    other_adapters.load_anew(["a"])
    assert database.loads == []
    other_adapters.load_anew(["new"])
    assert database.loads == [{"force_reload": True}]
    assert other_adapters.loaded_embeddings() == ("new",)
    assert other_adapters.listing() != before


def test_of_forge_what_all_text_encoders_have(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylus_ext.host import other_adapters

    one, other = Database(folder, "a", "b"), Database(folder, "b", "c")
    page = Database(folder, "a", "z")
    forge(monkeypatch, one, other)
    module(monkeypatch, "ui_extra_networks_textual_inversion", embedding_db=page)
    assert other_adapters.loaded_embeddings() == ("b",)
    write_lora(folder / "new.safetensors")
    other_adapters.load_anew(["new"])
    assert one.loads == other.loads == [{}]
    assert page.loads == [{"force_reload": True, "sync_with_sd_model": False}]


def test_before_forge_has_a_model_its_page_lists_them(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylus_ext.host import other_adapters

    forge(monkeypatch)
    page = Database(folder, "z")
    module(monkeypatch, "ui_extra_networks_textual_inversion", embedding_db=page)
    assert other_adapters.loaded_embeddings() == ("z",)


def test_hypernetworks_count_only_where_they_are_applied(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylus_ext.host import other_adapters

    stage.host.cmd_opts.hypernetwork_dir = str(tmp_path)
    listed = {"paint": str(tmp_path / "paint.pt")}
    monkeypatch.setattr(sys.modules["modules.shared"], "hypernetworks", listed, raising=False)
    module(monkeypatch, "sd_hijack_optimizations")  # a fork: its code is commented out
    assert other_adapters.hypernetworks() == ()
    assert other_adapters.folders() == {}
    module(monkeypatch, "sd_hijack_optimizations", split_cross_attention_forward=print)
    assert other_adapters.hypernetworks() == ("paint",)
    assert other_adapters.folders() == {"hypernetwork_dirs": (str(tmp_path),)}


def test_a_generation_says_what_is_loaded_and_where(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a1111(monkeypatch, Database(folder, "griffin_ti"))
    stage.host.api(ON, prompt="a griffin")
    asked = stage.asked[-1]
    assert asked["embeddings"] == ["griffin_ti"]
    assert "hypernetworks" in asked


def test_a_fetched_embedding_is_loaded_and_else_left_out(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylus_ext.host import other_adapters

    a1111(monkeypatch, Database(folder, "a"))
    write_lora(folder / "new.safetensors")
    fetched = [
        {"key": "civitai:1", "stem": "new", "type": EMBEDDING},
        {"key": "civitai:2", "stem": "wrong_width", "type": EMBEDDING},
        {"key": "civitai:3", "stem": "no_lora", "type": "lora"},
    ]
    other_adapters.list_fetched(fetched)
    assert other_adapters.unlisted(fetched).keys() == {"civitai:2", "civitai:3"}


def test_the_inventory_for_a_shared_engine(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylus_ext.host import other_adapters

    a1111(monkeypatch, Database(folder, "a"))
    assert list(other_adapters.inventory()) == [
        {"stem": "a", "sha256": "ab" * 32, "type": EMBEDDING}
    ]
    monkeypatch.setattr(other_adapters, "hypernetworks", lambda: ("paint",))
    assert {"stem": "paint", "type": HYPERNETWORK} in other_adapters.inventory()
