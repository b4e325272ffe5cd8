"""The accordion's preview in each gradio: every click is looked for in the engine's store, in the
next picture, or in the prompt's box.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from stylus_ext.selection.retrieve.filters import NEVER_USED
from tests.browser.chromium import Browser, eventually, visit
from tests.browser.hostile import HOSTILE as STRANGE
from tests.browser.own_tab import Desk, OwnTab
from tests.browser.panel import TABS, Panel
from tests.browser.running import Running

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


PROMPT = "corgi dog, watercolor painting"


_NOT_ADDED = """one => {
    const copy = one.cloneNode(true);
    for (const added of copy.querySelectorAll('ins')) added.remove();
    return copy.textContent;
}"""


class Accordion(Panel):
    """What the script drew below the panel's controls."""

    @property
    def place(self) -> Locator:
        return self.page.locator(f"#stylus_{self.tab}_mount")

    def open(self) -> Accordion:
        self.turn_to()
        self.turn()
        self.wait_ready()
        return self

    def preview(self, prompt: str = PROMPT) -> Accordion:
        self.prompt().fill(prompt)
        self.part("preview").click()
        eventually(lambda: "found" in self.said() and self.shown_prompt() == prompt, self.page)
        return self

    @property
    def tools(self) -> Locator:
        """The small buttons beside Preview."""
        return self.part("tools_mount")

    def said(self) -> str:
        return self.place.locator("> .stylus-line").inner_text()

    def shown_prompt(self) -> str:
        """Without what is added to it."""
        found = self.place.locator(".stylus-prompt")
        return str(found.evaluate(_NOT_ADDED)) if found.count() else ""

    def added(self) -> list[str]:
        return self.place.locator(".stylus-prompt ins").all_inner_texts()

    @property
    def used(self) -> Locator:
        return self.page.locator(f"#{self.tab}_results .stylus-used")

    def names(self) -> list[str]:
        return self.place.locator(".stylus-card strong").all_inner_texts()

    def card(self, name: str) -> Locator:
        return self.place.locator(f".stylus-card:has(strong:text-is('{name}'))")

    def choose(self, item: str, within: Locator) -> None:
        """An item of the menu of a card, or of the line under the gallery."""
        within.locator(".stylus-menu-button").click()
        within.locator(".stylus-menu [role^=menuitem]", has_text=item).first.click()

    def confirm(self, within: Locator) -> None:
        within.locator(".stylus-question button").first.click()

    def near(self, name: str) -> Locator:
        if not self.place.locator(".stylus-near[open]").count():
            self.place.locator(".stylus-near summary").click()
        return self.place.locator(f".stylus-near li:has(strong:text-is('{name}'))")

    def select_picture(self, number: int) -> None:
        """Opens a picture of the gallery, or turns to it where one is open."""
        gallery = self.page.locator(f"#{self.tab}_gallery")
        small = gallery.locator(".thumbnails .thumbnail-item")
        (small if small.count() else gallery.locator(".thumbnail-item")).nth(number).click()

    def wait_for_made_with(self, *stems: str) -> None:
        made = self.used.locator(".stylus-made")
        eventually(lambda: "Made with" in made.inner_text(), self.page)
        eventually(lambda: all(stem in made.inner_text() for stem in stems), self.page)

    def press(self, name: str, within: Locator | None = None) -> None:
        (within or self.place).get_by_role("button", name=name, exact=False).first.click()

    def wait_for_names(self, *names: str) -> None:
        eventually(lambda: self.names() == list(names), self.page)

    def wait_for(self, selector: str) -> None:
        eventually(lambda: self.place.locator(selector).count() > 0, self.page)


def asked(page: Page, name: str, payload: dict[str, Any]) -> Any:
    """The engine's own word, through the page's door."""
    return page.evaluate("([name, payload]) => stylus.call(name, payload)", [name, payload])


