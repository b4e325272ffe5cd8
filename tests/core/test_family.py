from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.family import (
    ANY,
    UNKNOWN,
    Compatibility,
    compatibility,
    display_name,
    ecosystem,
    family_of,
    is_partial,
    known_families,
    listed_family,
    parse_family,
    partly,
)

CIVITAI = {
    "sd1": ["SD 1.4", "SD 1.5", "SD 1.5 LCM", "SD 1.5 Hyper"],
    "sd2": ["SD 2.0", "SD 2.0 768", "SD 2.1", "SD 2.1 768", "SD 2.1 Unclip"],
    "sd3": ["SD 3", "SD 3.5", "SD 3.5 Large", "SD 3.5 Large Turbo"],
    "sd3.5-medium": ["SD 3.5 Medium"],
    "sdxl": ["SDXL 0.9", "SDXL 1.0", "SDXL 1.0 LCM", "SDXL Lightning", "SDXL Hyper", "SDXL Turbo"],
    "sdxl-distilled": ["SDXL Distilled"],
    "pony": ["Pony"],
    "illustrious": ["Illustrious"],
    "noobai": ["NoobAI"],
    "pony-v7": ["Pony V7"],
    "auraflow": ["AuraFlow"],
    "flux1": ["Flux.1 S", "Flux.1 D"],
    "flux1-krea": ["Flux.1 Krea"],
    "flux1-kontext": ["Flux.1 Kontext"],
    "flux2": ["Flux.2 D"],
    "chroma": ["Chroma"],
    "hidream": ["HiDream"],
    "hunyuan-dit": ["Hunyuan 1"],
    "hunyuan-video": ["Hunyuan Video"],
    "kolors": ["Kolors"],
    "lumina": ["Lumina"],
    "pixart-alpha": ["PixArt a"],
    "pixart-sigma": ["PixArt E"],
    "playground-v2": ["Playground v2"],
    "qwen": ["Qwen"],
    "stable-cascade": ["Stable Cascade"],
    "svd": ["SVD", "SVD XT"],
    "cogvideox": ["CogVideoX"],
    "ltxv": ["LTXV"],
    "mochi": ["Mochi"],
    "wan": ["Wan Video"],
    "wan-14b-i2v-480p": ["Wan Video 14B i2v 480p"],
    "wan-2.2-t2v-a14b": ["Wan Video 2.2 T2V-A14B"],
    "z-image-turbo": ["ZImageTurbo"],
    "z-image": ["ZImageBase"],
    "hidream-o1": ["HiDream-O1"],
    "ernie": ["Ernie"],
    "krea2": ["Krea 2"],
    "ideogram": ["Ideogram 4.0"],
    "mai": ["MAI"],
    "lens": ["Lens"],
    "ltxv2": ["LTXV2"],
    "ltxv2.3": ["LTXV 2.3"],
    "wan-image-2.7": ["Wan Image 2.7"],
    "wan-2.7": ["Wan Video 2.7"],
}
ELSEWHERE = {
    "sd1": ["SD1", "sd15", "sd_v1", "stable-diffusion-v1/lora", "SD 1.x"],
    "sd2": ["SD2", "sd_v2", "sd_v2_v", "sd_v2_768_v", "stable-diffusion-v2-768-v/lora"],
    "sd3": ["stable-diffusion-3-medium/lora", "sd3"],
    "sdxl": [
        "SDXL",
        "sdxl_base_v1-0",
        "stable-diffusion-xl-v1-base/lora",
        "stable-diffusion-xl-v1-base",
    ],
    "flux1": ["Flux", "flux-1-dev/lora", "flux1", "Flux.1-dev/lora", "FLUX"],
    "pony": ["PonyXL", "pony"],
    "illustrious": ["Illustrious XL"],
    "noobai": ["Noob", "NoobAI-XL"],
    UNKNOWN: ["", "  ", "Unknown", "unknown", "Other", "other", "???", "/lora"],
}


@pytest.mark.parametrize(
    ("family", "spelling"),
    [
        (family, text)
        for table in (CIVITAI, ELSEWHERE)
        for family, texts in table.items()
        for text in texts
    ],
)
def test_spellings(family: str, spelling: str) -> None:
    assert family_of(spelling) == family


def test_every_known_family_is_a_spelling_of_itself() -> None:
    assert [family_of(family) for family in known_families()] == list(known_families())
    assert UNKNOWN not in known_families()


def test_pony_v7_is_not_pony() -> None:
    assert compatibility("pony-v7", "pony") is Compatibility.NONE
    assert compatibility("pony-v7", "sdxl") is Compatibility.NONE
    assert compatibility("pony-v7", "auraflow") is Compatibility.PARTIAL


