"""Somebody in a hurry, in each gradio: answers that overtake each other, second clicks, a
duplicated window, prompts of any length.
"""

from __future__ import annotations

import json
from typing import Any

from tests.browser.chromium import PATIENCE_MS, Browser, eventually, visit
from tests.browser.running import Running
from tests.browser.test_preview import PROMPT, Accordion

# The next answer of this name comes so much later.
_LATE = """([name, wait]) => {
    const real = window.fetch;
    let first = true;
    window.fetch = async (...given) => {
        const late = first && String(given[0]).endsWith(`/${name}`);
        if (late) first = false;
        const answer = await real(...given);
        if (late) await new Promise((go) => setTimeout(go, wait));
        return answer;
    };
}"""


def standing(panel: Accordion) -> dict[str, Any]:
    """What the WebUI has on this page's tray."""
    return dict(
        panel.page.evaluate(
            f"stylus.call('preview', {{session_id: stylus.panel.session('{panel.tab}')}})"
        )
    )


def test_an_older_answer_does_not_take_the_place_of_a_newer_one(
    server: Running, browser: Browser
) -> None:
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open().preview()
        older = json.dumps(standing(panel))
        panel.press("Leave corgi_dog out", panel.card("corgi_dog"))
        panel.wait_for_names("watercolor_painting")
        here.page.evaluate("([tab, said]) => stylus.panel.receive(tab, said)", [panel.tab, older])
        assert panel.names() == ["watercolor_painting"]
        older = json.dumps(standing(panel))
        here.page.evaluate(_LATE, ["correct", 700])
        panel.press("Undo changes", panel.tools)
        here.page.evaluate("([tab, said]) => stylus.panel.receive(tab, said)", [panel.tab, older])
        panel.wait_for_names("corgi_dog", "watercolor_painting")


def test_a_second_click_does_not_undo_the_first(server: Running, browser: Browser) -> None:
    """In the place of "Lock" there is "Unlock" a moment later, and so on."""
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open().preview()
        panel.tools.get_by_role("button", name="Keep this set").dblclick(delay=60)
        panel.wait_for(".stylus-lock")
        here.page.wait_for_timeout(600)
        assert standing(panel)["lock"]
        panel.press("Unlock", panel.tools)
        eventually(lambda: not standing(panel)["lock"], here.page)
        panel.tools.get_by_role("button", name="Write trigger words and tags").dblclick(delay=60)
        eventually(lambda: "<lora:corgi_dog:" in panel.prompt().input_value(), here.page)
        here.page.wait_for_timeout(600)
        assert "<lora:corgi_dog:" in panel.prompt().input_value()


def test_a_duplicated_window_has_a_tray_of_its_own(server: Running, browser: Browser) -> None:
    """A browser copies to it what the first one keeps for its session, so both would have one
    name.
    """
    with visit(browser, server.url) as here:
        first = Accordion(here.page).open().preview()
        first.press("Keep this set", first.tools)
        first.wait_for(".stylus-lock")
        with here.page.expect_popup() as got:
            here.page.evaluate("() => { window.open(location.href); }")
        copy = got.value
        copy.set_default_timeout(PATIENCE_MS)
        copy.wait_for_selector("#txt2img_prompt textarea")
        # Not `stylus.panel.session`: who calls that one has told gradio the name.
        name = "sessionStorage.getItem('stylus-session')"
        mine = here.page.evaluate(name)
        eventually(lambda: copy.evaluate(name) != mine, copy)
        assert here.page.evaluate(name) == mine
        second = Accordion(copy)
        eventually(lambda: copy.locator(".stylus-lock").count() == 0, copy)
        second.open()
        given = copy.locator("#stylus_txt2img_seat textarea, #stylus_txt2img_seat input").first
        eventually(lambda: given.input_value() == f"{copy.evaluate(name)}.txt2img", copy)
        second.generate(server, "a ship at sea")
        assert "<lora:" not in server.told()["infotexts"][-1]
        copy.reload()
        copy.wait_for_selector("#txt2img_prompt textarea")
        assert second.used.locator(".stylus-made").inner_text() == ""  # there is no picture
        first.generate(server, "a ship at sea")
        assert "<lora:corgi_dog:" in server.told()["infotexts"][-1]


