"""Stock phrases: quality talk, head counts, and what every negative prompt says."""

from __future__ import annotations

import pytest

from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.prompt.phrases import EVEN, is_count, is_fault, is_quality, tag_likeness


@pytest.mark.parametrize(
    "phrase",
    """masterpiece; best quality; Best-Quality; (best_quality; highres; absurdres
    incredibly absurdres; 8k; 8K uhd; 4k wallpaper
    score_9; score_8_up; score 7 up; rating_safe; rating: general; rating:explicit; source_anime
    very aesthetic; raw photo
    intricate details; highly detailed; ultra-detailed; trending on artstation; lowres
    extremely detailed CG unity 8k wallpaper
    award-winning; sharp focus; dslr; film grain; detailed background; 1024x1024; year 2024; 2023
    iso 400; f/1.8; 85mm; safe
    a photo of; no watermark; newest""".replace("\n", ";").split(";"),
)
def test_quality_talk(phrase: str) -> None:
    assert is_quality(phrase.strip())


@pytest.mark.parametrize(
    "phrase",
    """a cat; red hair; cinematic lighting; source of light; quality time; year of the dragon
    beautiful; beautiful woman
    best friends; high heels; 2b; 1girl; detailed wings; photo of a cat; clear sky; old; text
    by greg rutkowski; anime screencap
    super saiyan; sharp teeth; 8 ball; amazing grace; award ceremony; ;   
    unreal tournament""".replace("\n", ";").split(";"),
)
def test_what_says_something_is_no_quality_talk(phrase: str) -> None:
    assert not is_quality(phrase.strip())


@pytest.mark.parametrize(
    "phrase",
    [
        "1girl",
        "2girls",
        "6+girls",
        "1 girl",
        "one woman",
        "two men",
        "multiple girls",
        "solo",
        "Solo Focus",
        "no humans",
        "1other",
    ],
)
def test_counts(phrase: str) -> None:
    assert is_count(phrase)


@pytest.mark.parametrize(
    "phrase", ["girl in a hat", "solo leveling", "1girl hat", "x-men", "two cats", "human", ""]
)
def test_more_than_a_count(phrase: str) -> None:
    assert not is_count(phrase)


@pytest.mark.parametrize(
    "phrase",
    """bad hands; extra fingers; worst quality; low quality; normal quality; lowres; watermark
    text; signature; mutated hands and fingers
    bad anatomy; blurry; jpeg artifacts; missing limbs; long neck; out of frame; too many fingers
    cross-eyed; username; easynegative
    EasyNegativeV2; badhandv4; bad-hands-5; negative_hand; verybadimagenegative_v1.3
    ng_deepnegative_v1_75t; bad_prompt_version2
    unaestheticXL_v31; deformed; ugly; gross proportions; error; cropped""".replace(
        "\n", ";"
    ).split(";"),
)
def test_faults(phrase: str) -> None:
    assert is_fault(phrase.strip())


@pytest.mark.parametrize(
    "phrase",
    [
        "anime",
        "3d",
        "cartoon",
        "monochrome",
        "hat",
        "nsfw",
        "red eyes",
        "batman",
        "sketch",
        "naruto uzumaki",
    ],
)
def test_no_faults(phrase: str) -> None:
    assert not is_fault(phrase)


@pytest.mark.parametrize(
    ("text", "is_tags"),
    [
        ("", False),
        ("masterpiece, best quality", False),
        ("a cat", False),
        ("a painting of a corgi on the wall, 8k", False),
        ("1girl, solo, red hair, smile", True),
        ("1girl,solo,red_hair,smile,", True),
        ("logo of a wolf, vector, minimalist", True),
        (
            "A large dog, wet from the rain, runs over the green field, chasing after a small"
            " ball, happy as can be",
            False,
        ),
        ("1girl, <lora:some thing with many words:1>, smile, hat", True),
        ("a cat # one, two, three, four", False),
        ("猫，犬，鳥，魚", True),
        (",,,,", False),
    ],
)
def test_a_list_of_tags_is_told_from_a_sentence(text: str, is_tags: bool) -> None:
    assert (tag_likeness(parse_prompt(text)) >= EVEN) is is_tags


@pytest.mark.parametrize(
    "text",
    ["a robot playing chess with an old man", "1girl, qipao, smile", "princess zelda, botw", "owl"],
)
def test_quality_words_brackets_and_capitals_do_not_change_tag_likeness(text: str) -> None:
    plain = tag_likeness(parse_prompt(text))
    first, _, rest = text.partition(" ")
    for other in (
        f"{text}, masterpiece, best quality, highly detailed",
        f"score_9, score_8_up, {text}",
        f"{text}, 8k",
        f"({first}:1.2) {rest}" if rest else f"({first}:1.2)",
        text.upper(),
        f"{text}.",
    ):
        assert tag_likeness(parse_prompt(other)) == pytest.approx(plain), other
