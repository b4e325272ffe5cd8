"""Files in use are not discarded, even after their entries were merged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.engine import stylus as stylus_module
from stylus_ext.engine.operations.table import perform
from stylus_ext.engine.stylus import Stylus, open_stylus
from tests.civitai_service.service import CivitaiService, serving
from tests.civitai_service.shapes import a_file, a_model, a_version
from tests.fakes import BagEmbedder, Watch, make_card
from tests.lora_files import LORAS, safetensors_bytes

DAY_S = 86_400.0


@dataclass
class House:
    civitai: CivitaiService
    stylus: Stylus
    loras: Path

    def ask(self, name: str, /, **payload: Any) -> dict[str, Any]:
        return perform(self.stylus, name, payload, Watch())

    def fetch(self) -> str:
        answer = self.ask("fetch", keys=["civitai:11"], lora_dirs=[str(self.loras)])
        assert not answer["failed"], answer
        return str(answer["fetched"][0]["stem"])

    def age(self, days: float) -> None:
        """As if all that is written down had happened so many days before."""
        file = self.stylus.folder / "downloads.jsonl"
        lines = [json.loads(line) for line in file.read_text("utf-8").splitlines() if line]
        file.write_text(
            "".join(json.dumps({**line, "at": line["at"] - days * DAY_S}) + "\n" for line in lines),
            "utf-8",
        )

    def rename(self) -> None:
        """The entry becomes one with another that was there first, whose name both have from then
        on.
        """
        other = AdapterKey.sha256("ab" * 32)
        self.stylus.catalogue.store.keep([make_card(5, "Other", key=other, source="huggingface")])
        self.stylus.catalogue.refresh.renew([other])
        self.stylus.catalogue.store.unite(other, AdapterKey.civitai(11))
        self.stylus.catalogue.refresh.renew([other])
        self.stylus.catalogue.embed(Watch())
        assert self.stylus.catalogue.entry("civitai:11").key == other

    def kept(self, **payload: Any) -> list[str]:
        return [one["why_not"] for one in self.ask("discard", dry_run=True, **payload)["kept"]]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(stylus_module, "embedder_for", lambda encoder, key: BagEmbedder())
    (tmp_path / "loras").mkdir()
    with serving() as civitai:
        body = safetensors_bytes(LORAS["sd1"], {"ss_output_name": "zebrastripe"}, 11)
        version = a_version(
            11, files=[a_file(11, "zebrastripe.safetensors", body)], trainedWords=["zebrastripe"]
        )
        civitai.add(a_model(111, version, name="Zebrastripe"), files={11: body})
        values: dict[str, dict[str, Any]] = {
            "civitai": {"civitai_url": civitai.api, "request_interval": 0.0},
            "downloads": {"download": True, "keep_free_gb": 0.0},
        }
        stylus = open_stylus(tmp_path / "data", with_values(Settings(), values))
        house = House(civitai, stylus, (tmp_path / "loras").resolve())
        house.ask("sync")
        yield house
        stylus.close()


def test_a_favourite_stays_after_its_entry_was_merged(house: House) -> None:
    house.fetch()
    house.rename()
    house.age(40)
    house.ask("edit", key="civitai:11", state="always")
    assert house.kept() == ["marked as always"]
    house.ask("edit", key="civitai:11", state="auto")
    assert house.kept() == []


def test_a_file_can_be_discarded_by_its_newer_key(house: House) -> None:
    house.fetch()
    house.rename()
    house.age(40)
    gone = house.ask("discard", keys=["sha256:" + "ab" * 32])["discarded"]
    assert [one["key"] for one in gone] == ["civitai:11"]
    assert not list(house.loras.glob("*.safetensors"))


@pytest.mark.parametrize("renamed", [False, True])
def test_a_planned_file_is_in_use(house: House, renamed: bool) -> None:
    house.fetch()
    if renamed:
        house.rename()
    house.age(40)
    assert house.kept() == []
    assert house.ask("plan", prompt="zebrastripe")["plan"]["picks"]
    assert house.kept() == ["used within the last 30 days"]


def test_a_file_in_the_users_own_tag_is_in_use(house: House) -> None:
    stem = house.fetch()
    house.age(40)
    house.ask("plan", prompt=f"a cat <lora:{stem}:0.7>")
    assert house.kept() == ["used within the last 30 days"]


@pytest.mark.parametrize(
    "prompt", ["a cat", "a cat <lora:nobody:0.7>", "a cat <hypernet:zebrastripe:1>"]
)
def test_other_files_are_not_in_use(house: House, prompt: str) -> None:
    house.fetch()
    house.age(40)
    house.ask("plan", prompt=prompt)
    assert house.kept() == []


def test_ledger_lines_with_invalid_keys_are_skipped(house: House) -> None:
    house.fetch()
    path = next(house.loras.glob("*.safetensors"))
    line = {
        "path": str(path),
        "key": "nonsense",
        "size": path.stat().st_size,
        "sha256": "x",
        "at": 5.0,
    }
    with (house.stylus.folder / "downloads.jsonl").open("a", encoding="utf-8") as file:
        file.write(
            json.dumps(line | {"path": str(path.with_name("other.safetensors"))})
            + "\n"
            + json.dumps(line)
            + "\n"
        )
    assert [one["key"] for one in house.ask("storage")["files"]] == ["civitai:11"]
    assert house.kept() == ["used within the last 30 days"]


def test_the_sidecar_has_plain_text_and_changes_nothing(house: House) -> None:
    """The host may show it as HTML; and reading it back changes nothing of what is known."""
    house.civitai.models[0]["description"] = (
        "<h1>Stripes</h1><p>Draws a <b>zebrastripe</b> pattern on any"
        " animal.</p><script>alert(1)</script><p onclick='x()'>Use it at weight 0.7</p>&lt;img"
        " src=x onerror=alert(2)&gt;"
    )
    house.ask("sync", afresh=True)
    before = house.ask("show", key="civitai:11")["entry"]
    house.fetch()
    message = json.loads((house.loras / "zebrastripe.json").read_text("utf-8"))
    assert "Draws a zebrastripe pattern" in message["description"]
    assert not any(word in message["description"] for word in ("<", "alert(1)", "onclick"))
    after = house.ask("show", key="civitai:11")["entry"]
    assert {name: after[name] for name in ("text", "weight", "kind", "triggers", "flags")} == {
        name: before[name] for name in ("text", "weight", "kind", "triggers", "flags")
    }
    assert before["weight"] == 0.7
