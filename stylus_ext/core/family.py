"""Base model families: spellings map to keys, and keys to what they are compatible with.

Groups and levels follow Civitai: full compatibility within a family, partial with parent, child and
sibling. Pony V7 is based on AuraFlow and shares only its name with Pony.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import cache

from stylus_ext.core.errors import InvalidInput

UNKNOWN = "unknown"
"""No source says what it was made for: it fits nothing."""

ANY = "any"
"""The caller does not say for which family to choose."""

_LONGEST = 64
_SAYS_NOTHING = frozenset({"", UNKNOWN, "other"})
"""What base models without a family are called; "Other" is Civitai's."""

_SPELLINGS = {
    "sd1": (
        "SD 1.x, SD 1.4, SD 1.5, SD 1.5 LCM, SD 1.5 Hyper, SD v1, SD v1.4, SD v1.5,"
        " stable-diffusion, stable-diffusion-1, stable-diffusion-1.5, stable-diffusion-v1,"
        " stable-diffusion-v1-4, stable-diffusion-v1-5, stable-diffusion-v1-inpainting"
    ),
    "sd2": (
        "SD 2.x, SD 2.0, SD 2.0 768, SD 2.1, SD 2.1 768, SD 2.1 Unclip, SD v2, SD v2.1, SD v2 v, SD"
        " v2 768 v, stable-diffusion-2, stable-diffusion-2-1, stable-diffusion-v2,"
        " stable-diffusion-v2-512, stable-diffusion-v2-768-v, stable-diffusion-v2-inpainting"
    ),
    "sd3": (
        "SD 3.5, SD 3.5 Large, SD 3.5 Large Turbo, SD3 m, SD v3, stable-diffusion-3,"
        " stable-diffusion-3-medium, stable-diffusion-v3, stable-diffusion-v3-medium,"
        " stable-diffusion-3-5, stable-diffusion-3-5-large, stable-diffusion-v3-5-large, SD3.5 l"
    ),
    "sd3.5-medium": "SD3.5 m, stable-diffusion-3-5-medium, stable-diffusion-v3-5-medium",
    "sdxl": (
        "SDXL 0.9, SDXL 1, SDXL 1.0, SDXL 1.0 LCM, SDXL Lightning, SDXL Hyper, SDXL Turbo, XL, SDXL"
        " v1, SDXL base, SDXL base v0-9, SDXL base v1-0, stable-diffusion-xl,"
        " stable-diffusion-xl-base, stable-diffusion-xl-base-1.0, stable-diffusion-xl-1-0,"
        " stable-diffusion-xl-1-0-base, stable-diffusion-xl-v1, stable-diffusion-xl-v0-9-base,"
        " stable-diffusion-xl-v1-base, stable-diffusion-xl-v1-0-base,"
        " stable-diffusion-xl-v1-inpainting, stable-diffusion-xl-turbo-v1"
    ),
    "sdxl-distilled": "",
    "pony": (
        "Pony XL, Pony V6, Pony V6 XL, Pony Diffusion, Pony Diffusion XL, Pony Diffusion V6 XL,"
        " PDXL"
    ),
    "illustrious": "Illustrious XL, IllustriousXL v0.1, IL",
    "noobai": "Noob, NoobAI XL, Noob XL",
    "auraflow": "AuraFlow v1",
    "pony-v7": "Pony Diffusion V7",
    "flux1": "Flux, Flux.1 S, Flux.1 D, Flux.1 dev, Flux.1 schnell, Flux dev, Flux schnell",
    "flux1-krea": "Flux.1 Krea dev, Flux Krea",
    "flux1-kontext": "Flux.1 Kontext dev, Flux Kontext",
    "flux2": "Flux.2 D, Flux.2 dev",
    "flux2-klein-9b": "",
    "flux2-klein-9b-base": "",
    "flux2-klein-4b": "",
    "flux2-klein-4b-base": "",
    "chroma": "Chroma1, Chroma1 HD",
    "hidream": "HiDream I1, HiDream I1 full, HiDream I1 dev, HiDream I1 fast",
    "hidream-o1": "",
    "hunyuan-dit": "Hunyuan 1, Hunyuan DiT g2",
    "hunyuan-video": "",
    "kolors": "",
    "lumina": "Lumina 2, Lumina Image 2.0",
    "pixart-alpha": "PixArt a",
    "pixart-sigma": "PixArt E",
    "playground-v2": "",
    "qwen": "Qwen Image, Qwen Image Edit",
    "qwen2": "",
    "qwen-image-2.1": "",
    "stable-cascade": "SCascade",
    "svd": "SVD XT, stable-video-diffusion",
    "cogvideox": "",
    "ltxv": "LTX Video",
    "ltxv2": "LTX Video 2",
    "ltxv2.3": "LTX Video 2.3",
    "mochi": "Mochi 1",
    "wan": "Wan Video, Wan 2.1, Wan 2.2",
    "wan-1.3b-t2v": "Wan Video 1.3B t2v",
    "wan-14b-t2v": "Wan Video 14B t2v",
    "wan-14b-i2v-480p": "Wan Video 14B i2v 480p",
    "wan-14b-i2v-720p": "Wan Video 14B i2v 720p",
    "wan-2.2-ti2v-5b": "Wan Video 2.2 TI2V-5B",
    "wan-2.2-i2v-a14b": "Wan Video 2.2 I2V-A14B",
    "wan-2.2-t2v-a14b": "Wan Video 2.2 T2V-A14B",
    "wan-2.5-t2v": "Wan Video 2.5 T2V",
    "wan-2.5-i2v": "Wan Video 2.5 I2V",
    "wan-2.7": "Wan Video 2.7",
    "wan-image-2.7": "",
    "z-image-turbo": "",
    "z-image": "ZImageBase",
    "anima": "",
    "ernie": "Ernie Image",
    "krea2": "",
    "ideogram": "Ideogram 4.0, Ideogram 4",
    "mai": "MAI Image",
    "lens": "",
    "mugen": "",
    "pid": "",
}
"""Further spellings of each family, between commas."""

