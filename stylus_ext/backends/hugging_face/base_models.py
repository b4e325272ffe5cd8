"""For which base model an adapter was made: what a repository's card and tags say goes in; a name
that `family_of` knows comes out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from stylus_ext.backends.statements.values import name, rows
from stylus_ext.core.family import UNKNOWN, family_of, known_families

_KINDS = ("adapter:", "finetune:", "quantized:", "merge:")
_PATTERNS = tuple(
    (re.compile(pattern), said)
    for pattern, said in (
        (r"pony.*v-?7", "Pony V7"),
        (r"\bpony|pdxl", "Pony"),
        (r"noob", "NoobAI"),
        (r"illustrious|\bilxl\b", "Illustrious"),
        (r"kontext", "Flux.1 Kontext"),
        (r"flux.*krea", "Flux.1 Krea"),
        (r"flux-?2.*klein-9b", "Flux.2 Klein 9B"),
        (r"flux-?2.*klein-4b", "Flux.2 Klein 4B"),
        (r"flux-?2", "Flux.2 D"),
        (r"\bflux", "Flux.1 D"),
        (r"\bchroma", "Chroma"),
        (r"qwen-image", "Qwen Image"),
        (r"z-image.*turbo", "ZImageTurbo"),
        (r"z-image", "ZImageBase"),
        (r"hidream", "HiDream"),
        (r"kolors", "Kolors"),
        (r"lumina", "Lumina"),
        (r"auraflow|aura-flow", "AuraFlow"),
        (r"pixart.*sigma", "PixArt E"),
        (r"pixart", "PixArt a"),
        (r"(stable-diffusion|sd)-?v?3-5-medium|\bsd3-5-m", "SD 3.5 Medium"),
        (r"(stable-diffusion|\bsd)-?v?3", "SD 3.5"),
        (r"sdxl|stable-diffusion-xl|\bsd-xl|[a-z]xl\b|-xl\b|\bxl-", "SDXL 1.0"),
        (r"(stable-diffusion|\bsd)-?v?2", "SD 2.1"),
        (
            r"(stable-diffusion|\bsd)-?v?1|realistic-vision|dreamlike|anything-v|dreamshaper|\banylora",
            "SD 1.5",
        ),
    )
)
_BY_TAG = (*_PATTERNS, (re.compile(r"stable-diffusion"), "SD 1.5"))
"""The bare name, as a tag, is what people gave in the first's days; later ones say more beside it.
"""


def base_model_of(card: Mapping[str, object], tags: Iterable[str]) -> str:
    """Of several that are stated the first that is known; where none is, what the tags say, else
    what was stated, as it is.
    """
    told = list(tags)
    stated = [one.rpartition("/")[2] for one in _stated(card, told)]
    known = next(filter(None, (_known(one, _PATTERNS) for one in stated)), "")
    plain = [one for one in told if ":" not in one]
    return (
        known
        or next(filter(None, (_known_in(plain, pattern) for pattern in _BY_TAG)), "")
        or next(iter(stated), "")
    )


def _stated(card: Mapping[str, object], tags: Iterable[str]) -> Iterator[str]:
    said = card.get("base_model")
    yield from filter(None, map(name, [said] if isinstance(said, str) else rows(said)))
    for tag in tags:
        if tag.startswith("base_model:"):
            rest = tag.removeprefix("base_model:")
            yield next((rest.removeprefix(kind) for kind in _KINDS if rest.startswith(kind)), rest)


def _known(stated: str, patterns: Iterable[tuple[re.Pattern[str], str]]) -> str:
    family = family_of(stated)
    if family != UNKNOWN and family in known_families():
        return stated
    plain = _plain(stated)
    return next((said for pattern, said in patterns if pattern.search(plain)), "")


def _known_in(tags: Iterable[str], pattern: tuple[re.Pattern[str], str]) -> str:
    return pattern[1] if any(pattern[0].search(_plain(tag)) for tag in tags) else ""


def _plain(text: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", text.casefold()[:120]))