@pytest.mark.parametrize("one", ["sdxl", "pony", "illustrious", "noobai"])
@pytest.mark.parametrize("other", ["sdxl", "pony", "illustrious", "noobai"])
def test_the_children_of_sdxl_share_their_adapters_in_part(one: str, other: str) -> None:
    assert compatibility(one, other) is (
        Compatibility.FULL if one == other else Compatibility.PARTIAL
    )
    assert ecosystem(one) == ecosystem(other) == "sdxl"


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("sd1", "sdxl", Compatibility.NONE),
        ("sd1", "sd2", Compatibility.NONE),
        ("sd3", "sd3.5-medium", Compatibility.NONE),
        ("sdxl-distilled", "sdxl", Compatibility.NONE),
        ("flux1", "flux1-krea", Compatibility.PARTIAL),
        ("flux1-krea", "flux1", Compatibility.PARTIAL),
        ("flux1", "flux1-kontext", Compatibility.NONE),
        ("flux1", "flux2", Compatibility.NONE),
        ("flux1", "chroma", Compatibility.NONE),
        ("flux2", "flux2-klein-4b", Compatibility.PARTIAL),
        ("wan-2.2-t2v-a14b", "wan-14b-t2v", Compatibility.PARTIAL),
        ("wan-2.2-i2v-a14b", "wan-2.2-ti2v-5b", Compatibility.NONE),
        ("wan-14b-t2v", "wan-1.3b-t2v", Compatibility.NONE),
        ("z-image", "z-image-turbo", Compatibility.PARTIAL),
        ("ltxv2", "ltxv2.3", Compatibility.NONE),
        ("krea2", "flux1-krea", Compatibility.NONE),
        ("pixart-alpha", "pixart-sigma", Compatibility.NONE),
        (UNKNOWN, UNKNOWN, Compatibility.NONE),
        (UNKNOWN, "sd1", Compatibility.NONE),
        ("sd1", UNKNOWN, Compatibility.NONE),
    ],
)
def test_levels(one: str, other: str, level: Compatibility) -> None:
    assert compatibility(one, other) is level


def test_a_base_model_of_tomorrow_fits_only_itself() -> None:
    family = family_of("Nebula 9 Ultra")
    assert family == "nebula-9-ultra"
    assert compatibility(family, family_of("nebula_9_ultra")) is Compatibility.FULL
    assert {compatibility(family, other) for other in known_families()} == {Compatibility.NONE}


@given(st.text(max_size=200))
@example("Ä" * 100)
@example("x" * 63 + "-y")
@example("İ" * 64)
@example("ΐ" * 64)
def test_any_text_has_a_family_that_is_its_own(text: str) -> None:
    family = family_of(text)
    assert family
    assert len(family) <= 64
    assert family_of(family) == family


@given(st.sampled_from(known_families()), st.sampled_from(known_families()))
def test_levels_do_not_depend_on_the_direction_and_follow_the_ecosystem(
    one: str, other: str
) -> None:
    assert compatibility(one, other) is compatibility(other, one)
    assert (compatibility(one, other) is Compatibility.NONE) == (ecosystem(one) != ecosystem(other))


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("any", ANY),
        (" Any ", ANY),
        ("SD 1.5", "sd1"),
        ("sd15", "sd1"),
        ("sdxl", "sdxl"),
        ("PONY", "pony"),
    ],
)
def test_what_a_user_types(text: str, family: str) -> None:
    assert listed_family(text) == parse_family(text) == family


@pytest.mark.parametrize("text", ["", "sd 17", "no such", "unknown", "\x00"])
def test_an_unknown_family_is_refused_with_the_list(text: str) -> None:
    with pytest.raises(InvalidInput, match="sd1, sd2"):
        parse_family(text)


@pytest.mark.parametrize("key", ["marzipan", "nebula-9-ultra"])
def test_an_unlisted_key_is_a_hosts_and_not_a_users(key: str) -> None:
    assert parse_family(key) == key
    with pytest.raises(InvalidInput):
        listed_family(key)


def test_what_is_partial_is_said_as_people_say_it() -> None:
    assert is_partial("sdxl", "pony")
    assert not is_partial("pony", "pony")
    assert not is_partial("sd1", "pony")
    assert not is_partial("sdxl", ANY)
    assert partly("sdxl", "pony") == "made for SDXL, only partly compatible with Pony"
    assert display_name("nebula-9-ultra") == "Nebula 9 Ultra"
    assert all(family_of(display_name(family)) == family for family in known_families())
