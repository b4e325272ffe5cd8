"""The hidden button that brings the page its token: on every place of ours, wired once, and refused
to other sites' pages.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.host.double.fixtures import Stage
from tests.host.double.page import Request

TABS = ("txt2img", "img2img")


def pressed(stage: Stage, tab: str, **headers: str) -> str:
    event = stage.host.page.by_id(f"stylus_{tab}_page").events["click"]
    return str(event.fn(Request({"host": "127.0.0.1:7860", **headers})))


@pytest.mark.parametrize("tab", TABS)
def test_each_press_brings_another_token_into_the_hidden_box(stage: Stage, tab: str) -> None:
    from stylus_ext.host.allowed_hosts import PAGES

    tokens = {pressed(stage, tab) for _ in range(3)}
    assert len(tokens) == 3
    assert all(re.fullmatch(r"[\w-]{20,}", token) and PAGES.knows(token) for token in tokens)
    button, box = (stage.host.page.by_id(f"stylus_{tab}_{name}") for name in ("page", "token"))
    assert button.events["click"].outputs == [box]
    assert not box.visible
    assert box.events["change"].inputs == [box]


@pytest.mark.parametrize("headers", [{"origin": "http://evil.example"}, {"host": "evil.example"}])
def test_another_sites_page_gets_the_reason_and_no_token(
    stage: Stage, headers: dict[str, str]
) -> None:
    said = pressed(stage, "txt2img", **headers)
    assert " " in said
    assert "evil.example" in said


def test_the_tab_is_empty_but_for_its_place(stage: Stage) -> None:
    ((blocks, label, name),) = stage.host.own_tabs
    assert (label, name) == ("Stylus", "stylus")
    assert set(blocks.ids()) == {"stylus_tab_place", "stylus_tab_page", "stylus_tab_token"}
    assert 'id="stylus_tab_mount"' in blocks.by_id("stylus_tab_place").value


def test_what_tells_the_api_its_defaults_is_wired_to_nothing(stage: Stage) -> None:
    before: Any = stage.host.page.ids()
    stage.host.txt2img.api_defaults()
    assert stage.host.page.ids() == before
    assert sum(one.startswith("stylus_") and one.endswith("_page") for one in before) == 2
