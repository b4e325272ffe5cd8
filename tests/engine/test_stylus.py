"""The catalogue and plans over one data folder, with the real store, index and encoder."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import VIEWS, Edits
from stylus_ext.core.errors import Cancelled, InvalidInput, StoreProblem
from stylus_ext.core.plan import Plan
from stylus_ext.core.ports import Filter
from stylus_ext.core.settings import Settings
from stylus_ext.engine import catalogue as catalogue_module
from stylus_ext.engine import stylus as stylus_module
from stylus_ext.engine.stylus import Stylus, open_stylus
from stylus_ext.selection.plan import PlanRequest
from tests.fakes import Watch
from tests.lora_files import write_lora, write_sidecar
from tests.real_model import real_embedder

FACTS = {
    "model_id": 7,
    "version_id": 70,
    "name": "Paper Fox",
    "version": "v2",
    "base_model": "SD 1.5",
    "file": "paper_fox.safetensors",
    "size_kb": 100.25,
    "sha256": "ab" * 32,
    "triggers": ["paperfox"],
    "tags": ["fox", "paper"],
    "kind": "animal",
    "weight": 0.75,
    "description": "Foxes folded of paper.",
}


@pytest.fixture
def starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A starter catalogue of two, and the encoder that is loaded already."""
    path = tmp_path / "starter.jsonl"
    owl = {
        **FACTS,
        "model_id": 8,
        "version_id": 80,
        "name": "Glass Owl",
        "file": "glass_owl.safetensors",
        "sha256": "cd" * 32,
        "triggers": ["glassowl"],
        "tags": ["owl"],
        "description": "Owls blown of glass.",
    }
    path.write_text(json.dumps(FACTS) + "\n" + json.dumps(owl) + "\n", "utf-8")
    monkeypatch.setattr(catalogue_module, "STARTER", path)
    monkeypatch.setattr(stylus_module, "embedder_for", lambda settings, key: real_embedder())
    return path


@pytest.fixture
def stylus(starter: Path, tmp_path: Path) -> Iterator[Stylus]:
    opened = open_stylus(tmp_path / "data", Settings())
    yield opened
    opened.close()


def names(stylus: Stylus) -> set[str]:
    return {entry.card.name for entry in stylus.catalogue.store.search("", Filter()).entries}


def test_preparing_loads_and_embeds_once(stylus: Stylus) -> None:
    stylus.catalogue.prepare(Watch())
    assert names(stylus) == {"Paper Fox", "Glass Owl"}
    assert all(len(stylus.catalogue.index.fingerprints(view)) == 2 for view in VIEWS)
    revision = stylus.catalogue.store.revision
    watch = Watch()
    stylus.catalogue.prepare(watch)
    assert (stylus.catalogue.store.revision, watch.seen) == (revision, [])


def test_a_new_starter_catalogue_is_loaded_and_edits_stay(stylus: Stylus, starter: Path) -> None:
    stylus.catalogue.prepare(Watch())
    stylus.catalogue.store.edit(AdapterKey.civitai(70), Edits(weight=0.3))
    starter.write_text(
        json.dumps({**FACTS, "description": "Foxes and wolves folded of paper."}) + "\n", "utf-8"
    )
    stylus.catalogue.prepare(Watch())
    entry = stylus.catalogue.entry("civitai:70")
    assert "wolves" in entry.text
    assert entry.weight == 0.3


def test_a_cancelled_load_is_completed_the_next_time(stylus: Stylus) -> None:
    with pytest.raises(Cancelled):
        stylus.catalogue.load_starter(Watch(patience=0))
    stylus.catalogue.load_starter(Watch())
    assert names(stylus) == {"Paper Fox", "Glass Owl"}


def test_a_missing_starter_catalogue_is_named(stylus: Stylus, starter: Path) -> None:
    starter.unlink()
    with pytest.raises(StoreProblem, match=r"starter\.jsonl"):
        stylus.catalogue.load_starter(Watch())


def test_what_is_planned_from_the_starter_is_listed_as_missing(stylus: Stylus) -> None:
    stylus.catalogue.prepare(Watch())
    plan = stylus.planner.plan(PlanRequest("a fox folded of paper, paperfox, forest, moss"))
    assert [item.file for item in plan.missing] == ["paper_fox.safetensors"]
    assert plan.missing[0].size == 102_656
    assert plan.prompts[0].endswith("<lora:paper_fox:0.75>")


