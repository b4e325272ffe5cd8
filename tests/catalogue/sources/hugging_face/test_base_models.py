"""Base models as authors write them, and their families."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.sources.hugging_face.cards import base_model_of
from stylus_ext.core.family import family_of


@pytest.mark.parametrize(
    ("stated", "family"),
    [
        ("stabilityai/stable-diffusion-xl-base-1.0", "sdxl"),
        ("runwayml/stable-diffusion-v1-5", "sd1"),
        ("stable-diffusion-v1-5/stable-diffusion-v1-5", "sd1"),
        ("CompVis/stable-diffusion-v1-4", "sd1"),
        ("stabilityai/stable-diffusion-2-1-base", "sd2"),
        ("stabilityai/stable-diffusion-2-1", "sd2"),
        ("stabilityai/stable-diffusion-3-medium-diffusers", "sd3"),
        ("stabilityai/stable-diffusion-3.5-large", "sd3"),
        ("stabilityai/stable-diffusion-3.5-medium", "sd3.5-medium"),
        ("black-forest-labs/FLUX.1-dev", "flux1"),
        ("black-forest-labs/FLUX.1-schnell", "flux1"),
        ("black-forest-labs/FLUX.1-Kontext-dev", "flux1-kontext"),
        ("black-forest-labs/FLUX.1-Krea-dev", "flux1-krea"),
        ("black-forest-labs/FLUX.2-dev", "flux2"),
        ("black-forest-labs/FLUX.2-klein-9B", "flux2-klein-9b"),
        ("OnomaAIResearch/Illustrious-xl-early-release-v0", "illustrious"),
        ("Laxhar/noobai-XL-1.1", "noobai"),
        ("AstraliteHeart/pony-diffusion-v6-xl", "pony"),
        ("AstraliteHeart/pony-diffusion-v7", "pony-v7"),
        ("purplesmartai/pony-v7-base", "pony-v7"),
        ("cagliostrolab/animagine-xl-3.1", "sdxl"),
        ("RunDiffusion/Juggernaut-XL-v9", "sdxl"),
        ("SG161222/RealVisXL_V4.0", "sdxl"),
        ("SG161222/Realistic_Vision_V5.1_noVAE", "sd1"),
        ("Lykon/dreamshaper-8", "sd1"),
        ("stabilityai/sdxl-turbo", "sdxl"),
        ("Qwen/Qwen-Image", "qwen"),
        ("Qwen/Qwen-Image-Edit-2509", "qwen"),
        ("Tongyi-MAI/Z-Image-Turbo", "z-image-turbo"),
        ("HiDream-ai/HiDream-I1-Full", "hidream"),
        ("Kwai-Kolors/Kolors-diffusers", "kolors"),
        ("lodestones/Chroma1-HD", "chroma"),
        ("fal/AuraFlow", "auraflow"),
    ],
)
def test_a_name_tells_its_family(stated: str, family: str) -> None:
    assert family_of(base_model_of({"base_model": stated}, ())) == family
    assert family_of(base_model_of({}, ["lora", f"base_model:adapter:{stated}"])) == family
    assert (
        family_of(base_model_of({"base_model": ["somebody/nothing-known", stated]}, ())) == family
    )


@pytest.mark.parametrize(
    ("tags", "family"),
    [
        (["stable-diffusion", "stable-diffusion-xl", "lora"], "sdxl"),
        (["lora", "flux"], "flux1"),
        (["stable-diffusion"], "sd1"),
        (["sdxl-lora"], "sdxl"),
        (["illustrious", "sdxl"], "illustrious"),
        (["pony", "sdxl", "stable-diffusion"], "pony"),
        (["sd1.5"], "sd1"),
        (["flux-kontext", "flux"], "flux1-kontext"),
        (["license:openrail", "dataset:sdxl-pictures", "lora"], "unknown"),
        ([], "unknown"),
    ],
)
def test_tags_name_the_base_model_if_nothing_else_does(tags: list[str], family: str) -> None:
    assert family_of(base_model_of({}, tags)) == family


def test_a_known_base_model_wins_over_tags_and_an_unknown_one_stays() -> None:
    assert (
        family_of(base_model_of({"base_model": "black-forest-labs/FLUX.1-dev"}, ["sdxl"]))
        == "flux1"
    )
    assert (
        family_of(base_model_of({"base_model": "me/brand-new-model"}, ["stable-diffusion-xl"]))
        == "sdxl"
    )
    assert base_model_of({"base_model": "me/brand-new-model"}, ["lora"]) == "brand-new-model"


@given(
    st.recursive(
        st.none() | st.booleans() | st.text() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.lists(st.text()),
)
def test_anything_gives_a_name_or_none(said: object, tags: list[str]) -> None:
    assert isinstance(base_model_of({"base_model": said}, tags), str)
