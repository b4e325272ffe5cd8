from __future__ import annotations

import json

import pytest

from stylus_ext.catalogue.sources.local.facts import StatedFacts
from stylus_ext.catalogue.sources.local.header import BadLoraFile, Header
from stylus_ext.catalogue.sources.local.listing import Found
from stylus_ext.catalogue.sources.local.scan import card_of
from stylus_ext.core.card import AdapterCard, AdapterKey
from stylus_ext.core.family import family_of
from tests.lora_files import LORAS, NOT_LORAS

SHA, OTHER_SHA = "ab" * 32, "cd" * 32
TRAINED = {"ss_tag_frequency": json.dumps({"10_nami": {"nami": 9}})}


def found(relative: str = "x.safetensors") -> Found:
    stem = relative.rpartition("/")[2].removesuffix(".safetensors")
    return Found("/models/Lora/" + relative, relative, stem, 100, 5, 5, (), "/models/Lora/x.png")


def card(
    *stated: StatedFacts,
    relative: str = "x.safetensors",
    sha256: str | None = None,
    **metadata: str,
) -> AdapterCard:
    return card_of(found(relative), Header(metadata, LORAS["sdxl"], 100), stated, sha256)


def test_a_bare_file_has_a_provisional_key_its_name_and_its_family() -> None:
    bare = card()
    assert bare.key == AdapterKey.path("x.safetensors")
    assert bare.equivalents == ()
    assert (bare.name, bare.source, bare.preview, bare.weak) == (
        "x",
        "local",
        "/models/Lora/x.png",
        False,
    )
    assert family_of(bare.base_model) == "sdxl"


def test_the_best_known_key_comes_first_and_the_others_are_kept() -> None:
    both = card(StatedFacts(version_id=7, sha256=SHA), relative="sub/x.safetensors")
    assert both.key == AdapterKey.civitai(7)
    assert both.equivalents == (AdapterKey.sha256(SHA), AdapterKey.path("sub/x.safetensors"))
    hashed = card(StatedFacts(sha256=SHA))
    assert hashed.key == AdapterKey.sha256(SHA)
    assert hashed.equivalents == (AdapterKey.path("x.safetensors"),)


def test_a_computed_hash_counts_more_than_a_stated_one() -> None:
    assert card(StatedFacts(sha256=SHA), sha256=OTHER_SHA).key == AdapterKey.sha256(OTHER_SHA)


def test_the_hash_in_modelspec_is_not_the_files() -> None:
    assert card(**{"modelspec.hash_sha256": "0x" + SHA}).key.scheme == "path"


def test_sidecars_count_more_than_the_header_and_that_more_than_the_name() -> None:
    full = card(
        StatedFacts(text="mine", base_model="SDXL 1.0"),
        **{"modelspec.title": "Rain", "modelspec.description": "theirs"},
    )
    assert (full.name, full.text, full.base_model) == ("Rain", "mine", "SDXL 1.0")


def test_training_tags_are_the_last_resort_and_marked_as_weak() -> None:
    weak = card(relative="characters/x.safetensors", **TRAINED)
    assert weak.weak
    assert (weak.triggers, weak.tags) == (("nami",), ("characters", "nami"))
    for better in (
        StatedFacts(text="a sailor"),
        StatedFacts(triggers=("robin",)),
        StatedFacts(tags=("character",)),
    ):
        strong = card(better, **TRAINED)
        assert not strong.weak
        assert "nami" not in (*strong.triggers, *strong.tags)


def test_the_users_folders_say_the_child_of_sdxl_and_the_subject() -> None:
    sorted_into = card(relative="Pony/styles/x.safetensors")
    assert (family_of(sorted_into.base_model), sorted_into.tags) == ("pony", ("styles",))
    assert family_of(card(relative="SD 1.5/x.safetensors").base_model) == "sdxl"


@pytest.mark.parametrize("kind", NOT_LORAS)
def test_other_files_have_no_card(kind: str) -> None:
    with pytest.raises(BadLoraFile) as problem:
        card_of(found(), Header({}, NOT_LORAS[kind], 100), ())
    assert problem.value.code == "not_a_lora"


@pytest.mark.parametrize(
    ("stated", "triggers"),
    [
        ((), ("sks",)),
        (("fox, tail", "den"), ("sks, fox, tail", "den")),
        (("fox, sks",), ("fox, sks",)),
    ],
)
def test_the_word_of_an_embedding_inside_is_a_trigger(
    stated: tuple[str, ...], triggers: tuple[str, ...]
) -> None:
    shapes = {**LORAS["sd1"], "bundle_emb.sks.string_to_param.*": (4, 768)}
    made = card_of(found(), Header({}, shapes, 100), [StatedFacts(triggers=stated)])
    assert made.triggers == triggers


def test_the_alias_is_read_from_the_file() -> None:
    named = card(
        StatedFacts(auto_v3="0123456789ab"), ss_output_name="rain alley", sshs_model_hash="CD" * 32
    )
    assert (named.name, named.alias, named.auto_v3) == ("x", "rain alley", "cd" * 6)
    assert card(StatedFacts(auto_v3="0123456789ab")).auto_v3 == "0123456789ab"
    assert (card().alias, card().auto_v3) == ("", "")
