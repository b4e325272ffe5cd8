"""The Catalogue of the Stylus tab in each gradio: what is typed, filtered and edited there is what
the engine's store has.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylus_ext.engine.jobs import FINISHED
from tests.browser.chromium import Browser, eventually, visit
from tests.browser.hostile import HOSTILE
from tests.browser.own_tab import Desk, OwnTab, own_tab, png
from tests.embedding_files import write_embedding

if TYPE_CHECKING:
    from playwright.sync_api import Route


def test_it_is_searched_as_one_types(planner: Desk, browser: Browser) -> None:
    with own_tab(planner, browser) as (tab, here):
        tab.wait_for("found", "found")
        tab.search("corgi")
        eventually(lambda: tab.names() and "corgi" in tab.names()[0].lower(), tab.page)
        shown = tab.names()
        told = planner.link.call("POST", "/v1/browse", {"text": "corgi", "on_disk": True})
        assert shown == [entry["name"] for entry in told["entries"]]
        tab.search("no such thing at all")
        tab.wait_for_message("found", "foundNone")
        assert tab.names() == []
        here.picture(f"{planner.server.gradio}-catalogue")


def test_answers_that_were_overtaken_are_not_shown(planner: Desk, browser: Browser) -> None:
    """The first answer comes last."""
    with own_tab(planner, browser) as (tab, _):
        tab.wait_for("found", "found")
        tab.page.evaluate("""() => {
            const real = window.fetch;
            let first = true;
            window.fetch = async (...given) => {
                const late = first && String(given[0]).endsWith("/browse");
                if (late) first = false;
                const answer = await real(...given.slice(0, 1), {...given[1], signal: undefined});
                if (late) await new Promise((go) => setTimeout(go, 700));
                return answer;
            };
        }""")
        tab.part("search").fill("watercolor")
        tab.page.wait_for_timeout(150)
        tab.part("search").fill("skyscraper")
        eventually(lambda: tab.names() and "skyscraper" in tab.names()[0].lower(), tab.page)
        tab.page.wait_for_timeout(900)
        assert "skyscraper" in tab.names()[0].lower()


def test_filters_are_the_stores_and_tell_how_many(planner: Desk, browser: Browser) -> None:
    with own_tab(planner, browser) as (tab, _):
        tab.wait_for("found", "found")
        own = planner.link.call("POST", "/v1/browse", {"on_disk": True, "order": "added"})
        eventually(lambda: _keys(tab)[:4] == [one["key"] for one in own["entries"]][:4], tab.page)
        tab.show_everything()
        for name, value, payload in (
            ("family", "sdxl", {"family": "sdxl"}),
            ("kind", "style", {"kind": "style"}),
            ("bare", "true", {"bare": True}),
        ):
            told = planner.link.call("POST", "/v1/browse", payload)
            tab.press_chip(name, value)
            first = [entry["key"] for entry in told["entries"]][:4]
            eventually(lambda first=first: _keys(tab)[:4] == first, tab.page)  # type: ignore[misc]
            assert tab.chip(name, value).get_attribute("aria-pressed") == "true"
            count = tab.chip(name, value).locator(".stylus-chip-count").inner_text()
            assert count == f"{told['total']:,}"
            assert tab.page.evaluate("document.activeElement.dataset.value") == value
            tab.chip(name, value).click()
        for order in ("size", "added", "used", "name"):
            told = planner.link.call("POST", "/v1/browse", {"order": order})
            tab.part("order").select_option(order)
            first = [entry["key"] for entry in told["entries"]][:4]
            eventually(lambda first=first: _keys(tab)[:4] == first, tab.page)  # type: ignore[misc]


def test_the_list_goes_on_as_one_scrolls_and_keeps_few_cards(
    planner: Desk, browser: Browser
) -> None:
    with own_tab(planner, browser) as (tab, here):
        tab.show_everything()
        total = planner.link.call("POST", "/v1/browse", {})["total"]
        assert total > 80
        card = tab.page.locator("#stylus_cards li:not([aria-hidden])")
        eventually(lambda: card.first.get_attribute("aria-setsize") == str(total), tab.page)
        tab.page.locator(".stylus-gallery").evaluate("place => { place.scrollTop = 1e6; }")
        last = tab.page.locator(f"#stylus_cards li[aria-posinset='{total}']")
        last.wait_for(state="visible")
        end = planner.link.call("POST", "/v1/browse", {"offset": total - 1})["entries"]
        assert _keys(tab)[-1] == end[0]["key"]
        assert len(_keys(tab)) < 80
        here.picture(f"{planner.server.gradio}-end")


def test_arrow_keys_move_through_the_whole_list(planner: Desk, browser: Browser) -> None:
    with own_tab(planner, browser) as (tab, _):
        tab.show_everything()
        total = planner.link.call("POST", "/v1/browse", {})["total"]
        place = "document.activeElement.closest('li')?.getAttribute('aria-posinset')"
        first = tab.page.locator(f"#stylus_cards li[aria-setsize='{total}'] button").first
        first.focus()
        for key, number in (("ArrowRight", 2), ("Home", 1), ("PageDown", None), ("Home", 1)):
            tab.page.keyboard.press(key)
            tab.page.wait_for_timeout(200)
            assert number in (None, int(tab.page.evaluate(place))), key
        assert tab.page.locator("#stylus_cards .stylus-open[tabindex='0']").count() == 1


def _keys(tab: OwnTab) -> list[str]:
    """Of the cards in the page, in their order."""
    cards = tab.page.locator("#stylus_cards .stylus-open")
    found: list[str] = cards.evaluate_all("cards => cards.map(card => card.dataset.key)")
    return found


def test_edits_reach_the_store_and_can_be_taken_back(planner: Desk, browser: Browser) -> None:
    with own_tab(planner, browser) as (tab, here):
        key = _open(tab, "watercolor_painting")
        before = planner.entry(key)
        tab.part("edit_text").fill("Soft washes of colour")
        tab.part("edit_triggers").fill("wtrclr, wet paper\n second  \n\n")
        tab.part("edit_weight").fill("0.65")
        tab.part("edit_kind").select_option("style")
        tab.part("edit_state").select_option("always")
        tab.part("save").click()
        tab.wait_for_message("detail_line", "saved")
        edits = planner.entry(key)["edits"]
        assert edits == {
            "state": "always",
            "text": "Soft washes of colour",
            "triggers": ["wtrclr, wet paper", "second"],
            "weight": 0.65,
            "kind": edits["kind"],
            "favourite": False,
            "note": None,
            "tags": None,
        }
        assert "Soft washes of colour" in planner.journal()
        here.picture(f"{planner.server.gradio}-detail")
        tab.part("edit_state").select_option("never")
        tab.part("save").click()
        eventually(lambda: planner.entry(key)["state"] == "never", tab.page)
        tab.wait_for_message("detail_line", "saved")
        tab.part("undo").click()
        tab.wait_for_message("detail_line", "undone")
        assert planner.entry(key)["edits"] == edits
        tab.part("edit_weight").fill("")
        tab.part("save").click()
        tab.wait_for_message("detail_line", "saved")
        assert planner.entry(key)["edits"] == edits | {"weight": None}
        tab.part("forget").click()
        tab.wait_for_message("detail_line", "forgotten")
        assert planner.entry(key)["edits"] == before["edits"]
        assert planner.entry(key)["text"] == before["text"]
        tab.part("close").click()
        tab.part("detail").wait_for(state="hidden")


def test_trigger_words_are_copied_and_added_to_the_prompt_once(
    planner: Desk, browser: Browser
) -> None:
    with own_tab(planner, browser) as (tab, _):
        key = _open(tab, "glass_skyscraper")
        tab.part("edit_triggers").fill("glss twr, mirror wall")
        tab.part("save").click()
        tab.wait_for_message("detail_line", "saved")
        prompt = tab.page.locator("#txt2img_prompt textarea")
        tab.page.locator("#stylus_triggers .stylus-trigger").click()
        tab.wait_for_message("trigger_line", "triggerCopied")
        assert prompt.input_value() == ""
        insert = tab.page.locator("#stylus_triggers .stylus-insert")
        insert.click()
        tab.wait_for_message("trigger_line", "triggerAdded")
        assert prompt.input_value() == "glss twr, mirror wall"
        insert.click()
        tab.wait_for_message("trigger_line", "triggerThere")
        assert prompt.input_value() == "glss twr, mirror wall"
        tab.part("note").fill("")
        tab.part("note").press("Control+v")
        assert tab.part("note").input_value() == "glss twr, mirror wall", "the clipboard"
        tab.part("note").fill("")
        tab.part("forget").click()
        tab.wait_for_message("detail_line", "forgotten")
        assert planner.entry(key)["edits"]["triggers"] is None


def test_a_star_is_kept_counted_and_filtered(planner: Desk, browser: Browser) -> None:
    with own_tab(planner, browser) as (tab, here):
        name = planner.entry("corgi_dog")["name"]
        tab.search("corgi_dog")
        eventually(lambda: tab.names()[:1] == [name], tab.page)
        tab.page.locator("#stylus_cards .stylus-star").first.click()
        eventually(lambda: planner.entry("corgi_dog")["edits"]["favourite"], tab.page)
        tab.chip("favourite", "true").wait_for()
        assert "favourite" in planner.journal()
        tab.search("")
        tab.press_chip("favourite", "true")
        tab.wait_for_names(name)
        here.picture(f"{planner.server.gradio}-favourites")
        tab.page.locator("#stylus_cards .stylus-open").click()
        star = tab.page.locator("#stylus_detail .stylus-star")
        assert star.get_attribute("aria-pressed") == "true"
        tab.part("forget").click()
        tab.wait_for_message("detail_line", "forgotten")
        assert planner.entry("corgi_dog")["edits"]["favourite"], "no edit of the card"
        star.click()
        eventually(lambda: not planner.entry("corgi_dog")["edits"]["favourite"], tab.page)


def test_several_are_marked_at_once(planner: Desk, browser: Browser) -> None:
    with own_tab(planner, browser) as (tab, here):
        tab.wait_for("found", "found")
        tab.part("select").click()
        assert tab.part("add_favourites").is_disabled()
        tab.page.locator("#stylus_cards .stylus-open").nth(1).wait_for()
        keys = _keys(tab)[:2]
        for place in (0, 1):
            tab.page.locator("#stylus_cards .stylus-open").nth(place).click()
        assert tab.part("detail").is_hidden()
        here.picture(f"{planner.server.gradio}-selected")
        tab.part("add_favourites").click()
        tab.wait_for_message("found", "markedMany")
        assert all(planner.entry(key)["edits"]["favourite"] for key in keys)
        planner.link.call("POST", "/v1/mark", {"keys": keys, "favourite": False})


def test_several_get_a_tag_and_one_loses_it(planner: Desk, browser: Browser) -> None:
    with own_tab(planner, browser) as (tab, here):
        tab.wait_for("found", "found")
        tab.part("select").click()
        cards = tab.page.locator("#stylus_cards .stylus-open")
        cards.nth(1).wait_for()
        keys = _keys(tab)[:2]
        for place in (0, 1):
            cards.nth(place).click()
        assert tab.part("add_tags").is_disabled()
        tab.part("many_tags").fill("dirigible, Series B")
        here.picture(f"{planner.server.gradio}-tags")
        tab.part("add_tags").click()
        tab.wait_for_message("found", "markedMany")
        assert all(planner.entry(key)["edits"]["tags"] == ["dirigible", "Series B"] for key in keys)
        tab.search("dirigible")
        eventually(lambda: sorted(_keys(tab)) == sorted(keys), tab.page)
        last = _keys(tab)[0]
        cards.first.click()
        assert tab.part("own_tags").input_value() == "dirigible, Series B"
        tab.part("own_tags").fill(" ")
        tab.part("edit_text").focus()
        tab.wait_for_message("own_tags_line", "ownTagsSaved")
        assert planner.entry(last)["edits"]["tags"] is None
        planner.link.call(
            "POST", "/v1/mark", {"keys": keys, "remove_tags": ["DIRIGIBLE", "series b"]}
        )
        assert all(planner.entry(key)["edits"]["tags"] is None for key in keys)


def test_only_downloads_can_be_deleted(planner: Desk, browser: Browser) -> None:
    with own_tab(planner, browser) as (tab, _):
        tab.wait_for("found", "found")
        tab.part("select").click()
        tab.page.locator("#stylus_cards .stylus-open").first.click()
        assert not tab.part("describe_selected").is_visible(), "there is no language model"
        tab.part("delete_selected").click()
        tab.wait_for_message("found", "nothingToDelete")
        assert tab.page.locator(".stylus-question button").count() == 0


def test_a_note_is_saved_when_its_field_is_left_and_found(planner: Desk, browser: Browser) -> None:
    with own_tab(planner, browser) as (tab, _):
        key = _open(tab, "glass_skyscraper")
        tab.part("note").fill("for the zeppelin series\u0007")
        tab.part("edit_text").focus()
        tab.wait_for_message("note_line", "noteSaved")
        assert planner.entry(key)["edits"]["note"] == "for the zeppelin series"
        tab.part("close").click()
        tab.search("zeppelin")
        eventually(lambda: _keys(tab) == [key], tab.page)
        tab.page.locator("#stylus_cards .stylus-open").click()
        tab.part("note").wait_for(state="visible")
        tab.part("note").fill("")
        tab.page.keyboard.press("Escape")
        tab.part("detail").wait_for(state="hidden")
        assert planner.entry(key)["edits"]["note"] is None


def test_similar_ones_are_shown_and_open(planner: Desk, browser: Browser) -> None:
    with own_tab(planner, browser) as (tab, here):
        key = _open(tab, "corgi_dog")
        card = tab.page.locator("#stylus_similar .stylus-small-card").first
        card.wait_for(state="visible")
        told = planner.link.call("POST", "/v1/similar", {"key": key})["entries"]
        assert card.get_attribute("data-key") == told[0]["key"]
        here.picture(f"{planner.server.gradio}-similar")
        card.click()
        head = tab.page.locator("#stylus_detail .stylus-title")
        eventually(lambda: head.inner_text() == told[0]["name"], tab.page)


def test_own_pictures_and_weights_are_shown(planner: Desk, browser: Browser) -> None:
    """As an engine tells them that has read pictures; one file is gone."""
    newest = [
        {"path": f"/out/{name}.png", "made": 1_700_000_000, "weight": 0.7}
        for name in ("one", "gone")
    ]
    weights = [{"weight": 0.7, "pictures": 9}, {"weight": 0.4, "pictures": 3}]
    uses = {"pictures": 12, "weights": weights, "newest": newest}
    with own_tab(planner, browser) as (tab, here):

        def details(route: Route) -> None:
            answer = route.fetch()
            body = answer.json()
            body["entry"]["uses"] = uses
            route.fulfill(response=answer, json=body)

        def picture(route: Route) -> None:
            if "gone" in (route.request.post_data or ""):
                route.fulfill(status=400, json={"error": {"code": "invalid", "message": "x"}})
            else:
                route.fulfill(body=png(8, 8), content_type="image/png")

        here.page.route("**/stylus/v1/ui/show", details)
        here.page.route("**/stylus/v1/ui/own_picture", picture)
        _open(tab, "corgi_dog")
        shown = tab.page.locator("#stylus_used_in")
        shown.locator("img").wait_for(state="attached")
        assert shown.locator("li").count() == 2
        assert tab.part("uses").inner_text().count("0.7") == 2
        assert "12" in tab.part("uses").inner_text()
        here.picture(f"{planner.server.gradio}-uses")


def test_without_consent_nothing_is_asked_for_and_it_is_remembered(
    planner: Desk, browser: Browser
) -> None:
    with own_tab(planner, browser) as (tab, here):
        tab.wait_for("found", "found")
        assert tab.part("consent").is_hidden()
        tab.show_everything()
        tab.part("consent").wait_for(state="visible")
        assert planner.link.call("POST", "/v1/card_pictures", {})["on"] is False
        here.picture(f"{planner.server.gradio}-consent")
        tab.part("consent").click()
        tab.part("no_consent").wait_for(state="visible")
        assert planner.link.call("POST", "/v1/card_pictures", {})["on"] is True
        assert not [host for host in here.outside if "civitai" in host or "hugging" in host]
    with own_tab(planner, browser) as (tab, _):
        tab.show_everything()
        tab.part("no_consent").click()
        tab.part("consent").wait_for(state="visible")
        assert planner.link.call("POST", "/v1/card_pictures", {})["on"] is False


def test_what_is_not_changed_is_not_sent(planner: Desk, browser: Browser) -> None:
    with own_tab(planner, browser) as (tab, _):
        key = _open(tab, "glass_skyscraper")
        written = planner.journal()
        tab.part("save").click()
        tab.wait_for_message("detail_line", "unchanged")
        assert planner.journal() == written
        tab.part("edit_weight").fill("9")
        tab.part("save").click()
        tab.wait_for("detail_line", "'weight'")
        assert planner.entry(key)["edits"]["weight"] is None


def test_pictures_come_from_the_hosts_folder_and_are_blurred_where_they_should(
    planner: Desk, browser: Browser
) -> None:
    with own_tab(planner, browser) as (tab, here):
        tab.search("shady")
        tab.wait_for_names("Shady Figure")
        blurred = tab.page.locator("#stylus_cards .stylus-blurred img")
        blurred.wait_for(state="visible")
        # A card that was drawn again meanwhile has no style.
        shown = "picture => getComputedStyle(picture).filter"
        eventually(lambda: "blur" in blurred.evaluate(shown), tab.page)
        tab.part("show_pictures").check()
        eventually(lambda: blurred.evaluate(shown) == "none", tab.page)
        tab.page.locator("#stylus_cards .stylus-open").click()
        large = tab.page.locator("#stylus_detail > .stylus-picture img")
        large.wait_for(state="visible")
        assert large.evaluate("picture => getComputedStyle(picture).filter") == "none"
        tab.search("corgi dog")
        tab.page.locator("#stylus_cards .stylus-picture:not(.stylus-blurred) img").first.wait_for(
            state="visible"
        )
        status, _ = planner.server.ask("POST", "/stylus/v1/ui/picture", {"stem": "../../secret"})
        assert status == 400
    assert not [one for one in here.complaints if "stylus" in one]


def test_a_picture_of_what_is_not_on_disk_is_asked_for_by_its_key(
    planner: Desk, browser: Browser
) -> None:
    """As an engine offers it that may fetch them."""
    with own_tab(planner, browser) as (tab, here):
        tab.wait_for("found", "found")
        asked: list[Any] = []

        def answer(route: Route) -> None:
            asked.append(route.request.post_data_json)
            route.fulfill(body=png(8, 8), content_type="image/png")

        here.page.route("**/stylus/v1/ui/picture", answer)
        here.page.evaluate("""() => document.getElementById("stylus_found").before(
            stylus.pictures.frame({key: "civitai:7", name: "x", picture: true, nsfw: true}))""")
        here.page.locator(".stylus-blurred[data-key='civitai:7'] img").wait_for(state="attached")
        assert {"stem": "", "key": "civitai:7"} in asked


def test_a_card_that_shows_the_same_stays_when_the_list_is_read_again(
    planner: Desk, browser: Browser
) -> None:
    """So a click that is under way and the focus stay too."""
    with own_tab(planner, browser) as (tab, _):
        tab.wait_for("found", "found")
        tab.page.locator("#stylus_cards .stylus-open").nth(1).wait_for()
        tab.page.evaluate("""() => {
            window.before = [...document.querySelectorAll("#stylus_cards .stylus-open")];
            window.before[1].focus();
        }""")
        changed = str(tab.page.evaluate("window.before[0].dataset.key"))
        planner.page_asks("edit", {"key": changed, "favourite": True})
        tab.part("order").dispatch_event("change")
        eventually(lambda: tab.page.evaluate("!window.before[0].isConnected"), tab.page)
        assert _keys(tab)[0] == changed
        assert tab.page.evaluate("window.before.slice(1).every((card) => card.isConnected)")
        assert tab.page.evaluate("document.activeElement === window.before[1]")
        planner.page_asks("edit", {"key": changed, "favourite": False})


def test_the_type_is_filtered_and_shown(planner: Desk, browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "embeddings"
    write_embedding(folder / "EasyNegative.safetensors", seed=5)
    _read_embeddings(planner, folder)
    try:
        with own_tab(planner, browser) as (tab, here):
            tab.press_chip("type", "embedding")
            eventually(lambda: tab.names() == ["EasyNegative"], tab.page)
            card = tab.page.locator("#stylus_cards .stylus-subline")
            assert card.inner_text().endswith("negative embedding")
            tab.page.locator("#stylus_cards .stylus-open").click()
            facts = tab.page.locator("#stylus_detail .stylus-facts")
            facts.wait_for(state="visible")
            stated = dict(
                zip(
                    facts.locator("dt").all_inner_texts(),
                    facts.locator("dd").all_inner_texts(),
                    strict=True,
                )
            )
            assert "negative embedding" in stated.values()
            assert "EasyNegative" in stated.values()  # as it is written into a prompt
            here.picture(f"{planner.server.gradio}-embedding")
    finally:
        (folder / "EasyNegative.safetensors").unlink()
        _read_embeddings(planner, folder)


def _read_embeddings(planner: Desk, folder: Path) -> None:
    payload = {"embedding_dirs": [str(folder)], "hash": False}
    job = planner.link.call("POST", "/v1/jobs/index", payload)
    while job["state"] not in FINISHED:
        time.sleep(0.05)
        job = planner.link.call("GET", f"/v1/jobs/{job['id']}")
    assert job["state"] == "done", job


def test_hostile_cards_are_text(planner: Desk, browser: Browser) -> None:
    with own_tab(planner, browser) as (tab, here):
        for number, words in enumerate(HOSTILE):
            name = f"hostile {number:02}"
            tab.part("search").fill(name)
            eventually(
                lambda name=name: len(tab.names()) == 1 and tab.names()[0].startswith(name),  # type: ignore[misc]
                tab.page,
            )
            tab.page.locator("#stylus_cards .stylus-open").click()
            head = tab.page.locator("#stylus_detail .stylus-title")
            eventually(
                lambda head=head, name=name: head.count() and head.text_content().startswith(name),  # type: ignore[misc]
                tab.page,
            )
            shown = "".join(head.text_content() or "")
            assert shown == planner.entry(f"hostile_{number:02}")["name"], words
        inside = (
            "() => document.querySelectorAll('#stylus_tab_mount :is(script, style, iframe,"
            " img:not([src^=blob]), svg:not(.stylus-drawing), form, base, link, math)').length"
        )
        assert tab.page.evaluate(inside) == 0
        assert tab.page.evaluate("() => window.hacked === undefined")
        overflow = tab.page.evaluate(
            "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0
    assert "evil.example" not in here.outside


def test_a_stranger_may_look_and_not_change(planner: Desk, browser: Browser) -> None:
    """--listen without a password: the page of anybody in the network."""
    planner.server.flag("listen", True)
    try:
        with own_tab(planner, browser) as (tab, _):
            key = _open(tab, "corgi_dog")
            tab.part("edit_state").select_option("never")
            tab.part("save").click()
            assert "without a password" in tab.wait_for("detail_line", "This changes settings")
            assert planner.entry(key)["state"] == "auto"
            assert (
                planner.server.ask("POST", "/stylus/v1/ui/edit", {"key": key, "state": "never"})[0]
                == 403
            )
    finally:
        planner.server.flag("listen", False)


def test_the_keyboard_is_enough(planner: Desk, browser: Browser) -> None:
    with own_tab(planner, browser) as (tab, _):
        tab.wait_for("found", "found")
        tab.part("search").focus()
        tab.page.keyboard.type("skyscraper")
        eventually(lambda: tab.names() and "skyscraper" in tab.names()[0].lower(), tab.page)
        for _ in range(30):
            tab.page.keyboard.press("Tab")
            if tab.page.evaluate("document.activeElement.classList.contains('stylus-open')"):
                break
        tab.page.keyboard.press("Enter")
        tab.part("edit_text").wait_for(state="visible")
        assert tab.page.evaluate("document.activeElement.className") == "stylus-title"
        tab.part("close").focus()
        tab.page.keyboard.press("Enter")
        eventually(
            lambda: tab.page.evaluate("document.activeElement.classList.contains('stylus-open')"),
            tab.page,
        )
        tab.head("catalogue").focus()
        assert tab.page.evaluate("document.activeElement.getAttribute('aria-selected')") == "true"


def test_five_browsers_do_not_mix(planner: Desk, browser: Browser) -> None:
    from contextlib import ExitStack

    words = ["corgi", "watercolor", "skyscraper", "shady", "hostile 07"]
    with ExitStack() as stack:
        tabs = [stack.enter_context(own_tab(planner, browser))[0] for _ in words]
        for tab, word in zip(tabs, words, strict=True):
            tab.part("search").fill(word)
        for tab, word in zip(tabs, words, strict=True):
            eventually(partial(_first_name_has, tab, word), tab.page)
        tokens = {tab.page.evaluate("stylus.page.token()") for tab in tabs}
        assert len(tokens) == len(words)


def test_nothing_complains_and_nothing_is_fetched_from_outside(
    planner: Desk, browser: Browser
) -> None:
    with visit(browser, planner.server.bare) as bare:
        pass
    with own_tab(planner, browser) as (tab, here):
        _open(tab, "corgi_dog")
        for head in tab.page.locator("#stylus_tab_mount [role=tab]").all():
            head.click()
            tab.page.wait_for_timeout(300)
    assert set(here.complaints) <= set(bare.complaints)
    assert here.outside <= bare.outside


def _first_name_has(tab: OwnTab, word: str) -> bool:
    names = tab.names()
    return bool(names) and word in names[0].lower()


def _open(tab: OwnTab, stem: str) -> str:
    """Of the LoRAs on disk; its key."""
    tab.search(stem.replace("_", " "))
    card = tab.page.locator(f"#stylus_cards .stylus-open[data-stem='{stem}']")
    card.wait_for(state="visible")
    tab.page.wait_for_timeout(200)  # a last answer may draw the list anew
    key = card.get_attribute("data-key") or ""
    card.click()
    tab.part("edit_text").wait_for(state="visible")
    return key
