from __future__ import annotations

from typing import Any

import pytest

from stylus_ext.core.composition import Candidate, Evidence
from stylus_ext.core.prompt.words import words
from stylus_ext.selection.compose.checks import (
    COINED_UTILITY,
    is_requested_tool,
    tool_purpose,
    tool_refusal,
)
from tests.fakes import make_entry


def tool(name: str, seen: Evidence = Evidence(0.5, 0.5), **more: Any) -> Candidate:  # noqa: B008
    return Candidate(make_entry(1, name, kind="concept", **more), 1.0, seen)


@pytest.mark.parametrize(
    ("candidate", "prompt", "wanted"),
    [
        (tool("LCM Quick Steps", speed=True), "lcm, a castle", True),
        (tool("Quick Steps", speed=True, tags=("lcm",)), "a castle, lcm", True),
        (tool("LCM Quick Steps", speed=True), "a castle", False),
        (tool("SDXL Lightning", speed=True), "a castle struck by lightning", False),
        (
            tool("SDXL Lightning", Evidence(named=("lightning",), rarity=6.0), speed=True),
            "lightning",
            True,
        ),
        (tool("DMD2 Steps", speed=True), "lcm, a castle", False),
        (
            tool("Muscle Slider", Evidence(named=("muscle", "slider"), rarity=9.0), slider=True),
            "muscle slider, a smith",
            True,
        ),
        (tool("Muscle Slider", slider=True), "a smith with muscle", False),
        (
            tool(
                "Add Detail",
                Evidence(trigger="zxdetail", rarity=COINED_UTILITY),
                utility=True,
                triggers=("zxdetail",),
            ),
            "zxdetail, a castle",
            True,
        ),
        (tool("Add Detail", utility=True), "a highly detailed castle", False),
        (tool("Just a Concept"), "just a concept", False),
    ],
)
def test_what_is_wanted(candidate: Candidate, prompt: str, wanted: bool) -> None:
    said = frozenset(words(prompt))
    assert is_requested_tool(candidate, said) is wanted
    assert bool(tool_refusal(candidate, said)) is (bool(tool_purpose(candidate)) and not wanted)
