"""The page's scripts in any order, with and without the WebUI's functions; without gradio."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from stylus_ext.environment.layout import ROOT
from tests.browser.chromium import PATIENCE_MS, Browser

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route


URL = "http://127.0.0.1/"
SCRIPTS = sorted(path.name for path in (ROOT / "javascript").glob("*.js"))
# What each section shows once its answers have come; a hidden one draws no cards.
SECTIONS = {
    "catalogue": "#stylus_cards li button",
    "recipes": "#stylus_recipes li",
    "setup": "#stylus_status dd",
}
SHUFFLES = 6
_JOB = {
    "id": "1",
    "name": "index",
    "state": "done",
    "step": "",
    "done": 1,
    "total": 1,
    "eta_s": None,
    "error": "",
    "result": {"entries": 2},
}
_ANSWERS: dict[str, Any] = {
    "preview": {
        "number": 1,
        "view": None,
        "corrected": False,
        "lock": None,
        "sent": False,
        "used": [],
    },
    "browse": {
        "total": 1,
        "entries": [
            {"key": "a", "name": "A LoRA", "family": "sd1", "kind": "style", "state": "always"}
        ],
    },
    "overview": {
        "families": [{"family": "sd1", "name": "SD 1.5", "entries": 2, "on_disk": 1}],
        "kinds": {"style": 2},
        "unnamed": 1,
        "bare": 0,
        "duplicates": 0,
        "refined": 0,
        "entries": 2,
    },
    "first_steps": {
        "steps": [{"name": "read", "state": "done", "count": 1, "text": ""}],
    },
    "jobs": {"jobs": [_JOB]},
    "recipes": {"recipes": []},
    "storage": {"on": True, "used": 0, "quota": 10, "left": 10, "files": []},
    "keys": {
        "message": "",
        "keys": [{"service": "civitai", "title": "Civitai", "url": URL, "has_key": False}],
    },
    "status": {
        "version": "1",
        "trouble": "",
        "lora_folders": [],
        "setting_problems": [],
        "engine_status": None,
        "engine": {
            "state": "ready",
            "sentence": "It is ready.",
            "url": "",
            "pid": None,
            "shared": False,
        },
    },
}
# As gradio does it: the places come after the scripts, and the hidden button brings a token.
_PLACES = """() => {
    for (const name of ["tab", "txt2img", "img2img"]) {
        const token = document.createElement("button");
        token.id = `stylus_${name}_page`;
        token.addEventListener("click", () => stylus.page.receive("t".repeat(30)));
        const place = document.createElement("div");
        place.id = `stylus_${name}_mount`;
        document.querySelector("gradio-app").append(token, place);
    }
    const prompt = document.createElement("div");
    prompt.id = "txt2img_prompt";
    document.querySelector("gradio-app").append(prompt);
}"""
_COUNT_INTERVALS = """(() => {
    const [set, clear] = [window.setInterval, window.clearInterval];
    window.intervals = new Set();
    window.setInterval = (...given) => {
        const id = set(...given);
        window.intervals.add(id);
        return id;
    };
    window.clearInterval = (id) => { window.intervals.delete(id); clear(id); };
})()"""


def orders() -> list[list[str]]:
    shuffled = [random.Random(seed).sample(SCRIPTS, len(SCRIPTS)) for seed in range(SHUFFLES)]
    return [SCRIPTS, SCRIPTS[::-1], *shuffled]


def _answer(route: Route, scripts: list[str]) -> None:
    path = urlsplit(route.request.url).path
    name = path.rpartition("/")[2]
    if path.startswith(("/javascript/", "/tests/")):
        route.fulfill(path=ROOT / path[1:], content_type="text/javascript")
    elif name in _ANSWERS:
        route.fulfill(body=json.dumps(_ANSWERS[name]), content_type="application/json")
    else:
        tags = "".join(f'<script src="{script}"></script>' for script in scripts)
        route.fulfill(
            body=f"<!doctype html><head>{tags}</head><gradio-app></gradio-app>",
            content_type="text/html",
        )


def drawn(page: Page, scripts: list[str]) -> str:
    """Everything that the scripts draw, section by section."""
    errors: list[str] = []
    page.set_default_timeout(PATIENCE_MS)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console", lambda message: errors.append(message.text) if message.type == "error" else None
    )
    page.add_init_script(_COUNT_INTERVALS)
    page.route(lambda _: True, lambda route: _answer(route, scripts))
    page.goto(URL, wait_until="load")
    page.evaluate(_PLACES)
    for name, content in SECTIONS.items():
        page.locator(f"#stylus_head_{name}").click()
        page.locator(f"#stylus_part_{name}").locator(content).first.wait_for()
    page.wait_for_load_state("networkidle")
    page.locator("#stylus_jobs [data-state=done]").wait_for(state="attached")
    assert errors == []
    assert page.evaluate("window.intervals.size") == 0
    return str(
        page.evaluate(
            "document.querySelector('gradio-app').outerHTML.replace(/stylus_field_[0-9]+/g, '')"
        )
    )


@pytest.fixture(scope="module")
def expected(browser: Browser) -> str:
    with browser.new_context() as context:
        text = drawn(
            context.new_page(),
            ["tests/browser/host_page.js", *(f"javascript/{name}" for name in SCRIPTS)],
        )
    heads = [text.index(f'id="stylus_head_{name}"') for name in SECTIONS]
    assert heads == sorted(heads)
    assert text.count('data-drawn="yes"') == 3
    return text


@pytest.mark.parametrize("host", [["tests/browser/host_page.js"], []], ids=["webui", "other-host"])
@pytest.mark.parametrize(
    "scripts",
    orders(),
    ids=["sorted", "reversed", *(f"shuffled-{seed}" for seed in range(SHUFFLES))],
)
def test_every_order_draws_the_same_page(
    browser: Browser, expected: str, scripts: list[str], host: list[str]
) -> None:
    with browser.new_context() as context:
        assert (
            drawn(context.new_page(), [*host, *(f"javascript/{name}" for name in scripts)])
            == expected
        )


def test_scripts_that_come_after_the_places_draw_them(browser: Browser, expected: str) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.route(lambda _: True, lambda route: _answer(route, []))
        page.goto(URL, wait_until="load")
        page.evaluate(_PLACES)
        for name in reversed(SCRIPTS):
            page.add_script_tag(url=f"javascript/{name}")
        page.locator("#stylus_cards li").wait_for()
        assert page.locator("[data-drawn]").count() == expected.count("data-drawn")


def test_a_missing_script_is_named(browser: Browser) -> None:
    errors: list[str] = []
    with browser.new_context() as context:
        page = context.new_page()
        page.on("console", lambda message: errors.append(message.text))
        page.route(
            lambda _: True,
            lambda route: _answer(
                route, [f"javascript/{name}" for name in SCRIPTS if name != "keys.js"]
            ),
        )
        page.goto(URL, wait_until="load")
    assert len(errors) == 1
    assert "setup.js" in errors[0]
    assert "keys" in errors[0]
