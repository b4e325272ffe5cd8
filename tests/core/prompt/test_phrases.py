"""Stock phrases: quality talk, head counts, and what every negative prompt says."""

from __future__ import annotations

import pytest

from stylus_ext.core.prompt.phrases import is_count, is_fault, is_quality


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