_PARENTS = {
    "pony": "sdxl",
    "illustrious": "sdxl",
    "noobai": "sdxl",
    "pony-v7": "auraflow",
    "flux1-krea": "flux1",  # no child in Civitai's tree, but LoRAs are said to cross in part
    "flux2-klein-9b": "flux2",
    "flux2-klein-9b-base": "flux2",
    "flux2-klein-4b": "flux2",
    "flux2-klein-4b-base": "flux2",
    # One architecture; the 1.3B and 5B models have layers of other widths.
    "wan-14b-t2v": "wan",
    "wan-14b-i2v-480p": "wan",
    "wan-14b-i2v-720p": "wan",
    "wan-2.2-i2v-a14b": "wan",
    "wan-2.2-t2v-a14b": "wan",
    "z-image-turbo": "z-image",
}


_DISPLAY_NAMES = {
    "sd1": "SD 1.5",
    "sd2": "SD 2",
    "sd3": "SD 3",
    "sd3.5-medium": "SD 3.5 Medium",
    "sdxl": "SDXL",
    "sdxl-distilled": "SDXL Distilled",
    "pony": "Pony",
    "illustrious": "Illustrious",
    "noobai": "NoobAI",
    "auraflow": "AuraFlow",
    "pony-v7": "Pony V7",
    "flux1": "Flux.1",
    "flux1-krea": "Flux.1 Krea",
    "flux1-kontext": "Flux.1 Kontext",
    "flux2": "Flux.2",
    "flux2-klein-9b": "Flux.2 Klein 9B",
    "flux2-klein-9b-base": "Flux.2 Klein 9B Base",
    "flux2-klein-4b": "Flux.2 Klein 4B",
    "flux2-klein-4b-base": "Flux.2 Klein 4B Base",
    "hidream": "HiDream",
    "hidream-o1": "HiDream O1",
    "hunyuan-dit": "Hunyuan DiT",
    "pixart-alpha": "PixArt Alpha",
    "pixart-sigma": "PixArt Sigma",
    "qwen2": "Qwen 2",
    "svd": "SVD",
    "cogvideox": "CogVideoX",
    "ltxv": "LTXV",
    "ltxv2": "LTXV 2",
    "ltxv2.3": "LTXV 2.3",
    "wan-1.3b-t2v": "Wan 1.3B T2V",
    "wan-14b-t2v": "Wan 14B T2V",
    "wan-14b-i2v-480p": "Wan 14B I2V 480p",
    "wan-14b-i2v-720p": "Wan 14B I2V 720p",
    "wan-2.2-ti2v-5b": "Wan 2.2 TI2V 5B",
    "wan-2.2-i2v-a14b": "Wan 2.2 I2V A14B",
    "wan-2.2-t2v-a14b": "Wan 2.2 T2V A14B",
    "wan-2.5-t2v": "Wan 2.5 T2V",
    "wan-2.5-i2v": "Wan 2.5 I2V",
    "krea2": "Krea 2",
    "mai": "MAI",
    "pid": "PiD",
}


