"""A preview that no longer matches the page says so at once, and one that matches again is back
with its corrections.
"""

from __future__ import annotations

from tests.browser.chromium import Browser, eventually, visit
from tests.browser.running import Running
from tests.browser.test_preview import PROMPT, Accordion


def is_stale(panel: Accordion) -> bool:
    plan = panel.place.locator("> .stylus-plan")
    return bool(plan.evaluate("one => one.disabled && one.classList.contains('stylus-stale')"))


def test_another_prompt_makes_it_stale_and_the_first_one_brings_it_back(
    server: Running, browser: Browser
) -> None:
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open().preview()
        panel.press("Leave corgi_dog out", panel.card("corgi_dog"))
        panel.wait_for_names("watercolor_painting")
        assert not is_stale(panel)
        panel.prompt().press("End")
        panel.prompt().press_sequentially("s")
        assert is_stale(panel)
        assert "prompt changed" in panel.said()
        here.picture(f"{server.gradio}-stale")
        panel.generate(server, "corgi dog")
        assert "<lora:corgi_dog:" in server.told()["infotexts"][-2]
        assert "chosen anew" in panel.shown()
        panel.prompt().fill(PROMPT)
        eventually(lambda: not is_stale(panel), here.page)
        assert "found" in panel.said()
        panel.generate(server, PROMPT)
        assert "<lora:corgi_dog:" not in server.told()["infotexts"][-2]


def test_an_earlier_preview_is_shown_again_when_its_prompt_is_put_back(
    server: Running, browser: Browser
) -> None:
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open().preview()
        panel.press("Leave corgi_dog out", panel.card("corgi_dog"))
        panel.wait_for_names("watercolor_painting")
        panel.preview("corgi dog")
        assert panel.names() == ["corgi_dog"]
        panel.prompt().fill(PROMPT)
        panel.wait_for_names("watercolor_painting")
        eventually(lambda: not is_stale(panel), here.page)
        panel.generate(server, PROMPT)
        assert "<lora:corgi_dog:" not in server.told()["infotexts"][-2]
        panel.prompt().fill("corgi dog")
        panel.wait_for_names("corgi_dog")


def test_settings_styles_and_the_negative_prompt_make_it_stale(
    server: Running, browser: Browser
) -> None:
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open().preview()
        for name, changed, before in (
            ("max_adapters", 1, 3),
            ("strength", 0.5, 1),
            ("diversity", "all", "varied"),
            ("combination", "merge", "auto"),
        ):
            panel.set(name, changed)
            eventually(lambda: is_stale(panel), here.page)
            panel.set(name, before)
            eventually(lambda: not is_stale(panel), here.page)
        negative = here.page.locator("#txt2img_neg_prompt textarea")
        negative.fill("blurry")
        assert is_stale(panel)
        negative.fill("")
        assert not is_stale(panel)
        here.page.locator("#txt2img_styles input").click()
        here.page.locator("ul.options li[aria-label='Painted']").click()
        eventually(lambda: is_stale(panel), here.page)


def test_what_was_sent_to_the_prompt_is_not_called_stale(server: Running, browser: Browser) -> None:
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open().preview()
        panel.press("Write trigger words and tags", panel.tools)
        eventually(lambda: "in your prompt" in panel.said(), here.page)
        panel.generate(server, panel.prompt().input_value())
        assert "chosen anew" not in panel.shown()
        panel.press("Remove from the prompt exactly", panel.tools)
        eventually(lambda: not is_stale(panel), here.page)


def test_a_preview_follows_the_typing_where_that_is_wanted(
    server: Running, browser: Browser
) -> None:
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open().preview("corgi dog")
        panel.set("live", True)
        panel.prompt().press("End")
        panel.prompt().press_sequentially(", watercolor painting", delay=20)
        panel.wait_for_names("corgi_dog", "watercolor_painting")
        eventually(lambda: not is_stale(panel), here.page)
        panel.set("live", False)
        panel.prompt().fill("watercolor painting")
        here.page.wait_for_timeout(1_500)
        assert is_stale(panel)