def test_an_indexed_folder_has_available_files(stylus: Stylus, tmp_path: Path) -> None:
    loras = tmp_path / "loras"
    lora = write_lora(loras / "anime" / "moss_golem.safetensors")
    write_sidecar(
        lora,
        ".json",
        {
            "activation text": "mossgolem",
            "preferred weight": 0.65,
            "description": "Golems of moss and stone.",
        },
    )
    write_lora(tmp_path / "other" / "red_kite.safetensors", seed=5)
    assert stylus.catalogue.index_folders([str(loras)], Watch()).written == 1
    assert stylus.catalogue.index_folders([str(loras)], Watch()).written == 0
    stylus.catalogue.index_folders([str(tmp_path / "other")], Watch())
    assert set(stylus.catalogue.available([]).values()) == {"moss_golem", "red_kite"}
    assert set(stylus.catalogue.available([str(loras)]).values()) == {"moss_golem"}
    plan = stylus.planner.plan(
        PlanRequest(
            "mossgolem, bridge, river, fog", on_disk=stylus.catalogue.available([str(loras)])
        )
    )
    assert plan.prompts == ("mossgolem, bridge, river, fog <lora:moss_golem:0.65>",)
    assert plan.missing == ()


def test_an_entry_is_found_by_key_alias_and_stem(stylus: Stylus, tmp_path: Path) -> None:
    stylus.catalogue.load_starter(Watch())
    write_lora(tmp_path / "loras" / "moss_golem.safetensors")
    stylus.catalogue.index_folders([str(tmp_path / "loras")], Watch())
    assert stylus.catalogue.entry("civitai:70").card.name == "Paper Fox"
    assert stylus.catalogue.entry("sha256:" + "AB" * 32).key == AdapterKey.civitai(70)
    assert stylus.catalogue.entry("moss_golem").stem == "moss_golem"
    for unknown in ("civitai:1", "nobody", "sha256:zz", ""):
        with pytest.raises(InvalidInput):
            stylus.catalogue.entry(unknown)


def test_a_file_is_found_by_the_name_in_its_metadata(stylus: Stylus, tmp_path: Path) -> None:
    loras = tmp_path / "loras"
    for seed, (stem, alias, word) in enumerate(
        (
            ("moss_golem_v2", "mossy one", "mossgolem"),
            ("x1", "twice", "redkite"),
            ("x2", "twice", "bluekite"),
        )
    ):
        lora = write_lora(
            loras / f"{stem}.safetensors", metadata={"ss_output_name": alias}, seed=seed
        )
        write_sidecar(
            lora, ".json", {"activation text": word, "description": f"Pictures of {word}."}
        )
    stylus.catalogue.index_folders([str(loras)], Watch())
    assert stylus.catalogue.entry("mossy one").stem == "moss_golem_v2"
    reach = stylus.catalogue.available([str(loras)])

    def planned(prompt: str) -> Plan:
        return stylus.planner.plan(PlanRequest(prompt, on_disk=reach))

    assert planned("mossgolem, bridge, river, fog").prompts[0].endswith(" <lora:moss_golem_v2:0.8>")
    plan = planned("mossgolem, bridge, river, fog <lora:mossy one:0.5>")
    assert plan.prompts == (plan.prompt,)
    assert [task.taken_by for task in plan.composition.tasks if task.text == "mossgolem"] == [
        "mossy one"
    ]
    # Two files have this alias, so the host finds neither.
    assert [
        pick.name
        for pick in planned("redkite, bridge, river, fog <lora:twice:0.5>").composition.picks
    ] == ["x1"]


def test_hashing_merges_a_file_with_the_starter_and_keeps_edits(
    stylus: Stylus, starter: Path, tmp_path: Path
) -> None:
    from stylus_ext.catalogue.sources.local.scan import digests_of

    file = write_lora(tmp_path / "loras" / "renamed_by_me.safetensors")
    starter.write_text(
        json.dumps({**FACTS, "sha256": digests_of(file, Watch()).sha256}) + "\n", "utf-8"
    )
    stylus.catalogue.prepare(Watch())
    stylus.catalogue.store.edit(AdapterKey.civitai(70), Edits(state="always"))
    stylus.catalogue.index_folders([str(tmp_path / "loras")], Watch())
    assert len(names(stylus)) == 2
    assert stylus.catalogue.hash_files(Watch()) == 1
    stylus.catalogue.embed(Watch())
    entry = stylus.catalogue.entry("civitai:70")
    assert (entry.stem, entry.edits.state, entry.card.remote is not None) == (
        "renamed_by_me",
        "always",
        True,
    )
    assert stylus.catalogue.entry("renamed_by_me") == entry
    assert stylus.catalogue.store.search("", Filter()).total == 1
    assert set(stylus.catalogue.index.fingerprints("card")) == {entry.key}