def state_of(panel: Accordion, name: str) -> str:
    """What the store says, asked for by another way than the preview's."""
    session = panel.page.evaluate(f"stylus.panel.session('{panel.tab}')")
    picks = asked(panel.page, "preview", {"session_id": session})["view"]
    entries = [*picks["picks"], *picks["near"]]
    return str(next(one["card"]["state"] for one in entries if one["name"] == name))


@pytest.mark.parametrize("tab", TABS)
def test_a_preview_shows_the_tasks_and_cards_and_makes_no_picture(
    server: Running, browser: Browser, tab: str
) -> None:
    with visit(browser, server.bare) as bare:
        pass
    with visit(browser, server.url) as here:
        known = len(server.told()["calls"])
        panel = Accordion(here.page, tab).open()
        top = panel.prompt().bounding_box()
        panel.preview()
        assert panel.names() == ["corgi_dog", "watercolor_painting"]
        captions = panel.place.locator(".stylus-caption").all_inner_texts()
        assert captions == ["corgi dog", "watercolor painting"]
        assert "<lora:corgi_dog:" in "".join(panel.added())
        assert "SD 1.5" in panel.said()
        assert panel.prompt().bounding_box() == top
        assert len(server.told()["calls"]) == known
        here.picture(f"{server.gradio}-{tab}-preview")
    assert [one for one in here.complaints if one not in bare.complaints] == []
    assert here.outside <= bare.outside


def test_corrections_reach_the_picture(server: Running, browser: Browser) -> None:
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open().preview()
        panel.press("Leave corgi_dog out", panel.card("corgi_dog"))
        panel.wait_for_names("watercolor_painting")
        slider = panel.card("watercolor_painting").locator("input[type=range]")
        slider.fill("0.35")
        number = panel.card("watercolor_painting").locator("input[type=number]")
        eventually(lambda: number.input_value() == "0.35", here.page)
        panel.wait_for(".stylus-badge")
        here.picture(f"{server.gradio}-corrected")
        panel.generate(server, PROMPT)
        told = server.told()["infotexts"][-2]
        assert told.startswith(f"{PROMPT} <lora:watercolor_painting:0.35>")
        assert "used your corrected preview" in panel.shown()
        panel.press("Undo changes", panel.tools)
        panel.wait_for_names("corgi_dog", "watercolor_painting")
        panel.generate(server, PROMPT)
        assert "<lora:corgi_dog:" in server.told()["infotexts"][-2]


def test_never_and_always_are_kept_in_the_catalogue_until_taken_back(
    server: Running, browser: Browser
) -> None:
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open().preview()
        panel.choose("Never use", panel.card("corgi_dog"))
        assert state_of(panel, "corgi_dog") == "auto"
        panel.confirm(panel.card("corgi_dog"))
        panel.wait_for_names("watercolor_painting")
        near = panel.near("corgi_dog")
        assert NEVER_USED in near.inner_text()
        assert state_of(panel, "corgi_dog") == "never"
        here.picture(f"{server.gradio}-never")
        panel.press("Undo: corgi_dog")
        panel.wait_for_names("corgi_dog", "watercolor_painting")
        assert state_of(panel, "corgi_dog") == "auto"
        panel.choose("Always use", panel.card("watercolor_painting"))
        panel.confirm(panel.card("watercolor_painting"))
        eventually(lambda: state_of(panel, "watercolor_painting") == "always", here.page)
        panel.preview("a ship")
        assert panel.names() == ["watercolor_painting"]
        panel.choose("Always use", panel.card("watercolor_painting"))
        eventually(lambda: panel.names() == [], here.page)
        assert panel.place.locator(".stylus-question").count() == 0


def test_a_lock_survives_a_reload_and_is_used_for_another_prompt(
    server: Running, browser: Browser
) -> None:
    with visit(browser, server.url) as here, visit(browser, server.url) as another:
        panel = Accordion(here.page).open().preview()
        panel.press("Keep this set", panel.tools)
        panel.wait_for(".stylus-lock")
        here.page.reload()
        panel = Accordion(here.page)
        eventually(lambda: here.page.locator(".stylus-lock").count() > 0, here.page)
        panel.open()
        here.picture(f"{server.gradio}-locked")
        panel.generate(server, "a ship at sea")
        assert all(
            "<lora:corgi_dog:" in told and "<lora:watercolor_painting:" in told
            for told in server.told()["infotexts"][-2:]
        )
        other = Accordion(another.page).open()
        other.generate(server, "a ship at sea")
        assert "<lora:" not in server.told()["infotexts"][-1]
        panel.press("Unlock", panel.tools)
        eventually(lambda: here.page.locator(".stylus-lock").count() == 0, here.page)


