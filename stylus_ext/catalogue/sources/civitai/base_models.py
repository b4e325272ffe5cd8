"""Civitai's spelling of base models, by its present list, or by the one shipped here."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.family import UNKNOWN, family_of

SHIPPED = tuple(
    spelling.strip()
    for spelling in (
        "SD 1.4, SD 1.5, SD 1.5 LCM, SD 1.5 Hyper, SD 2.0, SD 2.0 768, SD 2.1, SD 2.1 768,"
        " SD 2.1 Unclip, SD 3, SD 3.5, SD 3.5 Large, SD 3.5 Large Turbo, SD 3.5 Medium, SDXL 0.9,"
        " SDXL 1.0, SDXL 1.0 LCM, SDXL Lightning, SDXL Hyper, SDXL Turbo, SDXL Distilled, Pony,"
        " Illustrious, NoobAI, Pony V7, AuraFlow, Flux.1 S, Flux.1 D, Flux.1 Krea, Flux.1 Kontext,"
        " Flux.2 D, Chroma, HiDream, Hunyuan 1, Hunyuan Video, Kolors, Lumina, PixArt a, PixArt E,"
        " Playground v2, Qwen, Stable Cascade, SVD, SVD XT, CogVideoX, LTXV, Mochi, Wan Video,"
        " Wan Video 1.3B t2v, Wan Video 14B t2v, Wan Video 14B i2v 480p, Wan Video 14B i2v 720p,"
        " Wan Video 2.2 TI2V-5B, Wan Video 2.2 I2V-A14B, Wan Video 2.2 T2V-A14B,"
        " Wan Video 2.5 T2V, Wan Video 2.5 I2V, ZImageTurbo, ODOR, Other"
    ).split(",")
)
"""As of late 2025; used where a service has no list."""

_NEAR = 5


def spelled(stated: Iterable[str], listed: Sequence[str]) -> tuple[str, ...]:
    """Each name as Civitai spells it; a family stands for all its base models.

    A name that is not `listed` is refused. If nothing is listed, the shipped names are used, and
    other names stay as they are, since that list may be old.
    """
    names = {spelling.casefold(): spelling for spelling in listed or SHIPPED}
    found: dict[str, None] = {}
    for name in stated:
        spellings = _spellings(name, names)
        if not spellings and listed:
            near = difflib.get_close_matches(name.casefold(), names, n=_NEAR, cutoff=0.4)
            examples = ", ".join(names[each] for each in near or list(names)[: 2 * _NEAR])
            raise InvalidInput(
                f"Civitai has no base model {name!r}. It has, for example, {examples}."
            )
        found |= dict.fromkeys(spellings or [name])
    return tuple(found)


def _spellings(name: str, names: dict[str, str]) -> list[str]:
    if name.casefold() in names:
        return [names[name.casefold()]]
    family = family_of(name)
    if family == UNKNOWN:
        return []
    return [spelling for spelling in names.values() if family_of(spelling) == family]
