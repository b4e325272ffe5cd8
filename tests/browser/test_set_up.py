"""An extension that is not set up yet: the panel says so, refuses strangers, builds, takes a failed
build up again, in every browser.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from stylus_ext.environment.layout import Environment
from tests.browser.chromium import Browser, Visit, visit
from tests.browser.copied import Copied, copied
from tests.browser.panel import Panel
from tests.browser.running import Running, running

# Every text that the line has had, also between two looks.
_LISTEN = """() => {
    window.lines = [];
    const line = document.querySelector('#stylus_txt2img_state');
    const look = () => { const text = line.innerText.trim(); if (window.lines.at(-1) !== text) window.lines.push(text); };
    new MutationObserver(look).observe(line, {childList: true, subtree: true, characterData: true});
}"""  # noqa: E501


@pytest.fixture(scope="module")
def copy(
    environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Copied:  # for each gradio another
    return copied(tmp_path_factory.mktemp("copied"))


@pytest.fixture
def open_door(unready: Running) -> Iterator[Running]:
    """As if it were started with --listen."""
    unready.flag("listen", True)
    yield unready
    unready.flag("listen", False)


@pytest.fixture(scope="module")
def unready(copy: Copied, environment: Environment) -> Iterator[Running]:
    with running(environment, copy.orders(), copy.root) as made:
        yield made


def lines(here: Visit) -> str:
    return "\n".join(here.page.evaluate("window.lines"))


def test_strangers_are_refused_before_anything_happens(
    open_door: Running, copy: Copied, browser: Browser
) -> None:
    """Anybody reaches a page with --listen and without a password: by its button, and by the
    event's own address.
    """
    with visit(browser, open_door.url) as here:
        panel = Panel(here.page)
        panel.turn()
        panel.wait_for_line("The engine is not set up yet.")
        panel.part("set_up").click()
        assert "without a password" in panel.wait_for_line("This downloads files")
        here.picture(f"{open_door.gradio}-refused")
        panel.set("family", "pony")
        assert "without a password" in panel.wait_for_line("This changes settings")
    forgery = {"request": {"headers": {"host": "localhost"}}}
    for forged in ({}, forgery):
        for name, data in (("set_up", [None]), ("family", ["pony"])):
            said = _call(open_door, name, data, forged)
            assert "without a password" in said or said.startswith("4"), said
    assert not copy.home.folder.exists()
    assert not (copy.folder / "webui" / "stylus").exists()


def test_from_nothing_to_an_engine(unready: Running, copy: Copied, browser: Browser) -> None:
    with (
        visit(browser, unready.url) as first,
        visit(browser, unready.url) as second,
        visit(browser, unready.url) as third,
    ):
        panel, *others = (Panel(here.page) for here in (first, second, third))
        for here in (first, second, third):
            here.page.evaluate(_LISTEN)
        panel.turn()
        assert "Press Set up" in panel.wait_for_line("The engine is not set up yet.")
        assert "MB to download" in panel.line()
        assert panel.part("set_up").is_visible()
        assert not panel.part("retry").is_visible()
        first.picture(f"{unready.gradio}-missing")

        copy.hide_wheels()
        panel.part("set_up").click()
        assert "pip found no file" in panel.wait_for_line("The set-up of the engine stopped:")
        panel.part("retry").wait_for(state="visible")
        assert not panel.part("set_up").is_visible()
        first.picture(f"{unready.gradio}-stopped")

        copy.show_wheels()
        panel.part("retry").click()
        panel.wait_for_line("The engine is being set up")
        for one in others:
            one.turn()
        for one in (panel, *others):
            one.wait_for_line(
                "The engine is starting"
            )  # following for one browser keeps no other waiting
            assert not one.part("retry").is_visible()
        first.picture(f"{unready.gradio}-starting")
        assert " MB" in lines(first)
        assert "being set up" in lines(second)
    assert copy.home.current.exists()


def _call(server: Running, name: str, data: list[Any], forged: dict[str, Any]) -> str:
    """The event behind a control, asked for without a browser; what it answers, or why it does
    not.
    """
    config = json.loads(server.ask("GET", "/config")[1])
    found = next(
        one["id"]
        for one in config["components"]
        if one["props"].get("elem_id") == f"stylus_txt2img_{name}"
    )
    number = next(
        index
        for index, event in enumerate(config["dependencies"])
        if any(
            found in (target if isinstance(target, list) else [target])
            for target in event["targets"]
        )
    )
    session = f"{name}{len(forged)}"
    status, text = server.ask(
        "POST",
        "/run/predict",
        {"data": data, "fn_index": number, "session_hash": session, **forged},
    )
    return text if status == 200 else f"{status} {text}"