def test_tags_are_sent_to_the_prompt_and_taken_back(server: Running, browser: Browser) -> None:
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open().preview()
        panel.press("Write trigger words and tags", panel.tools)
        eventually(lambda: "<lora:corgi_dog:" in panel.prompt().input_value(), here.page)
        sent = panel.prompt().input_value()
        assert sent.startswith(PROMPT)
        here.picture(f"{server.gradio}-sent")
        panel.prompt().fill(f"{sent}, at night")
        panel.press("Remove from the prompt exactly", panel.tools)
        eventually(lambda: panel.prompt().input_value() == f"{PROMPT}, at night", here.page)
        known = len(server.told()["calls"])
        here.page.locator("#txt2img_generate").click()
        eventually(lambda: len(server.told()["calls"]) > known, here.page)
        assert server.told()["calls"][-1]["prompt"] == f"{PROMPT}, at night"


def test_after_a_generation_what_was_used_can_be_kept_or_found_wrong(
    server: Running, browser: Browser
) -> None:
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open()
        prompt = "corgi dog, glass skyscraper"
        panel.generate(server, prompt)
        panel.select_picture(0)
        panel.wait_for_made_with("corgi_dog", "glass_skyscraper")
        here.picture(f"{server.gradio}-used")
        panel.choose("Wrong for this prompt", panel.used)
        panel.confirm(panel.used)
        line = panel.used.locator(".stylus-line")
        eventually(lambda: "Remembered" in line.inner_text(), here.page)
        panel.preview(prompt)
        assert panel.names() == ["glass_skyscraper"]
        assert "you said that it was wrong for this prompt" in panel.near("corgi_dog").inner_text()
        number = panel.place.locator(".stylus-near li").count()
        assert f"({number})" in panel.place.locator(".stylus-near summary").inner_text()
        panel.press("Undo: Remembered", panel.used)
        panel.wait_for_names("corgi_dog", "glass_skyscraper")
        panel.choose("Lock this set", panel.used)
        panel.wait_for(".stylus-lock")
        panel.generate(server, "a ship at sea")
        assert all(
            "<lora:corgi_dog:" in told and "<lora:glass_skyscraper:" in told
            for told in server.told()["infotexts"][-2:]
        )
        panel.press("Unlock", panel.tools)
        eventually(lambda: panel.place.locator(".stylus-lock").count() == 0, here.page)


def test_a_picture_to_compare_with(server: Running, browser: Browser) -> None:
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open()
        panel.set("compare", True)
        panel.generate(server, PROMPT)
        told = server.told()["infotexts"][-3:]
        assert "<lora:" in told[0]
        assert "<lora:" not in told[2]
        assert "Stylus mask: -" in told[2]
        panel.select_picture(0)
        panel.wait_for_made_with("corgi_dog")
        panel.select_picture(2)
        made = panel.used.locator(".stylus-made")
        eventually(lambda: "without" in made.inner_text(), here.page)
        assert panel.used.locator(".stylus-menu-button").count() == 0


def test_without_an_alternative_a_swapped_one_stays(server: Running, browser: Browser) -> None:
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open().preview()
        panel.press("Replace corgi_dog with the next candidate", panel.card("corgi_dog"))
        panel.wait_for(".stylus-notes")
        assert panel.names() == ["corgi_dog", "watercolor_painting"]
        assert panel.tools.get_by_role("button", name="Undo changes").count() == 0


