"""A card in, out: whether it is a slider, a speed-up or a general utility. None of these is ever
the subject of a prompt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stylus_ext.core.card import AdapterCard


@dataclass(frozen=True, slots=True)
class Flags:
    slider: bool = False
    speed: bool = False
    utility: bool = False


_MOST_NAME, _MOST_TEXT = 300, 3_000
_SLIDER_TAGS = frozenset(
    {"slider", "sliders", "concept slider", "concept sliders", "leco", "slider lora"}
)
_UTILITY_TAGS = frozenset(
    map(
        str.strip,
        """
        utility, utilities, detail tweaker, enhancer, detailer, detail enhancer, noise offset,
        offset noise,
        quality enhancer, negative embedding, hand fix, fix hands, hands fix, better hands,
        anatomy fix,
        contrast fix
        """.split(","),
    )
)
_SUBJECTS = frozenset(
    {
        "character",
        "celebrity",
        "clothing",
        "poses",
        "background",
        "buildings",
        "objects",
        "vehicle",
        "animal",
        "action",
    }
)

_SLIDER = re.compile(r"slider|\bleco\b|滑块|滑桿|スライダー")
_SLIDER_TEXT = re.compile(
    r"\b(?:slider lora|lora slider|concept slider|leco\b)|\bfrom -\d+(?:\.\d+)? to \+?\d|\bnegative"
    r" (?:weights?"
    r"|values?|strengths?) (?:to|will|for|make|makes|give|do)\b",
)
_SPEED = re.compile(
    r"(?<![a-z])(?:lcm|tcd|pcm|dmd"
    r" ?2?|sdxs|causvid|lightx2v|fastwan|self.?forcing|hyper.?sd(?:xl|\d)?|perflow"
    r"|rcm)(?![a-z])"
    r"|\b(?:\d+|two|four|eight|few)[ -]?steps?\b(?=.*\b(?:lora|turbo|lightning|hyper|distill\w*)\b)"
    r"|(?:sd\s?1\.?5|sdxl|xl|sd3|sd3\.5|flux|wan|qwen|pony|illustrious)["
    r" _.-]*(?:lightning|turbo|hyper|schnell)\b",
)
_SPEED_MAYBE = re.compile(r"\b(?:lightning|turbo|hyper|accelerat\w+|speed.?up|fast(?:er)?|flash)\b")
_SPEED_TEXT = re.compile(
    r"\b(?:[1-9]|1[0-2])\s*(?:-|~|to)?\s*\d{0,2}\s*steps?\b|\bfew(?:er)?[ -]steps?\b|\bdistill\w*"
    r"|\bfast(?:er)? (?:sampl|infer|generat)\w*"
)
_UTILITY = re.compile(
    r"\bdetail(?:s|ed|er)?["
    r" _-]*(?:tweak\w*|enhanc\w*|boost\w*|slider|lora\b|improve\w*|adjust\w*|fix\w*)"
    r"|\badd(?:s|ing)?[ _-]*(?:more[ _-]*)?details?\b|\bmore[ _-]*details?\b"
    r"|\b(?:noise[ _-]*offset|offset[ _-]*noise|epi_?noise\w*)\b|\bcontrast["
    r" _-]*(?:fix|boost\w*|enhanc\w*)"
    r"|\blow[ _-]?ra\b"
    r"|\b(?:better|bad|perfect|fix(?:ed|ing)?|good|correct|detailed|real)["
    r" _-]*(?:hands?|fingers|anatomy|faces?"
    r"|feet)\b|\b(?:hands?|fingers|anatomy|face|eyes)["
    r" _-]*(?:fix\w*|correct\w*|repair\w*|improve\w*|enhanc\w*"
    r"|detailer|refine\w*|xl)\b"
    r"|\b(?:quality|image|picture|skin|photo|lighting|color|realism|aesthetic)["
    r" _-]*(?:enhanc\w*|boost\w*"
    r"|improve\w*|tweak\w*|fix\w*)|\b(?:enhancer|tweaker?|booster|detailer|upscaler|sharpener|beautifier|denoiser)\b"
    r"|(?:saturation|brightness|exposure|sharpness)["
    r" _-]*(?:tweak\w*|adjust\w*|control|fix)?\b|\bhands?[ _-]*mix\b"
    r"|\bquick[ _-]*hands?\b|\bfine ?tuner\b"
    r"|细节|細節|手部|修手|调整|調整|提升画质|增强",
)


def flags_of(card: AdapterCard, text: str) -> Flags:
    """A person or a car may be called like an accelerator or an enhancer; but those are not tagged
    as subjects.
    """
    tags = {tag.strip().lower() for tag in card.tags}
    subject = bool(tags & _SUBJECTS)
    title, text = card.name.lower().replace("_", " ")[:_MOST_NAME], text[:_MOST_TEXT].lower()
    slider = bool(_SLIDER.search(title) or tags & _SLIDER_TAGS)
    if not slider and any(word in text for word in ("slider", "leco", "from -", "negative ")):
        slider = bool(_SLIDER_TEXT.search(text))
    speed = not subject and bool(
        _SPEED.search(title) or (_SPEED_MAYBE.search(title) and _SPEED_TEXT.search(text))
    )
    utility = bool(_UTILITY.search(title)) and tags.isdisjoint({"character", "celebrity"})
    return Flags(
        slider,
        speed,
        utility or (bool(tags & _UTILITY_TAGS) and not subject and "style" not in tags),
    )
