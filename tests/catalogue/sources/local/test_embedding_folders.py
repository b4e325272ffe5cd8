"""Folders of embeddings and hypernetworks as card sources."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from stylus_ext.catalogue.sources.local.scan import LoraFolder, digests_of
from stylus_ext.core.adapter_type import EMBEDDING, HYPERNETWORK, LORA, is_negative
from stylus_ext.core.card import AdapterCard
from stylus_ext.core.family import family_of
from stylus_ext.core.ports import Sighting
from tests.embedding_files import EMBEDDINGS, PICKLE, write_embedding, write_pickle
from tests.fakes import Watch
from tests.lora_files import write_lora, write_sidecar


def seen(folder: Path, adapter_type: str = EMBEDDING) -> list[Sighting]:
    return list(LoraFolder([folder], adapter_type).cards({}, Watch()))


def cards(sightings: Sequence[Sighting]) -> dict[str, AdapterCard]:
    return {one.file.stem: one.card for one in sightings if one.file and one.card}


def codes(sightings: Sequence[Sighting]) -> list[str]:
    return [one.note.code for one in sightings if one.note]


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_the_width_of_the_vectors_tells_the_family(tmp_path: Path, name: str) -> None:
    write_embedding(tmp_path / "embeddings" / f"{name}.safetensors", name)
    card = cards(seen(tmp_path / "embeddings"))[name]
    assert (card.type, family_of(card.base_model)) == (EMBEDDING, EMBEDDINGS[name][1])


def test_the_sidecar_tells_a_child_of_the_family_and_the_kind_of_file(tmp_path: Path) -> None:
    path = write_embedding(tmp_path / "helper.safetensors", "sdxl")
    file = {"name": "helper.safetensors", "type": "Negative"}
    write_sidecar(path, ".civitai.info", {"id": 5, "baseModel": "Pony", "files": [file]})
    card = cards(seen(tmp_path))["helper"]
    assert card.negative
    assert family_of(card.base_model) == "pony"


def test_an_embedding_and_a_lora_of_one_name_have_different_keys(tmp_path: Path) -> None:
    write_embedding(tmp_path / "embeddings" / "x.safetensors")
    write_lora(tmp_path / "Lora" / "x.safetensors")
    one = cards(seen(tmp_path / "embeddings"))["x"]
    other = cards(seen(tmp_path / "Lora", LORA))["x"]
    assert one.key != other.key
    assert other.type == LORA


def test_other_files_in_the_folder_are_told(tmp_path: Path) -> None:
    write_lora(tmp_path / "style.safetensors")
    sightings = seen(tmp_path)
    assert not cards(sightings)
    assert codes(sightings) == ["not_an_embedding"]


@pytest.mark.parametrize("name", ["old.pt", "old.bin"])
def test_a_pickle_is_never_opened(tmp_path: Path, name: str) -> None:
    path = write_pickle(tmp_path / name)
    write_sidecar(path, ".civitai.info", {"id": 5, "baseModel": "SD 1.5"})
    path.chmod(0)  # opening it would fail
    sightings = seen(tmp_path)
    card = cards(sightings)["old"]
    assert (card.type, family_of(card.base_model)) == (EMBEDDING, "sd1")
    assert codes(sightings) == ["pickles"]
    known = {one.file.path: one.file for one in sightings if one.file}
    assert known[str(path)].size == len(PICKLE)
    assert not list(LoraFolder([tmp_path], EMBEDDING).cards(known, Watch()))


def test_hashing_a_pickle_reads_its_bytes_alone(tmp_path: Path) -> None:
    path = write_pickle(tmp_path / "old.pt")
    digests = digests_of(path, Watch())
    assert len(digests.sha256) == 64
    assert digests.auto_v3 == ""


def test_hypernetworks_are_known_by_name(tmp_path: Path) -> None:
    write_pickle(tmp_path / "paint.pt")
    write_lora(tmp_path / "style.safetensors")  # which the WebUI does not list there
    found = cards(seen(tmp_path, HYPERNETWORK))
    assert {stem: card.type for stem, card in found.items()} == {"paint": HYPERNETWORK}


@pytest.mark.parametrize(
    "name",
    ["EasyNegative", "badhandv4", "bad-hands-5", "ng_deepnegative_v1_75t", "bad_prompt_version2"]
    + [
        "verybadimagenegative_v1.3",
        "unaestheticXL_v31",
        "FastNegativeV2",
        "negativeXL_D",
        "aid29neg",
    ]
    + ["BadDream", "By bad artist -neg", "UnrealisticDream", "bad-artist-anime", "style-neg"],
)
def test_names_of_negative_embeddings(name: str) -> None:
    assert is_negative(name, (), "")


@pytest.mark.parametrize(
    "name",
    ["badass knight", "Breaking Bad", "negroni style", "statue", "charturnerv2", "neganime"]
    + ["midjourney", "bad boy", "unreal engine", "fastpaint"],
)
def test_names_of_other_embeddings(name: str) -> None:
    assert not is_negative(name, (), "")


@pytest.mark.parametrize(
    ("tags", "text"),
    [
        (("negative embedding",), ""),
        (("Negative_Prompt",), ""),
        ((), "Put it in the negative prompt."),
        ((), "This embedding should be used in your negative prompt"),
        ((), "A negative embedding for better hands"),
    ],
)
def test_tags_and_text_tell_a_negative_embedding(tags: tuple[str, ...], text: str) -> None:
    assert is_negative("helper", tags, text)


@pytest.mark.parametrize(
    "text", ["Large negative space around the subject", "Negative prompt: blurry"]
)
def test_text_about_other_negatives(text: str) -> None:
    assert not is_negative("helper", ("photo negative film",)[:0], text)
