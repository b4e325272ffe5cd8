"""The panel in each gradio: it opens, its controls work and arrive, its line says what happens, and
nothing else happens.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stylus_ext.environment.layout import Environment
from tests.browser.chromium import Browser, eventually, visit
from tests.browser.conftest import orders
from tests.browser.panel import TABS, Panel
from tests.browser.running import Running, running

if TYPE_CHECKING:
    from playwright.sync_api import Playwright


PROMPT = "corgi dog, watercolor painting"
CHANGED: dict[str, Any] = {
    "max_adapters": 5,
    "per_task": 2,
    "strength": 0.55,
    "diversity": "all",
    "vary_inside_batch": True,
    "seed": 42,
    "family": "sdxl",
    "combination": "switch",
}
ARRIVED = [True, "rules", 5, 2, 0.55, "all", False, True, 42, "sdxl", "", False]


def test_it_opens_and_nothing_complains(server: Running, browser: Browser, say: list[str]) -> None:
    """What the page of this gradio says without us is its own affair."""
    with visit(browser, server.bare) as bare:
        pass
    with visit(browser, server.url) as here:
        for tab in TABS:
            panel = Panel(here.page, tab).turn_to()
            assert not panel.part("preview").is_visible()
            panel.turn()
            panel.wait_ready()
            for name in ("preview", "max_adapters", "strength"):
                assert panel.part(name).is_visible(), name
            for name in ("per_task", "seed", "diversity", "family", "combination", "compare"):
                assert not panel.part(name).is_visible(), name
            here.picture(f"{server.gradio}-{tab}-quiet")
            panel.open_options()
            for name in CHANGED:
                assert panel.part(name).is_visible(), name
            for name in ("composer", "downloads", "replay", "set_up", "retry", "afresh"):
                assert not panel.part(name).is_visible(), name
            here.picture(f"{server.gradio}-{tab}")
            panel.turn()
            panel.wait_for_empty_line()
    assert set(here.complaints) <= set(bare.complaints)
    assert len(here.complaints) <= len(bare.complaints)
    assert here.outside <= bare.outside
    say.append(f"gradio {server.gradio}: panel built in {server.built_in_ms} ms")


@pytest.mark.parametrize("tab", TABS)
def test_every_control_arrives(server: Running, browser: Browser, tab: str) -> None:
    with visit(browser, server.url) as here:
        panel = Panel(here.page, tab).turn_to()
        off = panel.generate(server, f"a corgi without stylus in {tab}")
        assert off["tab"] == tab
        assert off["args"][0] is False
        panel.turn()
        panel.wait_ready()
        for name, value in CHANGED.items():
            panel.set(name, value)
        family = panel.part("family")
        eventually(lambda: "Remembered for this checkpoint" in family.inner_text(), here.page)
        on = panel.generate(server, f"a corgi with stylus in {tab}")
        panel.set("family", "auto")
        eventually(lambda: "SD 1.5" in family.inner_text(), here.page)
        here.picture(f"{server.gradio}-{tab}-changed")
    assert on["args"][:12] == ARRIVED
    assert on["args"][12].endswith(f".{tab}")
    assert on["args"][13:] == ["switch"]


def test_its_line_has_the_notes_of_the_last_picture(server: Running, browser: Browser) -> None:
    with visit(browser, server.url) as here:
        panel = Panel(here.page)
        panel.turn()
        panel.wait_ready()
        panel.generate(server, "qqq zzz")
        panel.wait_for_line("No LoRA here fits")
        panel.generate(server, PROMPT)
        eventually(lambda: "No LoRA here fits" not in panel.line(), here.page)
        here.picture(f"{server.gradio}-made")
    assert "<lora:corgi_dog:" in server.told()["infotexts"][-1]


def test_a_pasted_picture_is_played_again_until_one_selects_afresh(
    server: Running, browser: Browser
) -> None:
    with visit(browser, server.url) as here:
        panel = Panel(here.page)
        panel.turn()
        panel.wait_ready()
        panel.generate(server, PROMPT)
        infotext = server.told()["infotexts"][-1]
        panel.prompt().fill(infotext)
        here.page.locator("#txt2img_paste").click()
        panel.part("afresh").wait_for(state="visible")
        here.picture(f"{server.gradio}-pasted")
        tagged = panel.prompt().input_value()
        assert "<lora:corgi_dog:" in tagged
        again = panel.generate(server, tagged)
        assert again["args"][10] != ""
        panel.part("afresh").click()
        panel.part("afresh").wait_for(state="hidden")
        assert panel.prompt().input_value() == PROMPT
        assert panel.generate(server, PROMPT)["args"][10] == ""


def test_three_browsers_do_not_mix(server: Running, playwright: Playwright, chromium: str) -> None:
    browsers = [Browser(playwright, chromium) for _ in range(3)]
    try:
        _drive_together(server, browsers)
    finally:
        for one in browsers:
            one.close()


def _drive_together(server: Running, browsers: list[Browser]) -> None:
    from contextlib import ExitStack

    with ExitStack() as stack:
        panels = [Panel(stack.enter_context(visit(one, server.url)).page) for one in browsers]
        for number, panel in enumerate(panels):
            panel.turn()
            panel.set("seed", 100 + number)
            panel.set("max_adapters", 1 + number)
        for panel in panels:
            panel.wait_ready()
        for number, panel in enumerate(panels):
            panel.press_generate(f"corgi number {number}")
        for number, panel in enumerate(panels):
            assert panel.wait_for_pictures().startswith(f"corgi number {number}")
    calls = {call["prompt"]: call["args"] for call in server.told()["calls"]}
    for number in range(3):
        args = calls[f"corgi number {number}"]
        assert (args[2], args[8]) == (1 + number, 100 + number)


def test_without_the_hosts_queue_it_still_follows_a_little(
    environment: Environment, prepared: Path, tmp_path: Path, browser: Browser
) -> None:
    """--no-gradio-queue: gradio 3 refuses events that answer more than once."""
    with (
        running(environment, orders(tmp_path, prepared, {"no_gradio_queue": True})) as server,
        visit(browser, server.url) as here,
    ):
        panel = Panel(here.page)
        panel.turn()
        panel.wait_ready()
        panel.set("family", "sd1")
        family = panel.part("family")
        eventually(lambda: "Remembered for this checkpoint" in family.inner_text(), here.page)