def test_what_was_used_is_banned_and_pinned_from_under_the_pictures(
    server: Running, browser: Browser
) -> None:
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open().preview()
        panel.generate(server, PROMPT)
        panel.select_picture(0)
        panel.wait_for_made_with("corgi_dog")
        for item, state in (("Never use", "never"), ("Always use", "always")):
            panel.choose(item, panel.used)
            panel.confirm(panel.used)
            eventually(lambda state=state: state_of(panel, "corgi_dog") == state, here.page)  # type: ignore[misc]
            panel.press("Undo: corgi_dog", panel.used)
            eventually(lambda: state_of(panel, "corgi_dog") == "auto", here.page)


HOSTILE = (
    "<script>document.title='gone'</script>",
    "<img src=x onerror=\"document.title='gone'\">",
    "<svg/onload=document.title='gone'>",
    "<b>bold</b>",
    "</p></div><h1>out</h1>",
    "javascript:alert(1)",
    "&lt;i&gt;",
    "&#60;u&#62;",
    "' onmouseover='document.title=1'",
    '" autofocus onfocus="document.title=1"',
    "`${document.title=1}`",
    "{{7*7}}",
    "${7*7}",
    "%3Cscript%3E",
    "\u202eesrever",
    "\u200b\u200b",
    "שלום עולם",
    "مرحبا",
    "😀" * 40,
    "👩‍👩‍👧‍👦 family",
    "a" * 10_000,
    "a b " * 2_500,
    "\n\n\t",
    "\x00\x01\x7f",
    "\ufeffmark",
    "\ud83d",
    "<!-- -->",
    "<![CDATA[x]]>",
    "]]>",
    "--><x>",
    "<iframe src=//evil.test>",
    "<style>*{display:none}</style>",
    "<a href=//evil.test>here</a>",
    "__proto__",
    "constructor",
    "null",
)


def test_whatever_a_card_says_is_shown_as_text(server: Running, browser: Browser) -> None:
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open().preview()
        title, links = here.page.title(), "#stylus_txt2img_mount"
        for text in (*HOSTILE, *STRANGE):
            here.page.evaluate(_FEED, [panel.tab, text, f"https://evil.test/{text[:20]}"])
            strange = "script, img, svg:not(.stylus-drawing), h1, iframe, style, b, i, u"
            assert panel.place.locator(strange).count() == 0
            assert (
                panel.place.locator(".stylus-card strong").evaluate("one => one.textContent")
                == text
            )
            assert here.page.locator(f"{links} a").count() == 0
        assert here.page.title() == title
        assert here.page.evaluate("window.hacked") is None
        here.page.evaluate(_FEED, [panel.tab, "kind", "https://civitai.com/models/1"])
        panel.place.locator(".stylus-menu-button").first.click()
        link = here.page.locator(f"{links} a").first
        assert (link.get_attribute("href"), link.get_attribute("rel")) == (
            "https://civitai.com/models/1",
            "noopener noreferrer",
        )
        wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        here.page.evaluate(_FEED, [panel.tab, "w" * 10_000, ""])
        assert here.page.evaluate(wide)
    assert "evil.test" not in here.outside


# A view of the page's own making, with one text in all of its places.
_FEED = """([tab, text, link]) => {
    const card = {key: text, name: text, family_name: text, state: text, link, stem: text};
    const pick = {key: text, name: text, task: 0, kind: text, reason: text, pinned: true, said: false, kept: false, weight: 1, triggers: [text], schedule: [[0, 1], [0.5, 0]], stem: text,
        on_disk: true, to_download: 0, lowered_from: 1, card};
    const view = {pieces: [{text, added: true, unresolved: true}], negative_added: text, tasks: [{text, start: 0, taken_by: text, picks: [text]}], picks: [pick], cap: 1.5,
        near: [{key: text, name: text, reason: text, mine: false, card}], combinations: [[text], []], batches: 2, exact: false, prompt: text, family_name: text,
        notes: [text]};
    const used = [{seed: 1, off: [text], tags: [{stem: text, weight: 1, key: text, name: text, card}]}];
    stylus.panel.receive(tab, JSON.stringify({view, used, corrected: true, lock: [{key: text, name: text, weight: 1}], sent: true}));
}"""  # noqa: E501