def test_pictures_teach_the_trigger_words_of_a_bare_file(stylus: Stylus, tmp_path: Path) -> None:
    write_lora(tmp_path / "loras" / "x01.safetensors")
    stylus.catalogue.index_folders([str(tmp_path / "loras")], Watch())
    album = tmp_path / "album"
    album.mkdir()
    for number in range(4):
        for name, prompt in (
            ("with", f"mossgolem, {'bridge tower meadow shore'.split()[number]} <lora:x01:0.55>"),
            ("without", f"a street, rain {number}"),
        ):
            info = PngImagePlugin.PngInfo()
            info.add_text(
                "parameters",
                f"{prompt}\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, Seed: {number},"
                " Size: 8x8",
            )
            Image.new("RGB", (8, 8)).save(album / f"{name}{number}.png", pnginfo=info)
    assert stylus.catalogue.learn([str(album)], Watch()).written == 1
    stylus.catalogue.embed(Watch())
    entry = stylus.catalogue.entry("x01")
    assert (entry.weight, entry.triggers[0]) == (0.55, "mossgolem")
    assert [
        pick.name
        for pick in stylus.planner.plan(
            PlanRequest("mossgolem, castle, night, moon")
        ).composition.picks
    ] == ["x01"]


def test_learning_from_pictures_removes_no_pick(stylus: Stylus, tmp_path: Path) -> None:
    """A word that stands in many of the user's pictures is common from then on, and still calls the
    LoRA that he used with it.
    """
    loras, album, prompt = (
        tmp_path / "loras",
        tmp_path / "album",
        "a corgi in the city, watercolor style",
    )
    for seed, (stem, *tags) in enumerate(
        [
            ("corgi_dog", "corgi", "grass"),
            ("watercolor_style", "watercolor", "painting"),
            ("vintage_car", "vintage car"),
        ]
    ):
        counts = json.dumps({f"10_{stem}": {tag: 20 - place for place, tag in enumerate(tags)}})
        write_lora(
            loras / f"{stem}.safetensors",
            "sd1",
            {"ss_output_name": stem, "ss_tag_frequency": counts},
            seed=seed,
        )
    stylus.catalogue.prepare(Watch())
    stylus.catalogue.index_folders([str(loras)], Watch())
    before = stylus.planner.plan(PlanRequest(prompt, on_disk=stylus.catalogue.available([])))
    assert {tag.stem for tag in before.tags} == {"corgi_dog", "watercolor_style"}
    album.mkdir()
    for number, text in enumerate(
        [
            before.prompts[0],
            "a knight, corgi, watercolor <lora:corgi_dog:0.75> <lora:vintage_car:0.3>",
            "a watercolor castle <lora:vintage_car:1>",
        ]
    ):
        info = PngImagePlugin.PngInfo()
        info.add_text(
            "parameters",
            f"{text}\nSteps: 2, Sampler: Euler, CFG scale: 7, Seed: {number}, Size: 64x64",
        )
        Image.new("RGB", (8, 8)).save(album / f"{number}.png", pnginfo=info)
    assert stylus.catalogue.learn([str(album)], Watch()).written == 3
    after = stylus.planner.plan(PlanRequest(prompt, on_disk=stylus.catalogue.available([])))
    assert {tag.stem for tag in after.tags} == {"corgi_dog", "watercolor_style"}


def test_a_missing_folder_is_an_error(stylus: Stylus, tmp_path: Path) -> None:
    for ask in (
        stylus.catalogue.available,
        lambda folders: stylus.catalogue.index_folders(folders, Watch()),
        lambda folders: stylus.catalogue.learn(folders, Watch()),
    ):
        with pytest.raises(InvalidInput):
            ask([str(tmp_path / "nowhere")])


def test_notes_are_new_once_and_reopening_does_nothing(stylus: Stylus, tmp_path: Path) -> None:
    stylus.catalogue.prepare(Watch())
    stylus.catalogue.new_notes()
    assert stylus.catalogue.new_notes() == []
    stylus.close()
    again = open_stylus(tmp_path / "data", Settings())
    try:
        watch = Watch()
        again.catalogue.prepare(watch)
        assert watch.seen == []
        assert names(again) == {"Paper Fox", "Glass Owl"}
    finally:
        again.close()


def test_warming_uses_a_local_encoder_only(stylus: Stylus) -> None:
    stylus.catalogue.prepare(Watch())
    before = (
        len(list((stylus.folder / "lexical").glob("*")))
        if (stylus.folder / "lexical").exists()
        else 0
    )
    stylus.warm()
    assert gc.get_freeze_count() > 0, "what is loaded by now stays"
    assert before == 0
    assert len(list((stylus.folder / "lexical").iterdir())) == 1
