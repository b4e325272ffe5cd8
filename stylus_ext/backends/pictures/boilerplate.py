"""Words of prompts that stand there whatever LoRA was used; none of them is ever learned as a
trigger.
"""

from __future__ import annotations

from stylus_ext.core.prompt.stock import is_count, is_quality
from stylus_ext.core.prompt.words import STOP

_USUAL = frozenset(
    map(
        str.strip,
        """
        looking at viewer, solo focus, upper body, full body, cowboy shot, close-up, portrait,
        standing, sitting, smile,
        simple background, white background, realistic, photorealistic, hyperrealistic,
        illustration, digital art,
        anime, anime style, artwork, cinematic, cinematic lighting, soft lighting, studio lighting,
        dramatic lighting,
        volumetric lighting, natural lighting, lighting, depth of field, bokeh, colorful,
        vivid colors, vibrant colors,
        female focus, male focus, female, male, outdoors, indoors, day, night, nsfw, masterpiece,
        photo
        """.split(","),
    )
)
_COMMON_WORDS = STOP | frozenset(
    """
    one two three photo picture image portrait style art wearing background detailed quality
    beautiful girl boy
    woman man people person very young old looking standing sitting holding black white red blue
    green yellow brown
    pink purple long short hair eyes face body lora break best masterpiece light dark focus high
    highly detail
    details front side view day night big small large little
    """.split()
)


def is_boilerplate(piece: str) -> bool:
    return (
        piece in _USUAL or is_quality(piece) or is_count(piece) or piece.replace(".", "").isdigit()
    )


def is_common(word: str) -> bool:
    """Says too little to be a trigger when it only stood inside longer pieces."""
    return word in _COMMON_WORDS or word.isdigit()