def test_results_drawn_again_show_the_last_pictures_loras_again(
    server: Running, browser: Browser
) -> None:
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open()
        panel.generate(server, PROMPT)
        panel.select_picture(0)
        panel.wait_for_made_with("corgi_dog")
        panel.used.evaluate("(used) => { used.replaceWith(used.cloneNode(true)); }")
        here.page.evaluate("() => { document.body.append(document.createElement('p')); }")
        panel.wait_for_made_with("corgi_dog")
        panel.generate(server, "a ship at sea")
        eventually(lambda: "corgi" not in panel.used.inner_text(), here.page)


def test_a_half_typed_weight_and_open_lists_survive_what_is_drawn_meanwhile(
    server: Running, browser: Browser
) -> None:
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open().preview()
        panel.press("Leave watercolor_painting out", panel.card("watercolor_painting"))
        panel.wait_for_names("corgi_dog")
        panel.place.locator("summary:has-text('What the next')").click()
        panel.near("watercolor_painting")
        weight = panel.card("corgi_dog").locator("input[type=number]")
        weight.fill("0.3")
        here.page.evaluate(f"stylus.panel.refresh('{panel.tab}')")
        panel.card("corgi_dog").evaluate("one => { one.dataset.old = 'yes'; }")
        eventually(lambda: panel.card("corgi_dog").get_attribute("data-old") is None, here.page)
        assert weight.input_value() == "0.3"
        assert panel.place.locator("details[open]").count() == 2
        here.page.keyboard.press("Tab")
        eventually(
            lambda: (
                [
                    one["weight"]
                    for one in standing(panel)["view"]["picks"]
                    if one["name"] == "corgi_dog"
                ]
                == [0.3]
            ),
            here.page,
        )


def test_a_near_one_is_used_and_an_accepted_one_stays(server: Running, browser: Browser) -> None:
    prompt = f"{PROMPT}, glass skyscraper"
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open()
        panel.set("max_adapters", 2)
        panel.preview(prompt)
        chosen = panel.names()
        assert len(chosen) == 2
        out = next(
            name
            for name in ("corgi_dog", "watercolor_painting", "glass_skyscraper")
            if name not in chosen
        )
        panel.choose("Keep for this prompt", panel.card(chosen[0]))
        panel.wait_for(".stylus-card .stylus-badge")
        panel.press(f"Put {out} into this plan", panel.near(out))
        eventually(lambda: {chosen[0], out} <= set(panel.names()), here.page)
        panel.generate(server, prompt)
        told = server.told()["infotexts"][-2]
        assert f"<lora:{chosen[0]}:" in told
        assert f"<lora:{out}:" in told


def test_prompts_of_any_length_and_with_any_number_of_loras(
    server: Running, browser: Browser
) -> None:
    many = " ".join(f"<lora:{'very_long_name_' * 8}{number}:0.5>" for number in range(75))
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open()
        for prompt in (
            "",
            " \n ",
            "corgi dog, " * 1_800,
            f"corgi dog {many}",
            "w" * 20_000,
            "(((" * 500,
            "\u202ecorgi dog \U0001f600",
        ):
            panel.prompt().fill(prompt)
            panel.part("preview").click()
            eventually(lambda: "found" in panel.said(), here.page)
            assert standing(panel)["view"] is not None
            assert (
                here.page.evaluate(
                    "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                )
                <= 0
            )
            panel.place.locator("> .stylus-line").evaluate("one => { one.textContent = ''; }")


def test_a_preview_is_there_while_a_picture_is_made(server: Running, browser: Browser) -> None:
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open()
        panel.press_generate(PROMPT)
        panel.preview()
        panel.wait_for_pictures()
        panel.select_picture(0)
        panel.wait_for_made_with("corgi_dog")


def test_a_storm_of_ticks_ends_as_the_box_says(server: Running, browser: Browser) -> None:
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open()
        for number in range(9):
            panel.tick()
            here.page.wait_for_timeout(40 + 35 * number)
        assert not panel.part("enabled-visible-checkbox").is_checked()
        panel.wait_for_empty_line()
        here.page.wait_for_timeout(2_000)
        assert panel.line() == ""
        panel.tick()
        panel.wait_ready()
