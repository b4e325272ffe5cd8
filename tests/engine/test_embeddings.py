"""Embeddings and hypernetworks from their folders to the prompt, with real files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.adapter_type import EMBEDDING, HYPERNETWORK
from stylus_ext.core.card import AdapterCard, AdapterKey, RemoteFile
from stylus_ext.core.embedding_words import mentions
from stylus_ext.core.entry import Edits
from stylus_ext.core.generation import (
    FolderState,
    GenerationAnswer,
    GenerationRequest,
    Texts,
    answer_from_json,
    request_to_json,
)
from stylus_ext.core.ports import Filter, Sighting
from stylus_ext.core.settings import Settings
from stylus_ext.engine import stylus as stylus_module
from stylus_ext.engine.operations.table import perform
from stylus_ext.engine.stylus import Stylus, open_stylus
from tests.embedding_files import write_embedding, write_pickle
from tests.fakes import BagEmbedder, Watch
from tests.lora_files import write_lora, write_sidecar

LOOSE = {"selection": {"strictness": 0.0, "family": "sd1"}}
ALWAYS = {"selection": {"strictness": 0.0, "family": "sd1", "negative_embedding": "always"}}


@pytest.fixture
def stylus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stylus]:
    monkeypatch.setattr(stylus_module, "embedder_for", lambda encoder, key: BagEmbedder())
    stylus = open_stylus(tmp_path / "data", Settings())
    yield stylus
    stylus.close()


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Any]:
    """A LoRA of castles, an embedding of dragons and two for the negative prompt."""
    lora = write_lora(tmp_path / "loras" / "castle_keep.safetensors", "sd1")
    write_sidecar(lora, ".json", {"description": "An old castle.", "activation text": "castle"})
    place = tmp_path / "embeddings"
    dragon = write_embedding(place / "dragon_ti.safetensors")
    write_sidecar(dragon, ".json", {"description": "An old dragon.", "activation text": "dragon"})
    write_embedding(place / "EasyNegative.safetensors", seed=1)
    write_embedding(place / "negativeXL_D.safetensors", "sdxl", seed=2)
    write_pickle(place / "badhandv4.pt")
    write_pickle(tmp_path / "hypernetworks" / "castle_paint.pt")
    return {
        "lora_dirs": (str(tmp_path / "loras"),),
        "embedding_dirs": (str(place),),
        "hypernetwork_dirs": (str(tmp_path / "hypernetworks"),),
        "stems": ("castle_keep",),
        "embeddings": ("dragon_ti", "EasyNegative", "badhandv4"),
        "hypernetworks": ("castle_paint",),
    }


def ask(stylus: Stylus, *prompts: str, negative: str = "", **more: Any) -> GenerationAnswer:
    count = len(prompts)
    request = GenerationRequest(
        Texts(prompts, (negative,) * count),
        tuple(range(count)),
        **{"settings": LOOSE, "with_plans": True, **more},
    )
    return answer_from_json(
        perform(stylus, "generation", request_to_json(request), Watch()), request
    )


def always(stylus: Stylus, *stems: str) -> None:
    for entry in stylus.catalogue.store.search("", Filter()).entries:
        if entry.stem in stems:
            stylus.catalogue.store.edit(entry.key, Edits(state="always"))


def types(stylus: Stylus) -> dict[str, str]:
    entries = stylus.catalogue.store.search("", Filter()).entries
    return {str(entry.stem): entry.card.type for entry in entries}


def test_the_folders_are_read_by_type(stylus: Stylus, folders: dict[str, Any]) -> None:
    assert ask(stylus, "a moor", **folders).state.folders is FolderState.READ
    assert types(stylus) == {
        "castle_keep": "lora",
        "dragon_ti": EMBEDDING,
        "EasyNegative": EMBEDDING,
        "negativeXL_D": EMBEDDING,
        "badhandv4": EMBEDDING,
        "castle_paint": HYPERNETWORK,
    }
    by_type = stylus.catalogue.store.search("", Filter(type=EMBEDDING))
    assert by_type.total == 4


def test_an_embedding_is_written_as_its_stem(stylus: Stylus, folders: dict[str, Any]) -> None:
    answer = ask(stylus, "a dragon over a moor", **folders)
    assert answer.texts.positive == ("a dragon over a moor, dragon_ti",)
    assert answer.masks[0].on == ("dragon_ti",)
    assert answer.texts.negative == ("",)
    assert [pick.type for pick in answer.plans[0].composition.picks] == [EMBEDDING]


def test_beside_a_lora_it_takes_nothing_from_the_limit_of_weights(
    stylus: Stylus, folders: dict[str, Any]
) -> None:
    settings = {**LOOSE, "weights": {"total_cap": 0.8}}
    answer = ask(stylus, "a dragon, a castle", settings=settings, **folders)
    assert answer.texts.positive == ("a dragon, a castle, dragon_ti <lora:castle_keep:0.8>",)


def test_a_weight_is_attention(stylus: Stylus, folders: dict[str, Any]) -> None:
    ask(stylus, "a moor", **folders)
    stylus.catalogue.store.edit(stylus.catalogue.entry("dragon_ti").key, Edits(weight=1.2))
    answer = ask(stylus, "a dragon over a moor", **folders)
    assert answer.texts.positive == ("a dragon over a moor, (dragon_ti:1.2)",)


def test_only_what_the_host_has_loaded_is_picked(stylus: Stylus, folders: dict[str, Any]) -> None:
    for loaded in (("EasyNegative",), (), None):
        answer = ask(stylus, "a dragon over a moor", **{**folders, "embeddings": loaded})
        assert answer.texts.positive == ("a dragon over a moor",)


def test_what_the_user_wrote_is_not_written_again(stylus: Stylus, folders: dict[str, Any]) -> None:
    for prompt in ("a dragon, dragon_ti", "a dragon, (DRAGON_TI:0.7)"):
        assert ask(stylus, prompt, **folders).texts.positive == (prompt,)


def test_of_another_family_it_is_not_picked(stylus: Stylus, folders: dict[str, Any]) -> None:
    settings = {"selection": {"strictness": 0.0, "family": "sdxl"}}
    answer = ask(stylus, "a dragon over a moor", settings=settings, **folders)
    assert answer.texts.positive == ("a dragon over a moor",)


@pytest.mark.parametrize("settings", [LOOSE, ALWAYS])
def test_negative_ones_are_never_found_by_similarity(
    stylus: Stylus, folders: dict[str, Any], settings: dict[str, Any]
) -> None:
    answer = ask(stylus, "EasyNegativ, a bad hand v4, negative", settings=settings, **folders)
    assert answer.plans[0].composition.picks == ()
    assert answer.texts.negative == ("",)


def test_off_by_default_it_stays_out(stylus: Stylus, folders: dict[str, Any]) -> None:
    ask(stylus, "a moor", **folders)
    always(stylus, "EasyNegative")
    answer = ask(stylus, "a moor", negative="blurry", **folders)
    assert answer.texts == Texts(("a moor",), ("blurry",))


def test_one_that_is_always_wanted_goes_into_the_negative_prompt_alone(
    stylus: Stylus, folders: dict[str, Any]
) -> None:
    ask(stylus, "a moor", **folders)
    always(stylus, "EasyNegative", "badhandv4", "negativeXL_D")
    answer = ask(stylus, "a dragon", "a moor", negative="blurry", settings=ALWAYS, **folders)
    assert answer.texts.positive == ("a dragon, dragon_ti", "a moor")
    assert answer.texts.negative == ("blurry, EasyNegative",) * 2
    assert [mask.on[-1] for mask in answer.masks] == ["EasyNegative"] * 2


@pytest.mark.parametrize(
    "negative",
    [
        "EasyNegative, blurry",
        "(easynegative:0.8)",
        "badhandv4",
        "ng_deepnegative_v1_75t",
        "dragon_ti",
    ],
)
def test_the_users_own_is_never_joined_by_a_second(
    stylus: Stylus, folders: dict[str, Any], negative: str
) -> None:
    ask(stylus, "a moor", **folders)
    always(stylus, "EasyNegative", "badhandv4")
    answer = ask(stylus, "a moor", negative=negative, settings=ALWAYS, **folders)
    assert answer.texts.negative == (negative,)


def test_one_of_unknown_family_needs_a_host_that_has_loaded_it(
    stylus: Stylus, folders: dict[str, Any]
) -> None:
    ask(stylus, "a moor", **folders)
    always(stylus, "badhandv4")
    answer = ask(stylus, "a moor", settings=ALWAYS, **folders)
    assert answer.texts.negative == ("badhandv4",)
    answer = ask(stylus, "a moor", settings=ALWAYS, **{**folders, "embeddings": ("dragon_ti",)})
    assert answer.texts.negative == ("",)


def test_it_can_be_taken_out_of_a_plan_and_weighted(
    stylus: Stylus, folders: dict[str, Any]
) -> None:
    ask(stylus, "a moor", **folders)
    always(stylus, "EasyNegative")
    key = str(stylus.catalogue.entry("EasyNegative").key)
    for corrections, expected in (
        ({"reject": [key]}, ""),
        ({"keep": [{"key": key, "weight": 0.8}]}, "(EasyNegative:0.8)"),
        ({"only": True}, ""),
        ({"keep": [{"key": key}], "only": True}, "EasyNegative"),
    ):
        answer = ask(stylus, "a moor", settings=ALWAYS, corrections=corrections, **folders)
        assert answer.texts == Texts(("a moor",), (expected,))


def test_the_picture_to_compare_with_has_none(stylus: Stylus, folders: dict[str, Any]) -> None:
    ask(stylus, "a moor", **folders)
    always(stylus, "EasyNegative")
    answer = ask(stylus, "a dragon", settings=ALWAYS, compare=True, **folders)
    assert answer.texts.positive == ("a dragon, dragon_ti", "a dragon")
    assert answer.texts.negative == ("EasyNegative", "")


def test_a_hypernetwork_is_used_only_if_always(stylus: Stylus, folders: dict[str, Any]) -> None:
    assert "hypernet" not in ask(stylus, "a castle, castle paint", **folders).texts.positive[0]
    always(stylus, "castle_paint")
    answer = ask(stylus, "a moor", **folders)
    assert answer.texts.positive == ("a moor <hypernet:castle_paint:1>",)
    without = {**folders, "hypernetworks": ()}
    assert ask(stylus, "a moor", **without).texts.positive == ("a moor",)


def test_where_the_prompt_has_no_place_nothing_is_picked(
    stylus: Stylus, folders: dict[str, Any]
) -> None:
    answer = ask(stylus, "(a dragon over a moor", **folders)
    assert answer.texts.positive == ("(a dragon over a moor",)
    assert answer.masks[0].on == ()


def test_a_missing_one_is_offered_as_a_file(stylus: Stylus, folders: dict[str, Any]) -> None:
    card = AdapterCard(
        AdapterKey.civitai(9),
        "griffinart",
        "civitai",
        base_model="SD 1.5",
        triggers=("griffinart",),
        text="A griffinart beast.",
        images=9,
        remote=RemoteFile("griffin_ti.safetensors", 5000, "ab" * 32),
        type=EMBEDDING,
    )
    ask(stylus, "a moor", **folders)
    stylus.catalogue.refresh.take([Sighting(card=card)])
    stylus.catalogue.update_vectors(Watch())
    made = perform(
        stylus,
        "plan",
        {"prompt": "a griffinart beast", "settings": LOOSE, "reach": "catalogue"},
        Watch(),
    )["plan"]
    assert made["prompts"] == ["a griffinart beast, griffin_ti"]
    assert [file["file"] for file in made["missing"]] == ["griffin_ti.safetensors"]


def test_words_are_found_whole() -> None:
    assert mentions("a, (Easy:1.1)", "easy")
    assert not mentions("uneasy, easy-going, <lora:easy:1>", "easy")


def test_a_description_gives_its_embeddings_to_empty_prompts(
    stylus: Stylus, folders: dict[str, Any]
) -> None:
    answer = ask(stylus, "", description="a dragon over a moor", **folders)
    assert answer.texts.positive == ("dragon_ti",)