class Compatibility(Enum):
    """How well an adapter of one family works on a model of another."""

    FULL = "full"
    PARTIAL = "partial"
    NONE = "none"


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text[:_LONGEST].casefold())


@cache
def _families() -> dict[str, str]:
    """Families by spelling; built on first use, which keeps the WebUI's start fast."""
    return {
        "".join(_words(spelling)): family
        for family, spellings in _SPELLINGS.items()
        for spelling in (family, *spellings.split(","))
        if spelling
    }


def family_of(base_model: str) -> str:
    """Return the family key of a base model as Civitai, a sidecar or a trainer spells it.

    An unlisted spelling is its own family; "", "Unknown" and "Other" are `UNKNOWN`.
    """
    words = _words(base_model.partition("/")[0])
    known = _families().get("".join(words))
    family = known or "-".join(words)[:_LONGEST].strip("-")
    return UNKNOWN if family in _SAYS_NOTHING else family


def ecosystem(family: str) -> str:
    """Return the ecosystem; families of one ecosystem are at least partly compatible."""
    return _PARENTS.get(family, family)


def compatibility(adapter_family: str, model_family: str) -> Compatibility:
    """Return how well an adapter of the first family works on a model of the second."""
    if UNKNOWN in (adapter_family, model_family):
        return Compatibility.NONE
    if adapter_family == model_family:
        return Compatibility.FULL
    if ecosystem(adapter_family) == ecosystem(model_family):
        return Compatibility.PARTIAL
    return Compatibility.NONE


def is_partial(adapter_family: str, model_family: str) -> bool:
    """True if the adapter's family is only a relative of the model's."""
    return (
        model_family != ANY and compatibility(adapter_family, model_family) is Compatibility.PARTIAL
    )


def display_name(family: str) -> str:
    """Return the family as people write it: "SDXL", "Pony", "Nebula 9 Ultra"."""
    name = _DISPLAY_NAMES.get(family)
    return name or " ".join(word[:1].upper() + word[1:] for word in family.split("-"))


def needs(family: str) -> str:
    """Phrase for an adapter of another family than the model's, with the flag for its own."""
    if family == UNKNOWN:
        return "its page does not say which base model it needs"
    name = display_name(family)
    article = "an" if name.startswith(("A", "E", "I", "LTX", "O", "SD", "SV")) else "a"
    return f"it needs {article} {name} model"


def partly(adapter_family: str, model_family: str) -> str:
    """Phrase for a partly compatible adapter, used in reasons and notes."""
    return (
        f"made for {display_name(adapter_family)}, only partly compatible with"
        f" {display_name(model_family)}"
    )


_SCORE_TAG = re.compile(r"\bscore[_ ][4-9](?:_up\b|\b)", re.IGNORECASE)


def family_in_prompt(prompt: str) -> str:
    """The family whose own tags a prompt has, such as `score_9` of Pony; empty if none."""
    return "pony" if _SCORE_TAG.search(prompt) else ""


def known_families() -> tuple[str, ...]:
    """All families with a name, the usual ones first."""
    return tuple(_SPELLINGS)


def parse_family(text: str) -> str:
    """Parse a family: a key, which a host may state of an unlisted base model, or a spelling."""
    return text if UNKNOWN != family_of(text) == text else listed_family(text)


def listed_family(text: str) -> str:
    """Parse a family typed by a user: a listed key, a known spelling, or "any"."""
    if text.strip().casefold() == ANY:
        return ANY
    family = family_of(text)
    if family in _SPELLINGS:
        return family
    raise InvalidInput(
        f"{text!r} is not a family of base models that Stylus knows. Say {ANY}, or one of:"
        f" {', '.join(_SPELLINGS)}."
    )