def test_a_bar_shows_when_a_lora_acts(server: Running, browser: Browser) -> None:
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open().preview()
        here.page.evaluate(_FEED, [panel.tab, "Fox", ""])
        bar = panel.place.locator(".stylus-card .stylus-schedule")
        bar.wait_for(state="visible")
        assert "0 % to 50 %" in (bar.get_attribute("aria-label") or "")
        widths = "bar => [bar.offsetWidth, ...[...bar.children].map((turn) => turn.offsetWidth)]"
        whole, turn = bar.evaluate(widths)
        assert turn == pytest.approx(whole / 2, abs=1)
        here.picture(f"{server.gradio}-schedule")


def test_it_fits_a_narrow_window_and_the_dark_theme(server: Running, browser: Browser) -> None:
    with visit(browser, server.url) as here:
        here.page.set_viewport_size({"width": 420, "height": 900})
        panel = Accordion(here.page).open().preview()
        here.page.evaluate("document.body.classList.add('dark')")
        here.picture(f"{server.gradio}-narrow-dark")
        fits = "one => one.scrollWidth <= one.clientWidth + 1"
        assert panel.place.evaluate(fits)
        assert all(card.evaluate(fits) for card in panel.place.locator(".stylus-card").all())


def test_wildcards_are_marked_and_all_of_it_is_within_reach_of_the_keyboard(
    server: Running, browser: Browser
) -> None:
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open().preview("corgi dog in __place__")
        assert panel.place.locator(".stylus-unresolved").all_inner_texts() == ["__place__"]
        button = panel.card("corgi_dog").locator(".stylus-menu-button")
        button.focus()
        here.page.keyboard.press("Enter")
        focused = "document.activeElement.getAttribute('role')"
        assert here.page.evaluate(focused) == "menuitemcheckbox"
        here.page.keyboard.press("Escape")
        assert here.page.evaluate("document.activeElement.dataset.focus").startswith("menu ")
        here.page.keyboard.press("ArrowDown")
        here.page.keyboard.press("End")
        here.page.keyboard.press("Home")
        here.page.keyboard.press("Enter")
        panel.wait_for(".stylus-card .stylus-badge")
        assert here.page.evaluate("document.activeElement.dataset.focus").startswith("menu ")
        button.press("Enter")
        assert here.page.evaluate("document.activeElement.ariaChecked") == "true"
        here.page.keyboard.press("Escape")
        unnamed = (
            "[...document.querySelectorAll('.stylus-plan button:not([role]), .stylus-plan input,"
            " .stylus-used button:not([role])')]"
            ".filter(one => !one.getAttribute('aria-label') || one.tabIndex < 0).length"
        )
        assert here.page.evaluate(unnamed) == 0


def test_escape_closes_what_is_open_and_interrupts_nothing(
    server: Running, browser: Browser
) -> None:
    """The WebUI takes the key as Interrupt."""
    with visit(browser, server.url) as here:
        here.page.evaluate(
            "window.heard = 0; document.addEventListener('keydown', ({ key }) => { heard += key ==="
            " 'Escape' })"
        )
        panel = Accordion(here.page).open().preview()
        panel.card("corgi_dog").locator(".stylus-menu-button").press("Enter")
        here.page.keyboard.press("Escape")
        eventually(lambda: not here.page.locator("[role=menu]:visible").count(), here.page)
        panel.choose("Never use", panel.card("corgi_dog"))
        panel.wait_for(".stylus-question")
        here.page.keyboard.press("Escape")
        eventually(lambda: not here.page.locator(".stylus-question").count(), here.page)
        tab = OwnTab(here.page).open()
        tab.open_jobs()
        here.page.keyboard.press("Escape")
        tab.part("job_drawer").wait_for(state="hidden")
        tab.show_everything()
        here.page.locator("#stylus_cards .stylus-open").first.click()
        tab.part("close").wait_for(state="visible")
        here.page.keyboard.press("Escape")
        tab.part("detail").wait_for(state="hidden")
        assert here.page.evaluate("heard") == 0
        here.page.keyboard.press("Escape")
        assert here.page.evaluate("heard") == 1


