"""The generations that were recorded: drawn from the golden prompts by a seeded generator."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from tests.golden.cases import CASES
from tests.golden.mixed_cases import MIXED_CASES

COUNT = 420
_PROMPTS = [case.prompt for case in (*CASES, *MIXED_CASES) if len(case.prompt) < 200]
_TAGGED = [
    "<lora:dreamy_bokeh:0.6>",
    "<lora:not_there:1.2>",
    "<lora:Studio Ghibli Style LoRA:0.4>",
    "<lyco:a:0.3>",
]
_NEGATIVES = [
    "",
    "",
    "lowres, bad hands",
    "graffiti, text",
    "anime, 3d",
    "(worst quality:1.4)",
    "dog",
]
_FAMILIES = ["auto", "auto", "sd1", "sd1", "sd1", "sdxl", "pony", "illustrious", "flux1"]
_OPTIONS: list[dict[str, Any]] = [
    {"stylus_weights_total_cap": 0.7},
    {"stylus_weights_total_cap": 0.0},
    {"stylus_text_emphasis": 1.2},
    {"stylus_text_debias": "realistic, high quality"},
    {"stylus_text_triggers": False},
    {"stylus_text_negative_text": False},
    {"stylus_weights_paper_factor": True},
    {"stylus_weights_default_weight": 0.55},
    {"stylus_inpaint_styles": True},
    {"stylus_selection_strictness": 0.9},
    {"stylus_selection_deny_tags": "graffiti, anime"},
]


def cases(stems: list[str]) -> Iterator[dict[str, Any]]:
    draw = random.Random(20261130)
    for _ in range(COUNT):
        yield _case(draw, stems)


def corrected(
    case: dict[str, Any], named: dict[str, list[str]], draw: random.Random
) -> dict[str, Any] | None:
    """The same generation once more, with a user's corrections of what was chosen."""
    keys = sorted({key for key, _ in named.values()})
    if not keys or "words" in case or not isinstance(case["fields"]["prompt"], str):
        return None
    if draw.random() < 0.15:
        locked = {key: [name, 0.6] for key, name in named.values()}
        return {
            **case,
            "locked": {
                "family": "sd1" if case["stylus"]["family"] == "auto" else case["stylus"]["family"],
                "picks": locked,
            },
        }
    draw.shuffle(keys)
    words: dict[str, Any] = {
        "prompt": case["fields"]["prompt"],
        "negative": case["fields"]["negative_prompt"],
    }
    words["family"] = "sd1" if case["stylus"]["family"] == "auto" else case["stylus"]["family"]
    what = draw.choice(("reject", "swap", "keep", "keep", "both"))
    words["reject" if what == "both" else what] = (
        {keys[0]: draw.choice(({}, {"weight": 0.35}))} if what == "keep" else keys[:1]
    )
    if what == "both" and len(keys) > 1:
        words["keep"] = {keys[1]: {"weight": 1.1}}
    return {**case, "words": words}


def _case(draw: random.Random, stems: list[str]) -> dict[str, Any]:
    size, count = draw.choice((1, 1, 2, 2, 3, 4)), draw.choice((1, 1, 2, 3, 4))
    stylus = {
        "family": draw.choice(_FAMILIES),
        "max_adapters": draw.choice((1, 2, 3, 3, 5)),
        "per_task": draw.choice((1, 1, 2, 3)),
        "strength": draw.choice((1.0, 1.0, 0.5, 1.6, 0.0)),
        "diversity": draw.choice(("paper", "paper", "all", "subsets")),
        "vary_inside_batch": draw.random() < 0.1,
        "seed": draw.choice((-1, -1, -1, 7)),
        "compare": draw.random() < 0.2,
    }
    fields: dict[str, Any] = {
        "prompt": _prompt(draw, stems),
        "negative_prompt": draw.choice(_NEGATIVES),
        "seed": draw.randrange(2**31),
        "batch_size": size,
        "n_iter": count,
        "subseed_strength": draw.choice((0.0, 0.0, 0.0, 0.3)),
        "styles": draw.choice(([], [], [], ["Painted"])),
    }
    case: dict[str, Any] = {"stylus": stylus, "fields": fields}
    options: dict[str, Any] = draw.choice(
        ({}, {"stylus_selection_strictness": 0.2}, {"stylus_selection_strictness": 0.0})
    )
    for chosen in draw.sample(_OPTIONS, draw.choice((0, 0, 1, 2))):
        options = {**options, **chosen}
    lists = _lists(draw, stems, size * count)
    place = draw.random()
    if place < 0.15:
        case["img2img"] = draw.choice(("mask", "mask", "whole"))
    elif place < 0.22:
        case |= {"img2img": "whole", "described": draw.choice(_PROMPTS)}
        options["stylus_describe"] = True
        fields |= {"prompt": "", "styles": []}
        lists.pop("all_prompts", None)
    elif place < 0.55:
        fields |= {
            "enable_hr": True,
            "hr_prompt": draw.choice(("", "", _prompt(draw, stems))),
            "hr_negative_prompt": draw.choice(("", "blurry")),
        }
        lists |= _hires_lists(draw, stems, size * count)
    if draw.random() < 0.1:
        case["unlisted"] = draw.sample(stems, len(stems) // 3)
    return {
        **case,
        **({"options": options} if options else {}),
        **({"lists": lists} if lists else {}),
    }


def _lists(draw: random.Random, stems: list[str], images: int) -> dict[str, list[str]]:
    """What another script may have made of the prompts: here and there a list of its own."""
    found: dict[str, list[str]] = {}
    if draw.random() < 0.35:
        few = [_prompt(draw, stems) for _ in range(draw.choice((2, 2, 3)))]
        found["all_prompts"] = [draw.choice(few) for _ in range(images)]
    if draw.random() < 0.12:
        found["all_negative_prompts"] = [draw.choice(_NEGATIVES) for _ in range(images)]
    return found


def _hires_lists(draw: random.Random, stems: list[str], images: int) -> dict[str, list[str]]:
    if draw.random() < 0.7:
        return {}
    few = [_prompt(draw, stems), _prompt(draw, stems)]
    return {
        "all_hr_prompts": [draw.choice(few) for _ in range(images)],
        "all_hr_negative_prompts": ["", "blurry"] * (images // 2) + [""] * (images % 2),
    }


def _prompt(draw: random.Random, stems: list[str]) -> str:
    text = draw.choice(_PROMPTS)
    if draw.random() < 0.35:
        text = f"{text}, {draw.choice(_PROMPTS)}"
    if draw.random() < 0.5:
        named = ", ".join(
            stem.replace("_", " ").lower() for stem in draw.sample(stems, draw.choice((1, 2, 3)))
        )
        text = draw.choice((f"{named}, {text}", f"{text}, {named}"))
    return f"{text} {draw.choice(_TAGGED)}" if draw.random() < 0.12 else text
