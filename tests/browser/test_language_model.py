"""With a chat server: who composes is a choice of the panel that reaches the engine, and the tab
has adapters described by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stylus_ext.environment.layout import Environment
from tests.browser.chromium import Browser, eventually, visit
from tests.browser.own_tab import Desk, OwnTab, desk_at, own_tab
from tests.browser.panel import TABS
from tests.browser.test_preview import Accordion
from tests.chat_service.answers import says
from tests.chat_service.composing import answers, cards
from tests.chat_service.server import Asked, ChatService, Sent, serving
from tests.engine_process import finished
from tests.refining import GOOD, title_of

if TYPE_CHECKING:
    from playwright.sync_api import Locator


PROMPT = "corgi dog, watercolor painting"
REASON = "the paint alone was asked for"


def watercolor_alone(asked: Asked) -> dict[str, Any]:
    """Other than the rules, which take the dog too."""
    chosen = [
        {"number": card.number, "reason": REASON}
        for card in cards(asked.user)
        if "watercolor" in card.name.lower()
    ]
    return {
        "tasks": [
            {"task": "corgi dog", "adapters": []},
            {"task": "watercolor painting", "adapters": chosen[:1]},
        ],
        "prune": [],
    }


def model(asked: Asked) -> Sent:
    """Says nothing of a card's own words, which may be strangers'."""
    return says(GOOD)(asked) if title_of(asked) else answers(watercolor_alone)(asked)


@pytest.fixture(scope="module")
def chat() -> Iterator[ChatService]:
    with serving(model) as service:
        yield service


@pytest.fixture(scope="module")
def eloquent(
    environment: Environment,
    prepared: Path,
    chat: ChatService,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Desk]:
    said = {
        "chat": {"chat_url": chat.url, "chat_model": "small", "price_in": 1.0, "price_out": 2.0}
    }
    with desk_at(environment, prepared, tmp_path_factory.mktemp("eloquent"), settings=said) as made:
        yield made
        assert made.server.told()["errors"] == []


def stems(planner: Desk) -> set[str]:
    """Of the tags of the last picture's batches."""
    return {
        part.split(":")[1]
        for infotext in planner.server.told()["infotexts"][-2:]
        for part in infotext.split("<")[1:]
        if part.startswith("lora:")
    }


def test_the_choice_appears_with_the_engine_and_reaches_it(
    eloquent: Desk, chat: ChatService, browser: Browser
) -> None:
    chat.seen.clear()
    with visit(browser, eloquent.server.url) as here:
        for tab in TABS:
            panel = Accordion(here.page, tab).turn_to()
            assert not panel.part("composer").is_visible()
            panel.turn()
            panel.open_options()
            panel.part("composer").wait_for(state="visible")
        panel = Accordion(here.page)
        panel.turn_to()
        assert panel.generate(eloquent.server, PROMPT)["args"][1] == "rules"
        assert stems(eloquent) == {"corgi_dog", "watercolor_painting"}
        assert chat.seen == []
        panel.set("composer", "chat")
        assert panel.generate(eloquent.server, f"{PROMPT}, at noon")["args"][1] == "chat"
        assert len(chat.seen) == 1
        assert stems(eloquent) == {"watercolor_painting"}
        panel.preview()
        assert panel.names() == ["watercolor_painting"]
        assert REASON in panel.place.inner_text()
        here.picture(f"{eloquent.server.gradio}-composer")
        assert len(chat.seen) == 2
        panel.set("composer", "rules")
        panel.preview(f"{PROMPT}, by night")
        assert set(panel.names()) == {"corgi_dog", "watercolor_painting"}
        assert len(chat.seen) == 2


def test_one_adapter_is_described_anew_from_its_card(
    eloquent: Desk, chat: ChatService, browser: Browser
) -> None:
    with own_tab(eloquent, browser) as (tab, here):
        tab.search("skyscraper")
        eventually(lambda: tab.names() and "skyscraper" in tab.names()[0].lower(), tab.page)
        tab.page.locator("#stylus_cards .stylus-open[data-stem='glass_skyscraper']").click()
        chat.seen.clear()
        tab.part("describe").click()
        tab.wait_for_message("detail_line", "describedAnew")
        said = tab.part("edit_text").input_value()
        assert said == GOOD["text"]
        assert eloquent.entry("glass_skyscraper")["text"] == said
        assert eloquent.entry("glass_skyscraper")["described_by"] == "chat:small"
        assert len(chat.seen) == 1
        tab.part("edit_text").fill("Mine.")
        tab.part("save").click()
        tab.wait_for_message("detail_line", "saved")
        eventually(lambda: not tab.part("describe").is_visible(), tab.page)
        here.picture(f"{eloquent.server.gradio}-described")


def done(planner: Desk, tab: OwnTab, press: str) -> Locator:
    """The opened row of the job that a button starts."""
    known = len(planner.link.call("GET", "/v1/jobs")["jobs"])
    tab.part(press).click()
    eventually(lambda: len(planner.link.call("GET", "/v1/jobs")["jobs"]) > known, tab.page)
    number = str(planner.link.call("GET", "/v1/jobs")["jobs"][-1]["id"])
    assert finished(planner.link, number)["state"] == "done"
    row = tab.page.locator(f"#stylus_jobs [data-job='{number}'][data-state='done']")
    tab.open_jobs()
    row.locator("summary").click()
    tab.close_jobs()
    return row


def test_a_job_says_what_describing_would_cost_and_what_it_did(
    eloquent: Desk, chat: ChatService, browser: Browser
) -> None:
    with own_tab(eloquent, browser) as (tab, here):
        tab.turn_to("jobs")
        tab.part("refine_most").fill("2")
        chat.seen.clear()
        row = done(eloquent, tab, "estimate")
        eventually(lambda: "2 would be described" in row.inner_text(), tab.page)
        assert re.search(r"about: [\d,]+ tokens read, 360 written, \$0\.00\d\d", row.inner_text())
        assert "360 written" in tab.wait_for("work_line", "2 LoRAs would be described; about: ")
        assert chat.seen == []
        row = done(eloquent, tab, "start_refine")
        eventually(lambda: "2 descriptions written" in row.inner_text(), tab.page)
        assert "spent: 200 tokens read, 40 written, $0.0003" in row.inner_text()
        here.picture(f"{eloquent.server.gradio}-refined")
        assert len(chat.seen) == 2
        assert not [one for one in here.complaints if one.startswith("error:")]
