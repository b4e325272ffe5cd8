"""The Stylus tab in each gradio: its script is loaded as the hosts load it, gets its token through
gradio, and is answered.
"""

from __future__ import annotations

from tests.browser.chromium import Browser, eventually, visit
from tests.browser.own_tab import OwnTab
from tests.browser.panel import TABS
from tests.browser.running import Running

CALL = "name => stylus.call(name).then(said => said.version, problem => problem.message)"


def test_a_token_comes_through_gradio_and_opens_the_routes(
    server: Running, browser: Browser
) -> None:
    with visit(browser, server.url) as here:
        here.page.wait_for_function("stylus.page.token()")
        token = here.page.evaluate("stylus.page.token()")
        assert len(token) > 30
        assert here.page.evaluate(CALL, "status") == here.page.evaluate(CALL, "status") != ""
        assert "nothing to ask for" in here.page.evaluate(CALL, "nonsense")
        for tab in ("tab", "txt2img", "img2img"):
            assert here.page.locator(f"#stylus_{tab}_mount").count() == 1
            assert not here.page.locator(f"#stylus_{tab}_page").is_visible()


def test_every_page_has_a_token_of_its_own_and_gets_another_when_it_is_lost(
    server: Running, browser: Browser
) -> None:
    with visit(browser, server.url) as first, visit(browser, server.url) as second:
        tokens = [here.page.evaluate("stylus.page.token()") for here in (first, second)]
        assert tokens[0] != tokens[1]
        assert first.page.evaluate("stylus.page.token(true)") not in tokens


def test_the_tab_shows_what_the_engine_says(server: Running, browser: Browser) -> None:
    with visit(browser, server.bare) as bare:
        pass
    with visit(browser, server.url) as here:
        here.page.locator(
            "#tabs > * > button:text-is('Stylus'), #tabs [role=tab]:text-is('Stylus')"
        ).first.click()
        place = here.page.locator("#stylus_tab_mount")
        eventually(lambda: "Recipes" in place.inner_text(), here.page)
    assert set(here.complaints) <= set(bare.complaints)
    assert here.outside <= bare.outside


def test_the_order_of_the_scripts_does_not_matter(server: Running, browser: Browser) -> None:
    for wanted in ("?order", "?bare", "?order&bare"):
        with visit(browser, f"{server.url}{wanted}") as here:
            tab = OwnTab(here.page).open()
            here.page.locator("#stylus_found[data-message]").wait_for()
            assert tab.head("catalogue").get_attribute("aria-selected") == "true"
            assert here.page.locator("[data-drawn]").count() == 1 + 3 * len(TABS)
            assert [one for one in here.complaints if "stylus" in one.lower()] == []


def test_its_parts_are_turned_by_arrows_and_its_texts_may_be_in_another_language(
    server: Running, browser: Browser
) -> None:
    with visit(browser, server.url) as here:
        tab = OwnTab(here.page).open()
        tab.head("catalogue").focus()
        for key, name in (
            ("ArrowRight", "recipes"),
            ("End", "setup"),
            ("ArrowRight", "catalogue"),
            ("ArrowLeft", "setup"),
            ("Home", "catalogue"),
        ):
            here.page.keyboard.press(key)
            assert here.page.evaluate("document.activeElement.id") == f"stylus_head_{name}"
            assert tab.head(name).get_attribute("aria-selected") == "true"
            assert here.page.locator("#stylus_tab_mount [role=tab][tabindex='0']").count() == 1
            assert tab.part(f"part_{name}").is_visible()
        here.page.evaluate(
            "window.localization = {'Search': 'Suche', '{total} found': '{total} gefunden'}"
        )
        assert here.page.evaluate("stylus.text('search')") == "Suche"
        assert here.page.evaluate("stylus.text('found', {total: '<b>'})") == "<b> gefunden"
        assert here.page.evaluate("stylus.text('no such text')") == "no such text"
