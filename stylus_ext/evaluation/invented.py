"""Invented catalogues and prompts that look like real ones, from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

from stylus_ext.core.card import AdapterCard, AdapterKey, Example, RemoteFile

BASES = (("SD 1.5", 45), ("SDXL 1.0", 15), ("Pony", 15), ("Illustrious", 17), ("Flux.1 D", 8))
KINDS = (
    ("character", 65),
    ("style", 14),
    ("clothing", 8),
    ("concept", 5),
    ("background", 4),
    ("object", 2),
    ("vehicle", 1),
    ("animal", 1),
)

_LOOKS = """watercolor neon gothic baroque vintage futuristic minimalist dreamy rusty frozen golden
    crystal woven paper clay voxel pixel inked charcoal pastel surreal cinematic gloomy radiant
    stormy misty autumn winter desert tropical abandoned floating ancient royal tribal steampunk
    cyberpunk biomechanical origami isometric sketched painted embroidered glowing marble wooden
    velvet""".split()
_SUBJECTS = """corgi dragon castle street forest robot knight fox bridge teapot lighthouse
    motorcycle train garden market library temple wolf whale raven samurai witch pirate astronaut
    ballerina chef skeleton angel golem mermaid owl tiger horse elephant sailboat tram cottage
    skyscraper cathedral cafe harbor waterfall canyon volcano glacier island swamp meadow orchard
    vineyard train lantern violin armor kimono hoodie cloak gown boots helmet scarf umbrella
    backpack sword shield crown mask goggles bicycle balloon submarine""".split()
_SCENES = """sunset night rain snow fog beach rooftop alley subway stage studio kitchen bedroom
    classroom office stadium desert space underwater clouds moonlight candlelight fireworks
    festival battlefield ruins courtyard balcony window mirror bridge riverside""".split()
_ACTS = """standing sitting running jumping dancing reading sleeping flying swimming fighting
    cooking painting singing smiling crying looking pointing kneeling riding climbing falling
    waving holding playing""".split()
_TRAITS = """long-hair short-hair blue-eyes red-eyes green-eyes blonde-hair black-hair white-hair
    pink-hair twintails ponytail braid glasses freckles scar earrings necklace ribbon gloves belt
    cape jacket skirt shirt sweater dress uniform stockings sneakers hat""".split()
_SYLLABLES = (
    "ka ri no mi sa to el an dor vel thar mon zu ki ra shi ne lo fa bren os ul mar ta je ly von"
    " qua ste".split()
)
_QUALITY = (
    "masterpiece",
    "best quality",
    "highres",
    "absurdres",
    "detailed background",
    "1girl",
    "solo",
    "score_9",
)


def cards(number: int, seed: int = 0) -> Iterator[AdapterCard]:
    rng = random.Random(seed)  # noqa: S311
    for place in range(number):
        yield _card(place, rng)


def prompts(number: int, seed: int = 1) -> Iterator[str]:
    """Yield prompts: half of them captions, half lists of tags."""
    rng = random.Random(seed)  # noqa: S311
    for place in range(number):
        yield _caption(rng) if place % 2 else _tags(rng, 14 + place % 12)


def _card(place: int, rng: random.Random) -> AdapterCard:
    kind = rng.choices([kind for kind, _ in KINDS], [share for _, share in KINDS])[0]
    name = (
        _name(rng) if kind == "character" else f"{_common(rng, _LOOKS)} {_common(rng, _SUBJECTS)}"
    )
    title = (
        f"{name} {rng.choice(('', 'LoRA', 'style', 'XL', 'v2', f'v{place % 9}'))}".strip().title()
    )
    trigger = f"{name.replace(' ', '')}{rng.choice(('', 'style', str(place % 100)))}"
    digest = f"{rng.getrandbits(256):064x}"
    return AdapterCard(
        key=AdapterKey.civitai(10_000_000 + place),
        name=title,
        source="civitai",
        model_id=5_000_000 + place,
        base_model=rng.choices([base for base, _ in BASES], [share for _, share in BASES])[0],
        kind=kind,
        tags=(kind, *{_common(rng, _SUBJECTS), _common(rng, _LOOKS), _common(rng, _SCENES)}),
        triggers=(f"{trigger}, {_common(rng, _TRAITS)}, {_common(rng, _TRAITS)}",),
        text=" ".join(_caption(rng) for _ in range(4)),
        examples=tuple(
            Example(f"{trigger}, {_tags(rng, 16)}", round(rng.uniform(0.5, 1.0), 2))
            for _ in range(3)
        ),
        images=5,
        downloads=int(rng.paretovariate(1) * 100),
        remote=RemoteFile(f"{trigger}.safetensors", 37_000_000 + place, digest),
        equivalents=(AdapterKey.sha256(digest),),
    )


def _common(rng: random.Random, words: list[str]) -> str:
    """Pick a word; a few words are frequent and many are rare."""
    return (
        words[min(int(rng.paretovariate(0.7)) - 1, len(words) - 1)]
        if rng.random() < 0.5  # noqa: PLR2004
        else rng.choice(words)
    )


def _name(rng: random.Random) -> str:
    return " ".join("".join(rng.choices(_SYLLABLES, k=rng.randint(2, 3))) for _ in range(2))


def _caption(rng: random.Random) -> str:
    return (
        f"a {_common(rng, _LOOKS)} {_common(rng, _SUBJECTS)} {rng.choice(_ACTS)} with a"
        f" {_common(rng, _LOOKS)} {rng.choice(_SUBJECTS)} at the {_common(rng, _SCENES)},"
        f" {rng.choice(_LOOKS)} light"
    )


def _tags(rng: random.Random, number: int) -> str:
    pools = (_TRAITS, _SUBJECTS, _SCENES, _ACTS, _LOOKS)
    chosen = [_common(rng, list(rng.choice(pools))).replace("-", " ") for _ in range(number)]
    return ", ".join(dict.fromkeys([*rng.sample(_QUALITY, 3), *chosen]))