def test_styles_are_applied_and_the_next_batches_told(server: Running, browser: Browser) -> None:
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open()
        here.page.locator("#txt2img_styles input").click()
        here.page.locator("ul.options li[aria-label='Painted']").click()
        here.page.keyboard.press("Escape")
        panel.prompt().fill("corgi dog")
        panel.part("preview").click()
        eventually(lambda: panel.shown_prompt() == "corgi dog, oil painting", here.page)
        assert "corgi_dog" in panel.names()
        panel.place.locator("summary:has-text('What the next 2 batches would use')").click()
        assert (
            "Batch 1: corgi_dog"
            in panel.place.locator(".stylus-combinations li").first.inner_text()
        )
        panel.press("Write trigger words and tags", panel.tools)
        eventually(
            lambda: panel.prompt().input_value().startswith("corgi dog <lora:corgi_dog:"), here.page
        )
        assert "oil painting" not in panel.prompt().input_value()


def test_a_dry_run_over_the_last_pictures(server: Running, browser: Browser) -> None:
    with visit(browser, server.url) as here:
        panel = Accordion(here.page).open()
        panel.open_options()
        place = panel.part("more_mount")
        place.locator("summary:has-text('Dry run')").click()
        panel.press("What would be chosen for the last 50 prompts", place)
        eventually(lambda: place.locator(".stylus-rehearsal tbody tr").count() == 2, here.page)
        told = place.locator(".stylus-rehearsal").inner_text()
        assert "2 prompts: LoRAs chosen for 1, the same as before for 1." in told
        row = place.locator(
            ".stylus-rehearsal tbody tr", has_text="corgi dog in the garden"
        ).inner_text()
        assert "corgi_dog" in row
        here.picture(f"{server.gradio}-rehearsed")


def test_a_card_has_the_picture_that_lies_beside_its_file(planner: Desk, browser: Browser) -> None:
    with visit(browser, planner.server.url) as here:
        panel = Accordion(here.page).open().preview()
        panel.card(
            "corgi_dog"
        ).scroll_into_view_if_needed()  # it is fetched when it comes into sight
        panel.card("corgi_dog").locator(".stylus-picture img").wait_for(state="visible")
        assert panel.card("watercolor_painting").locator("img").count() == 0
        assert panel.card("watercolor_painting").locator("svg").count() == 1
        here.picture(f"{planner.server.gradio}-pictured")
    assert not [one for one in here.complaints if "stylus" in one]


def test_five_windows_do_not_mix(server: Running, browser: Browser) -> None:
    prompts = [
        "corgi dog",
        "watercolor painting",
        "glass skyscraper",
        "corgi dog, watercolor painting",
        "a ship",
    ]
    with ExitStack() as stack:
        panels = [
            Accordion(stack.enter_context(visit(browser, server.url)).page).open() for _ in prompts
        ]
        for panel, prompt in zip(panels, prompts, strict=True):
            panel.preview(prompt)
        for panel in panels[:4]:
            panel.press("Keep this set", panel.tools)
        for panel, prompt in zip(panels, prompts, strict=True):
            wanted = (
                [name.replace(" ", "_") for name in prompt.split(", ")]
                if prompt != "a ship"
                else []
            )
            if wanted:
                panel.wait_for(".stylus-lock")
            assert panel.names() == wanted
            panel.generate(server, f"{prompt} again")
            panel.select_picture(0)
            made = panel.used.locator(".stylus-made")
            eventually(lambda made=made: "Made with" in made.inner_text(), panel.page)  # type: ignore[misc]
            used = made.inner_text()
            assert [
                name
                for name in ("corgi_dog", "watercolor_painting", "glass_skyscraper")
                if name in used
            ] == wanted
        for panel in panels[:4]:
            panel.press("Unlock", panel.tools)
