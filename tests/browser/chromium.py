"""A Chromium without a window, and a page in it that keeps what it complained of and whom it wanted
to reach.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Process
    from playwright.sync_api import (
        BrowserContext,
        ConsoleMessage,
        Page,
        Playwright,
        Response,
        Route,
    )


PROGRAM_VARIABLE, PICTURES_VARIABLE = "STYLUS_CHROMIUM", "STYLUS_SCREENSHOTS"
REQUIRED_VARIABLE = "STYLUS_BROWSER"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--disable-dev-shm-usage",
)
PATIENCE_MS = 60_000.0  # a busy machine is not a bug
_DEATHS = 2


def is_required() -> bool:
    """True if a browser test must fail where it would be skipped."""
    return os.environ.get(REQUIRED_VARIABLE) == "required"


def find_chromium() -> str | None:
    stated = os.environ.get(PROGRAM_VARIABLE)
    return stated or next((found for found in map(shutil.which, _NAMES) if found), None)


@dataclass
class Browser:
    """A process with empty profiles. Chromium itself dies now and then while it starts; another
    takes its place then.
    """

    playwright: Playwright
    program: str
    _process: Process | None = None

    def new_context(self, **wanted: Any) -> BrowserContext:
        if self._process is None or not self._process.is_connected():
            self._process = self.playwright.chromium.launch(
                executable_path=self.program, headless=True, args=list(_FLAGS)
            )
        return self._process.new_context(**wanted)

    @property
    def lives(self) -> bool:
        return self._process is not None and self._process.is_connected()

    def close(self) -> None:
        if self._process is not None:
            self._process.close()


@dataclass
class Visit:
    """One page, and what it said: `complaints` of its scripts and of answers that failed, `outside`
    the hosts beyond loopback.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    outside: set[str] = field(default_factory=set)

    def open(self, url: str) -> None:
        self.page.route(lambda _: True, self._meet)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("response", self._look)
        self.page.goto(url, wait_until="load")
        self.page.wait_for_selector("#txt2img_prompt textarea")
        self.page.wait_for_selector(".accordions-are-linked", state="attached")

    def picture(self, name: str) -> None:
        folder = os.environ.get(PICTURES_VARIABLE)
        if folder:
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    def _meet(self, route: Route) -> None:
        host = urlsplit(route.request.url).hostname
        if host in ("127.0.0.1", "localhost", None):
            route.continue_()
            return
        self.outside.add(host)
        route.abort()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"console: {message.text}")

    def _look(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} {urlsplit(response.url).path}")


@contextmanager
def visit(browser: Browser, url: str) -> Iterator[Visit]:
    """In a profile of its own: what one page keeps, no other sees."""
    made = _opened(browser, url)
    with made.page.context:
        yield made


def _opened(browser: Browser, url: str) -> Visit:
    from playwright.sync_api import Error

    for _ in range(_DEATHS):
        context = browser.new_context(viewport={"width": 1400, "height": 1000})
        try:
            made = Visit(context.new_page())
            made.page.set_default_timeout(PATIENCE_MS)
            made.open(url)
        except Error:
            if browser.lives:
                context.close()
                raise
        else:
            return made
    raise AssertionError("Chromium died each time that it opened the page.")


def eventually(true: Callable[[], object], page: Page, patience_ms: float = PATIENCE_MS) -> None:
    """Lets the page go on until something holds outside it."""
    waited = 0
    while not true():
        assert waited < patience_ms, "it did not happen"
        page.wait_for_timeout(50)
        waited += 50
