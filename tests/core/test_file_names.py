"""Stems that the host can read inside a tag, and stems that every file system takes."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylus_ext.core.file_names import (
    LONGEST_STEM,
    noise_half,
    noise_pairs,
    safe_file_stem,
    stem_for,
    why_not,
)
from stylus_ext.core.prompt.parse import parse_prompt

ANY_TEXT = st.text(st.characters(), max_size=40)
SYNTAX = st.lists(
    st.sampled_from(
        list("<>:=#,'\" ._-{}|$\\/()[]ab\x00\n") + ["__", "$$", "AND", "BREAK", "ä", "猫"]
    )
).map("".join)
STEMS = ANY_TEXT | SYNTAX


def tag_safe(stem: str, *, dynamic_prompts: bool = False) -> bool:
    return why_not(stem, dynamic_prompts=dynamic_prompts) is None


@pytest.mark.parametrize(
    "stem",
    [
        "add_detail",
        "more details-v1.2",
        "a,b",
        "it's",
        'say "x"',
        "style (v2)",
        "[x]",
        "猫の絵",
        "a=b=c",
        "x AND y",
        "C\\D",
        "0.8",
    ],
)
def test_what_the_host_reads_is_allowed(stem: str) -> None:
    assert tag_safe(stem)
    assert why_not(stem) is None


@pytest.mark.parametrize(
    ("stem", "because"),
    [
        ("", "empty"),
        (" x", "space"),
        ("x ", "space"),
        ("a<b", '"<"'),
        ("a>b", '">"'),
        ("a:b", '":"'),
        ("v#2", '"#"'),
        ("a=b", '"="'),
        ("a\nb", "control character"),
        ("a\x00b", "control character"),
        ("a\u2028b", "control character"),
        ("a\udcffb", "undecodable"),
    ],
)
def test_what_the_host_cannot_read_is_refused_with_the_reason(stem: str, because: str) -> None:
    reason = why_not(stem)
    assert reason is not None
    assert because in reason
    assert reason.endswith("rename the file.")
    assert reason.isprintable()
    assert not tag_safe(stem)


@pytest.mark.parametrize("stem", ["a__b", "{x}", "a|b", "x}", "2$$a"])
def test_dynamic_prompts_eats_more_than_the_host(stem: str) -> None:
    assert tag_safe(stem)
    assert not tag_safe(stem, dynamic_prompts=True)
    reason = why_not(stem, dynamic_prompts=True)
    assert reason is not None
    assert "Dynamic Prompts" in reason


@settings(deadline=None)
@given(STEMS)
def test_a_safe_stem_comes_back_from_a_tag(stem: str) -> None:
    tags = parse_prompt(f"a cat <lora:{stem}:0.8> b").user_tags
    if tag_safe(stem):
        assert [(tag.kind, tag.name, tag.weight) for tag in tags] == [("lora", stem, 0.8)]
    if tag_safe(stem, dynamic_prompts=True):
        assert not parse_prompt(f"a cat <lora:{stem}:0.8> b").unresolved


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("add_detail", "add_detail"),
        ("Rainy Neon Alley v1.1", "Rainy Neon Alley v1.1"),
        ("../../etc/passwd", "etc_passwd"),
        ("C:\\Windows\\x", "C_Windows_x"),
        ("a<b>:c=d", "a_b_c_d"),
        ("{x}__y|z$$", "x_y_z"),
        ("con", "con-"),
        ("CON.v1", "CON-.v1"),
        ("nul .x", "nul-.x"),
        ("com1", "com1-"),
        ("console", "console"),
        ("trailing. . .", "trailing"),
        (".hidden", "hidden"),
        ("", "lora"),
        ("???", "lora"),
        ("\u202egpj.exe", "gpj.exe"),
        ("a\x00\x1fb", "a b"),
        ("cafe\u0301", "caf\u00e9"),
        ("東京", "東京"),
        ("lone\udc80", "lone"),
    ],
)
def test_a_name_becomes_a_stem(name: str, stem: str) -> None:
    assert safe_file_stem(name, ()) == stem


def test_a_taken_stem_gets_a_number_whatever_its_case_and_accents() -> None:
    assert safe_file_stem("Cafe", {"cafe"}) == "Cafe-2"
    assert safe_file_stem("Cafe", ["cafe", "CAFE-2"]) == "Cafe-3"
    assert safe_file_stem("caf\u00e9", {"CAFE\u0301"}) == "caf\u00e9-2"
    assert safe_file_stem("???", {"lora"}) == "lora-2"


def test_length_is_counted_in_bytes_and_cut_between_characters() -> None:
    assert safe_file_stem("x" * 500, ()) == "x" * LONGEST_STEM
    assert safe_file_stem("猫" * 500, ()) == "猫" * (LONGEST_STEM // 3)
    assert (
        safe_file_stem("猫" * 500, {"猫" * (LONGEST_STEM // 3)})
        == "猫" * ((LONGEST_STEM - 2) // 3) + "-2"
    )


@settings(deadline=None)
@given(STEMS, st.integers(16, 60), st.sets(STEMS, max_size=3))
def test_every_name_becomes_a_stem_that_all_take(name: str, limit: int, others: set[str]) -> None:
    first = safe_file_stem(name, others, limit)
    second = safe_file_stem(name, {*others, first.upper()}, limit)
    folded = [unicodedata.normalize("NFC", stem).casefold() for stem in others]
    for stem in (first, second):
        assert tag_safe(stem, dynamic_prompts=True)
        assert 0 < len(stem.encode("utf-8")) <= limit
        assert stem == stem.strip(" .")
        assert not set(stem) & set('<>:"/\\|?*')
        assert Path(stem).name == stem
        assert stem.split(".")[0].casefold() not in {"con", "prn", "aux", "nul", "com1", "lpt9"}
        assert stem.casefold() not in folded
    assert first.casefold() != second.casefold()


def test_a_stem_is_a_file(tmp_path: Path) -> None:
    for name in ("a/b", "..", "x" * 400, "con", "猫" * 200, "a\x00b"):
        (tmp_path / f"{safe_file_stem(name, ())}.safetensors").write_bytes(b"x")
    assert len(list(tmp_path.iterdir())) == 6


@pytest.mark.parametrize(
    ("file", "title", "stem"),
    [
        ("rain_alley.safetensors", "Rainy Alley", "rain_alley"),
        ("rain_alley.SAFETENSORS", "Rainy Alley", "rain_alley"),
        ("lora.safetensors", "Rainy Alley", "Rainy Alley"),
        ("pytorch_lora_weights.safetensors", "Rainy Alley", "Rainy Alley"),
        ("LoRA_v2-000010.safetensors", "Rainy Alley", "Rainy Alley"),
        ("", "Rainy Alley", "Rainy Alley"),
        ("../..", "../..", "lora"),
        ("1" * 200, "Rainy Alley", "Rainy Alley"),
        ("model of a lora.safetensors", "x", "model of a lora"),
    ],
)
def test_a_fetched_file_is_called_as_at_its_source_unless_that_says_nothing(
    file: str, title: str, stem: str
) -> None:
    assert stem_for(file, title, ()) == stem


def test_a_fetched_files_name_is_not_anothers() -> None:
    assert stem_for("rain.safetensors", "x", ("RAIN", "rain-2")) == "rain-3"


@pytest.mark.parametrize(
    ("high", "low"),
    [
        ("fox_high", "fox_low"),
        ("fox_high_noise", "fox_low_noise"),
        ("fox-HIGH-v2", "fox-LOW-v2"),
        ("wan22_highnoise_fox", "wan22_lownoise_fox"),
        ("FoxHighNoise", "FoxLowNoise"),
        ("fox_High", "Fox_low"),
    ],
)
def test_two_halves_are_a_pair(high: str, low: str) -> None:
    assert (noise_half(high), noise_half(low)) == ("high", "low")
    assert noise_pairs([low, "other", high]) == {high: low}
    assert noise_pairs([high]) == noise_pairs([low]) == {}


@pytest.mark.parametrize(
    "stem", ["highlander", "flow", "slow_motion", "yellow", "high_to_low", "shallow", "fox"]
)
def test_other_words_are_no_halves(stem: str) -> None:
    assert noise_half(stem) == ""
    assert noise_pairs([stem, stem.replace("high", "low")]) == {}
