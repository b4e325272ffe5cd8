"""Recognition of sliders, accelerators and utilities."""

from __future__ import annotations

import pytest

from stylus_ext.catalogue.refine.rules import Flags, flags_of
from tests.fakes import make_card

SLIDER, SPEED, UTILITY = Flags(slider=True), Flags(speed=True), Flags(utility=True)


@pytest.mark.parametrize(
    ("name", "tags", "text", "flags"),
    [
        ("Age Slider", (), "", SLIDER),
        ("age_slider_v2", (), "", SLIDER),
        ("Muscles", ("sliders",), "", SLIDER),
        ("boldline", ("style",), "Made with LECO.", SLIDER),
        ("Bigger eyes", (), "Use weights from -5 to 5.", SLIDER),
        ("Saturation", (), "Negative weights make it grey.", Flags(slider=True, utility=True)),
        ("LCM-LoRA SDXL", (), "", SPEED),
        ("SDXL Lightning LoRAs", (), "", SPEED),
        ("Hyper-SD 8 steps lora", (), "", SPEED),
        ("DMD2 speed lora", (), "", SPEED),
        ("TCD LoRA", (), "", SPEED),
        ("sd15_hyper", (), "", SPEED),
        ("Flux Turbo Alpha", (), "", SPEED),
        ("Lightning pack", (), "Works in 4 steps, distilled.", SPEED),
        ("4-step Lightning LoRA", (), "", SPEED),
        ("lightx2v I2V", (), "", SPEED),
        ("Detail Tweaker LoRA", ("concept",), "", UTILITY),
        ("Add More Details", (), "", UTILITY),
        ("add_detail", (), "", UTILITY),
        ("epi_noiseoffset", (), "", UTILITY),
        ("Offset noise", ("style",), "", UTILITY),
        ("Better Hands", (), "", UTILITY),
        ("Hands fix", ("concept",), "", UTILITY),
        ("LowRA", (), "", UTILITY),
        ("Contrast Fix", (), "", UTILITY),
        ("Quality Enhancer XL", (), "", UTILITY),
        ("Skin enhancer", (), "", UTILITY),
        ("细节调整", (), "", UTILITY),
        ("Anything", ("utility",), "", UTILITY),
    ],
)
def test_flags_are_recognised(name: str, tags: tuple[str, ...], text: str, flags: Flags) -> None:
    assert flags_of(make_card(name=name, tags=tags), text) == flags


@pytest.mark.parametrize(
    ("name", "tags", "text"),
    [
        ("Rainy Alley", ("background",), ""),
        ("Lightning | Final Fantasy XIII", ("character",), "from 1 to 8 steps"),
        ("Lightning bolts", (), "Weight 0.8."),
        ("Twin Turbo | Uma Musume", ("character",), ""),
        ("Turbo car", ("vehicle",), "20 steps"),
        ("Hyper Girl", ("character", "anime"), ""),
        ("Slam Dunk style", ("style",), ""),
        ("Detailed Eyes", ("concept",), ""),
        ("Fist in Hand", ("poses",), ""),
        ("Holding hands", ("poses",), ""),
        ("Hand on own arm", ("poses",), "Hands are hard."),
        ("Wide landscape", (), "Works with SDXL Turbo and LCM too."),
        ("SPYBG's Enhancer girl", ("character",), ""),
        ("Poster look", ("style", "noise offset"), ""),
        ("", (), ""),
    ],
)
def test_similar_words_set_no_flag(name: str, tags: tuple[str, ...], text: str) -> None:
    assert flags_of(make_card(name=name, tags=tags), text) == Flags()
