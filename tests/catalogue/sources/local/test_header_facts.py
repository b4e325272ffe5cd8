from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.sources.local.facts import (
    StatedFacts,
    folder_facts,
    header_facts,
    training_facts,
)
from stylus_ext.catalogue.sources.local.header import Header
from tests.lora_files import LORAS


def header(family: str = "sd1", **metadata: str) -> Header:
    return Header(
        {name.replace("__", "."): value for name, value in metadata.items()}, LORAS[family], 100
    )


def test_facts_in_the_header() -> None:
    facts = header_facts(
        header(
            modelspec__title="Rainy Alley",
            modelspec__description="Wet streets at night.",
            modelspec__usage_hint="Use at 0.7.",
            modelspec__trigger_phrase="rainalley, neon",
            modelspec__tags="style, night",
            modelspec__author="someone",
            modelspec__license="MIT",
            modelspec__architecture="stable-diffusion-v1/lora",
            modelspec__hash_sha256="0x" + "ab" * 32,
            ss_output_name="Rainy Alley v1",
            sshs_model_hash="CDEF" * 16,
            sshs_legacy_hash="cdefcdef",
        )
    )
    assert facts == StatedFacts(
        name="Rainy Alley",
        base_model="sd1",
        tags=("style", "night"),
        triggers=("rainalley, neon",),
        text="Wet streets at night.\nUse at 0.7.",
        creator="someone",
        licence="MIT",
        alias="Rainy Alley v1",
        auto_v3="cdefcdefcdef",
    )


def test_a_title_that_a_program_made_up_is_none() -> None:
    assert header_facts(header(modelspec__title="LoRA@1690000000")).name == ""


@pytest.mark.parametrize(
    ("family", "metadata", "base_model"),
    [
        ("sd1", {}, "sd1"),
        ("flux1", {}, "flux1"),
        ("flux1", {"modelspec__architecture": "flux-1-dev/lora"}, "flux1"),
        ("sd1", {"ss_base_model_version": "sdxl_base_v1-0"}, "sdxl"),
        (
            "sd1",
            {
                "modelspec__architecture": "stable-diffusion-v2-768-v/lora",
                "ss_base_model_version": "sd_v1",
            },
            "sd2",
        ),
        ("sd2", {"ss_v2": "True"}, "sd2"),
        ("sdxl", {"ss_v2": "False"}, "sdxl"),
        ("sdxl", {"ss_sd_model_name": "ponyDiffusionV6XL.safetensors"}, "pony"),
        (
            "sdxl",
            {
                "ss_base_model_version": "sdxl_base_v1-0",
                "ss_sd_model_name": "Illustrious-XL-v0.1.safetensors",
            },
            "illustrious",
        ),
        ("sdxl", {"ss_sd_model_name": "noobaiXLNAIXL_epsilonPred11.safetensors"}, "noobai"),
        ("sd1", {"ss_sd_model_name": "mylittlepony.safetensors"}, "sd1"),
        ("sdxl", {"modelspec__architecture": "omi/lora"}, "sdxl"),
    ],
)
def test_the_base_model(family: str, metadata: dict[str, str], base_model: str) -> None:
    assert header_facts(header(family, **metadata)).base_model == base_model


def test_an_unknown_architecture_is_kept_if_the_tensors_say_nothing() -> None:
    facts = header_facts(
        Header({"modelspec.architecture": "nebula-9/lora"}, {"x.lora_up.weight": (1, 1)}, 10)
    )
    assert facts.base_model == "nebula-9/lora"


def frequencies(counts: object, folders: object = None) -> dict[str, str]:
    said = {"ss_tag_frequency": json.dumps(counts)}
    return said if folders is None else {**said, "ss_dataset_dirs": json.dumps(folders)}


def test_tags_that_nearly_every_picture_has_are_guessed_to_be_triggers() -> None:
    counts = {"10_nami": {"1girl": 40, "nami": 40, "orange hair": 38, "smile": 12, "beach": 9}}
    facts = training_facts(frequencies(counts, {"10_nami": {"n_repeats": 10, "img_count": 40}}))
    assert facts.triggers == ("nami, orange hair",)
    assert facts.tags == ("nami", "1girl", "orange hair", "smile", "beach")


def test_without_the_number_of_pictures_only_the_top_tag_counts() -> None:
    assert training_facts(frequencies({"10_x": {"nami": 40, "orange hair": 38}})).triggers == (
        "nami",
    )
    assert training_facts(frequencies({"10_x": {"1girl": 40, "nami": 38}})).triggers == ()


def test_each_folder_of_pictures_has_its_own_triggers() -> None:
    counts = {"5_nami": {"nami": 10}, "5_robin": {"robin": 9}}
    assert training_facts(frequencies(counts)).triggers == ("nami", "robin")


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"ss_tag_frequency": ""},
        {"ss_tag_frequency": "{"},
        {"ss_tag_frequency": "[" * 50_000},
        frequencies([1]),
        frequencies({"x": None, "y": {"a": "many", "": 3, "b": -1, "c": None}}),
    ],
)
def test_broken_frequencies_state_nothing(metadata: dict[str, str]) -> None:
    assert training_facts(metadata) == StatedFacts()


COUNTS = st.dictionaries(
    st.text(max_size=6), st.integers() | st.floats() | st.text(max_size=3) | st.none(), max_size=5
)


@given(
    st.dictionaries(st.text(max_size=6), COUNTS, max_size=3),
    st.dictionaries(st.text(max_size=6), COUNTS, max_size=3),
)
def test_any_frequencies_give_clean_words(counts: object, folders: object) -> None:
    facts = training_facts(frequencies(counts, folders))
    assert len(facts.tags) <= 20
    assert all(word.strip() and "\0" not in word for word in (*facts.tags, *facts.triggers))


@pytest.mark.parametrize(
    ("folders", "facts"),
    [
        ((), StatedFacts()),
        (("styles",), StatedFacts(tags=("styles",))),
        (("Pony", "characters"), StatedFacts(base_model="Pony", tags=("characters",))),
        (("SDXL", "Illustrious"), StatedFacts(base_model="Illustrious")),
    ],
)
def test_the_folders_that_the_user_made(folders: tuple[str, ...], facts: StatedFacts) -> None:
    assert folder_facts(folders) == facts
