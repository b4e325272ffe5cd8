"""A Chromium that dies is no finding: another one opens the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.chromium import Browser, Visit, visit
from tests.browser.running import Running

if TYPE_CHECKING:
    from playwright.sync_api import Playwright


def test_another_takes_the_place_of_one_that_died(
    server: Running, playwright: Playwright, chromium: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, opened, tries = Browser(playwright, chromium), Visit.open, []

    def opened_by_the_second(self: Visit, url: str) -> None:
        tries.append(url)
        if len(tries) == 1:
            browser.close()
        opened(self, url)

    monkeypatch.setattr(Visit, "open", opened_by_the_second)
    with visit(browser, server.bare) as here:
        assert here.page.title()
    assert len(tries) == 2
    browser.close()
    with visit(browser, server.bare) as here:
        assert here.page.title()
    browser.close()


def test_what_a_page_does_wrong_is_told(browser: Browser) -> None:
    from playwright.sync_api import Error

    with pytest.raises(Error, match="net::ERR_"), visit(browser, "http://127.0.0.1:9/"):
        pass
    assert browser.lives
