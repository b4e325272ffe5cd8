"""The Stylus tab and the accordion for everybody: names and labels, light and dark, wide and
narrow; by axe-core where it is, and by checks of our own.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.axe import has_axe, serious
from tests.browser.chromium import (
    PATIENCE_MS,
    REQUIRED_VARIABLE,
    Browser,
    Visit,
    eventually,
    visit,
)
from tests.browser.own_tab import PARTS, Desk, OwnTab
from tests.browser.running import Running
from tests.browser.test_preview import PROMPT, Accordion

# Whatever can be operated, and has no name that somebody who does not see it could hear.
NAMELESS = """() => [...document.querySelectorAll('#stylus_tab_mount :is(button, input, select, textarea, a[href], progress)')]
    .filter(one => !(one.getAttribute('aria-label') || '').trim() && !(one.labels && one.labels.length) && !one.textContent.trim())
    .map(one => one.outerHTML.slice(0, 120))"""  # noqa: E501
TWICE = (
    "() => { const ids = [...document.querySelectorAll('#stylus_tab_mount [id]')].map(one =>"
    " one.id); return ids.filter((id, at) => ids.indexOf(id) !== at); }"
)
FOREIGN = (
    "() => [...document.querySelectorAll('#stylus_tab_mount [id]')].map(one => one.id).filter(id =>"
    " !id.startsWith('stylus_'))"
)
OVER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def test_every_control_has_a_name_and_ids_are_ours_and_once(
    planner: Desk, browser: Browser
) -> None:
    with browser.new_context(viewport={"width": 1400, "height": 1000}) as context:
        tab = _opened(planner, Visit(context.new_page()), "")
        for name in PARTS:
            tab.turn_to(name)
            tab.page.wait_for_timeout(300)
        assert tab.page.evaluate(NAMELESS) == []
        assert tab.page.evaluate(TWICE) == []
        assert tab.page.evaluate(FOREIGN) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 420])
def test_it_fits_and_axe_finds_nothing_serious(
    planner: Desk, browser: Browser, theme: str, width: int
) -> None:
    axe = has_axe()
    with browser.new_context(viewport={"width": width, "height": 1000}) as context:
        here = Visit(context.new_page())
        tab = _opened(planner, here, f"?__theme={theme}")
        tab.search("dog")
        tab.page.locator("#stylus_cards .stylus-open").first.wait_for(state="visible")
        tab.page.wait_for_timeout(300)
        tab.page.locator("#stylus_cards .stylus-open").first.click()
        tab.part("edit_text").wait_for(state="visible")
        here.picture(f"{planner.server.gradio}-{theme}-{width}-detail")
        found: list[str] = serious(tab.page, "#stylus_tab_mount") if axe else []
        tab.part("close").click()
        for name in PARTS:
            tab.turn_to(name)
            tab.page.wait_for_timeout(400)
            assert tab.page.evaluate(OVER) <= 0, name
            found += [
                f"{name}: {one}" for one in (serious(tab.page, "#stylus_tab_mount") if axe else [])
            ]
            here.picture(f"{planner.server.gradio}-{theme}-{width}-{name}")
    assert found == []
    if not axe:
        pytest.skip("The layout fits; axe-core is not installed, so its checks were not run.")


def test_a_required_run_fails_without_axe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "axe.js").write_text("another script")
    monkeypatch.setenv("STYLUS_AXE", str(tmp_path / "axe.js"))
    monkeypatch.delenv(REQUIRED_VARIABLE, raising=False)
    assert not has_axe()
    monkeypatch.setenv(REQUIRED_VARIABLE, "required")
    with pytest.raises(pytest.fail.Exception):
        has_axe()


def test_a_box_shows_whether_it_is_ticked(planner: Desk, browser: Browser) -> None:
    """gradio's style takes the browser's own tick away, and draws a white one on nothing."""
    with visit(browser, planner.server.url) as here:
        OwnTab(here.page).open()
        box = here.page.locator("#stylus_show_pictures")
        here.page.mouse.move(0, 0)
        before = box.screenshot(animations="disabled")
        here.page.evaluate("document.getElementById('stylus_show_pictures').checked = true")
        assert box.screenshot(animations="disabled") != before


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_an_accordion_with_all_of_its_parts(
    server: Running, browser: Browser, theme: str
) -> None:
    if not has_axe():
        pytest.skip("axe-core is not installed.")
    with visit(browser, f"{server.url}?__theme={theme}") as here:
        panel = Accordion(here.page).open()
        panel.generate(server, PROMPT)
        panel.select_picture(0)
        panel.wait_for_made_with("corgi_dog")
        panel.open_options()
        more = panel.part("more_mount")
        more.locator("summary:has-text('Dry run')").click()
        panel.press("What would be chosen for the last 50 prompts", more)
        panel.preview("corgi dog, watercolor painting in __place__")
        panel.choose("Keep for this prompt", panel.card("corgi_dog"))
        panel.wait_for(".stylus-card .stylus-badge")
        panel.press("Leave watercolor_painting out", panel.card("watercolor_painting"))
        panel.wait_for_names("corgi_dog")
        for name in ("What the next", "Considered"):
            panel.place.locator(f"summary:has-text('{name}')").click()
        panel.choose("Details", panel.card("corgi_dog"))
        panel.choose("Never use", panel.card("corgi_dog"))
        panel.used.locator(".stylus-menu-button").click()
        eventually(lambda: more.locator(".stylus-rehearsal tbody tr").count() == 2, here.page)
        found = [
            one
            for place in (
                "#stylus_txt2img_mount",
                "#stylus_txt2img_tools_mount",
                "#stylus_txt2img_more_mount",
                "#txt2img_results .stylus-used",
            )
            for one in serious(here.page, place)
        ]
        for width in (1400, 700, 400):
            here.page.set_viewport_size({"width": width, "height": 900})
            here.page.wait_for_timeout(200)
            here.picture(f"{server.gradio}-accordion-{theme}-{width}")
            assert here.page.evaluate(OVER) <= 0, width
        panel.press("Keep this set", panel.tools)
        panel.wait_for(".stylus-lock")
        found += serious(here.page, "#stylus_txt2img_mount")
        panel.press("Unlock", panel.tools)
        eventually(lambda: panel.place.locator(".stylus-lock").count() == 0, here.page)
    assert found == []


def _opened(planner: Desk, here: Visit, query: str) -> OwnTab:
    here.page.set_default_timeout(PATIENCE_MS)
    here.open(planner.server.url + query)
    return OwnTab(here.page).open()
