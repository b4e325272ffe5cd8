"""The panel as somebody in front of it has it: opens it, sets its controls, reads its line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.browser.chromium import eventually
from tests.browser.running import Running

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


TABS = ("txt2img", "img2img")
SLIDERS = ("max_adapters", "per_task", "strength")
QUIET = ("max_adapters", "strength")
DROPDOWNS = ("diversity", "family", "composer", "combination")


@dataclass(frozen=True, slots=True)
class Panel:
    page: Page
    tab: str = "txt2img"

    def part(self, name: str) -> Locator:
        return self.page.locator(
            f"#stylus_{self.tab}_{name}"
        ).first  # gradio 3 gives some ids twice

    def turn_to(self) -> Panel:
        self.page.locator(
            f"#tabs > * > button:text-is('{self.tab}'), #tabs [role=tab]:text-is('{self.tab}')"
        ).first.click()
        return self

    def turn(self) -> None:
        """The accordion's head opens and enables, or closes and disables."""
        self.part("enabled").locator(".label-wrap").first.click()

    def tick(self) -> None:
        """The box in the head enables alone, so that the accordion may stay closed."""
        self.part("enabled-visible-checkbox").click()

    def line(self) -> str:
        return self.part("state").inner_text().strip()

    def wait_for_line(self, words: str) -> str:
        eventually(lambda: words in self.line(), self.page)
        return self.line()

    def wait_ready(self) -> None:
        """A ready engine is marked, and says nothing."""
        mark = self.part("state").locator(".stylus-ready")
        eventually(lambda: mark.count() > 0 and self.line() == "", self.page)

    def wait_for_empty_line(self) -> None:
        eventually(lambda: self.line() == "", self.page)

    def open_options(self) -> None:
        if not self.part("seed").is_visible():
            self.part("more").locator(".label-wrap").click()
        self.part("seed").wait_for(state="visible")

    def set(self, name: str, value: Any) -> None:
        if name not in QUIET:
            self.open_options()
        if name in SLIDERS:
            box = self.part(name).locator("input[type=number]")
            box.fill(str(value))
            box.blur()
        elif name in DROPDOWNS:
            self.part(name).locator("input").click()
            self.page.locator(f"ul.options li[aria-label='{value}']").click()
        elif isinstance(value, bool):
            self.part(name).locator("input").set_checked(value)
        else:
            box = self.part(name).locator("input")
            box.fill(str(value))
            box.blur()

    def prompt(self) -> Locator:
        return self.page.locator(f"#{self.tab}_prompt textarea")

    def shown(self) -> str:
        """What stands under the pictures: the infotext of the first."""
        return self.page.locator(f"#html_info_{self.tab}").first.inner_text()

    def wait_for_pictures(self) -> str:
        eventually(lambda: "Steps:" in self.shown(), self.page)
        return self.shown()

    def press_generate(self, prompt: str) -> None:
        self.prompt().fill(prompt)
        self.page.locator(f"#{self.tab}_generate").click()

    def generate(self, server: Running, prompt: str) -> dict[str, Any]:
        """To the last picture; gives back what reached `process`."""
        known = len(server.told()["infotexts"])
        self.press_generate(prompt)
        eventually(lambda: len(server.told()["infotexts"]) > known, self.page)
        self.wait_for_pictures()
        return dict(
            next(call for call in reversed(server.told()["calls"]) if call["prompt"] == prompt)
        )
