"""The judging page in Chromium: by keyboard, at several widths, and by axe-core."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.evaluation.pictures.judging.verdicts import (
    HUMAN_FILE,
    NONE,
    PairVerdict,
    VerdictFile,
)
from tests.browser.axe import has_axe, serious
from tests.browser.chromium import PATIENCE_MS, Browser, Visit, eventually
from tests.evaluation.pictures.judging.test_page import page_of, pairs_in

OVER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
WHOLE = "[...document.querySelectorAll('img')].every(one => one.complete && one.naturalWidth)"


def standing(folder: Path) -> list[PairVerdict]:
    return [each for each in VerdictFile(folder / HUMAN_FILE).latest() if each.choice != NONE]


@contextmanager
def opened(browser: Browser, folder: Path, width: int = 1400, **wanted: Any) -> Iterator[Visit]:
    size = {"width": width, "height": 850}
    pairs = pairs_in(folder)
    with (
        page_of(folder, pairs) as client,
        browser.new_context(viewport=size, **wanted) as context,
    ):
        here = Visit(context.new_page())
        here.page.set_default_timeout(PATIENCE_MS)
        here.page.on("pageerror", lambda error: here.complaints.append(str(error)))
        here.page.on("console", here._hear)
        here.page.on("response", here._look)
        here.page.goto(client.url)
        yield here
        assert here.complaints == []


def begin(here: Visit, name: str = "Ada") -> None:
    here.page.get_by_label("Your name").fill(name)
    here.page.keyboard.press("Enter")
    counted(here, 0)


def counted(here: Visit, done: int) -> None:
    eventually(lambda: here.page.locator("#bar").get_attribute("value") == str(done), here.page)
    eventually(lambda: here.page.evaluate(WHOLE), here.page)


def test_pairs_are_judged_and_taken_back_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path) as here:
        begin(here)
        for done, key in enumerate(("ArrowLeft", "ArrowRight", "ArrowDown", "ArrowLeft"), 1):
            here.page.keyboard.press(key)
            counted(here, done)
        here.page.keyboard.press("Backspace")
        counted(here, 3)
        assert [each.choice for each in standing(tmp_path)] == ["left", "right", "tie"]
        here.page.reload()
        here.page.get_by_label("Your name").fill("Ada")
        here.page.get_by_role("button", name="Begin").click()
        counted(here, 3)
        for done in (4, 5, 6):
            here.page.get_by_role("button", name="Tie").click()
            here.page.locator(f"#count:text('{done} of 6')").wait_for()
        here.page.locator("#finished").wait_for(state="visible")
        here.page.keyboard.press("ArrowLeft")
        here.page.keyboard.press("Backspace")
        counted(here, 5)
    assert len(standing(tmp_path)) == 5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_it_fits_and_axe_finds_nothing_serious_in_it(
    browser: Browser, tmp_path: Path, theme: str, width: int
) -> None:
    axe = has_axe()
    with opened(browser, tmp_path, width, color_scheme=theme, bypass_csp=True) as here:
        assert here.page.evaluate(OVER) <= 0
        begin(here)
        here.picture(f"judging-{theme}-{width}")
        assert here.page.evaluate(OVER) <= 0
        left, right = (here.page.locator(f"#{side}").bounding_box() for side in ("left", "right"))
        assert left is not None
        assert right is not None
        assert min(left["width"], right["width"]) >= 350
        assert (left["width"], left["height"]) == (right["width"], right["height"])
        if axe:
            assert serious(here.page, "body") == []


def test_a_server_that_ended_is_said(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path) as here:
        begin(here)
        here.page.route("**/v1/choose", lambda route: route.abort())
        here.page.keyboard.press("ArrowLeft")
        eventually(lambda: here.page.inner_text("#problem"), here.page)
        here.page.unroute("**/v1/choose")
        here.page.keyboard.press("ArrowLeft")
        counted(here, 1)
        assert here.page.inner_text("#problem") == ""
        here.complaints.clear()
