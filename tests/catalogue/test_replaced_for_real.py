"""Real files, replaced under a running Stylus and under one that is away: store, vectors, retriever
and plan all notice.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stylus_ext.catalogue.sources.local.scan import digests_of
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import Edits
from stylus_ext.core.plan import Plan
from stylus_ext.core.settings import Settings
from stylus_ext.engine import catalogue, stylus
from stylus_ext.engine.stylus import Stylus, open_stylus
from stylus_ext.selection.plan import PlanRequest
from tests.fakes import Watch
from tests.lora_files import write_lora
from tests.real_model import real_embedder

FOX, OWL = AdapterKey.civitai(70), AdapterKey.civitai(80)
FILE = AdapterKey.path("mine.safetensors")
PROMPT = "{}, bridge, river, fog"


def listed(key: AdapterKey, name: str, word: str, lora: Path, text: str) -> str:
    return json.dumps(
        {
            "model_id": int(key.value) // 10,
            "version_id": int(key.value),
            "name": name,
            "version": "v1",
            "base_model": "SD 1.5",
            "file": f"{word}.safetensors",
            "size_kb": lora.stat().st_size / 1024,
            "sha256": digests_of(lora, Watch()).sha256,
            "triggers": [word],
            "tags": [word],
            "kind": "animal",
            "weight": 0.75,
            "description": text,
        }
    )


class House:
    """Two LoRAs of one size that the starter catalogue knows, and a folder with one file that is
    now the one, now the other.
    """

    def __init__(self, folder: Path) -> None:
        self.data, self.loras = folder / "data", folder / "loras"
        self.fox, self.owl = (
            write_lora(folder / "shop" / f"{name}.safetensors", seed=seed)
            for name, seed in (("fox", 1), ("owl", 2))
        )
        self.starter = folder / "starter.jsonl"
        self.starter.write_text(
            "\n".join(
                (
                    listed(FOX, "Paper Fox", "paperfox", self.fox, "Foxes folded of paper."),
                    listed(OWL, "Glass Owl", "glassowl", self.owl, "Owls blown of glass."),
                )
            ),
            "utf-8",
        )
        self.loras.mkdir()
        self.stylus = self.open()
        self.age = 0

    def open(self) -> Stylus:
        return open_stylus(self.data, Settings())

    def put(self, lora: Path) -> None:
        """As a browser or a file manager replaces it: the time of what is put there may be any."""
        shutil.copy(lora, self.loras / "mine.safetensors")
        self.age += 1
        os.utime(self.loras / "mine.safetensors", (time.time() - 3600 * self.age,) * 2)

    def refresh(self) -> None:
        self.stylus.catalogue.prepare(Watch())
        self.stylus.catalogue.index_folders([str(self.loras)], Watch())
        self.stylus.catalogue.hash_files(Watch())
        self.stylus.catalogue.embed(Watch())

    def plan(self, word: str) -> Plan:
        return self.stylus.planner.plan(
            PlanRequest(
                PROMPT.format(word), on_disk=self.stylus.catalogue.available([str(self.loras)])
            )
        )


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(catalogue, "STARTER", tmp_path / "starter.jsonl")
    monkeypatch.setattr(stylus, "embedder_for", lambda settings, key: real_embedder())
    made = House(tmp_path)
    yield made
    made.stylus.close()


@pytest.mark.parametrize("away", [False, True])
def test_a_plan_after_the_replacement_knows_the_new_one_only(house: House, away: bool) -> None:
    assert house.fox.stat().st_size == house.owl.stat().st_size
    for lora, word, other in (
        (house.fox, "paperfox", "glassowl"),
        (house.owl, "glassowl", "paperfox"),
        (house.fox, "paperfox", "glassowl"),
    ):
        if away:
            house.stylus.close()
        house.put(lora)
        if away:
            house.stylus = house.open()
        house.refresh()
        entry = house.stylus.catalogue.entry("mine")
        assert entry.triggers == (word,)
        assert [pick.name for pick in house.plan(word).composition.picks] == [
            {"paperfox": "Paper Fox", "glassowl": "Glass Owl"}[word]
        ]
        assert house.plan(other).composition.picks == ()
        assert house.plan(other).prompts == (PROMPT.format(other),)
        left = house.stylus.catalogue.store.read([FOX, OWL])
        assert {one.card.remote is not None for one in left.values()} == {True}
        assert [key for key, one in left.items() if not one.files] == [
            OWL if word == "paperfox" else FOX
        ]
        assert set(house.stylus.catalogue.index.fingerprints("card")) == {
            one.key for one in left.values()
        }


def test_from_the_whole_catalogue_the_old_one_is_fetched_again(house: House) -> None:
    house.put(house.fox)
    house.refresh()
    house.put(house.owl)
    house.refresh()
    plan = house.stylus.planner.plan(PlanRequest(PROMPT.format("paperfox")))
    assert [missing.file for missing in plan.missing] == ["paperfox.safetensors"]


def test_another_size_and_a_sidecar_that_is_gone_show_before_anything_is_hashed(
    house: House,
) -> None:
    house.put(house.fox)
    house.refresh()
    house.stylus.catalogue.store.edit(FOX, Edits(state="always"))
    write_lora(house.loras / "mine.safetensors", "sdxl", {"modelspec.trigger_phrase": "mossgolem"})
    house.stylus.catalogue.index_folders([str(house.loras)], Watch())
    entry = house.stylus.catalogue.entry("mine")
    assert (entry.triggers, entry.family, entry.files[0].sha256) == (("mossgolem",), "sdxl", None)
    assert house.stylus.catalogue.entry(str(FOX)).card.name == "Paper Fox"
    assert house.stylus.catalogue.entry(str(FOX)).files == ()


def test_a_header_that_was_rewritten_changes_nothing_where_it_names_its_tensors(
    house: House,
) -> None:
    said = {"sshs_model_hash": "ab" * 32}
    first = write_lora(house.fox.with_name("first.safetensors"), metadata=said, seed=3)
    house.starter.write_text(
        listed(FOX, "Paper Fox", "paperfox", first, "Foxes folded of paper."), "utf-8"
    )
    house.put(first)
    house.refresh()
    for title, stays in (("Fox of mine", True), ("Another", False)):
        again = (
            {**said, "modelspec.title": title}
            if stays
            else {"sshs_model_hash": "cd" * 32, "modelspec.title": title}
        )
        house.put(write_lora(first, metadata=again, seed=3))
        house.refresh()
        entry = house.stylus.catalogue.entry("mine")
        assert (entry.card.name, entry.triggers) == (title, ("paperfox",) if stays else ())
        assert (house.stylus.catalogue.entry(str(FOX)) == entry) == stays
        assert AdapterKey.sha256(digests_of(first, Watch()).sha256) in entry.card.equivalents
