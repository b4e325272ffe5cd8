"""Fetching on the real page, in each gradio: the switch appears with the engine, the line follows,
Interrupt and a second page do no harm.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from stylus_ext.environment.layout import Environment
from tests.browser.chromium import Browser, eventually, visit
from tests.browser.conftest import orders
from tests.browser.panel import TABS, Panel
from tests.browser.running import Running, running
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService, serving
from tests.engine_process import finished
from tests.host.downloads import BUCKET, add_adapters, beside, number_of


@pytest.fixture(scope="module")
def civitai() -> Iterator[CivitaiService]:
    with serving() as service:
        add_adapters(service)
        yield service


@pytest.fixture(scope="module")
def fetching(
    environment: Environment,
    prepared: Path,
    civitai: CivitaiService,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Running]:
    said = orders(tmp_path_factory.mktemp("fetching"), prepared, {})
    settings = Path(said["folder"]) / "stylus" / "settings.json"
    more = {
        "civitai": {"civitai_url": civitai.api, "request_interval": 0.0},
        "downloads": {"download": True, "keep_free_gb": 0.0},
    }
    settings.write_text(json.dumps(json.loads(settings.read_text("utf-8")) | more), "utf-8")
    with beside(settings.parent) as process:
        link = process.link()
        assert finished(link, link.call("POST", "/v1/jobs/sync", {})["id"])["state"] == "done"
    with running(environment, said) as made:
        yield made
        assert made.told()["errors"] == []


def test_the_switch_is_there_when_the_engine_is(fetching: Running, browser: Browser) -> None:
    with visit(browser, fetching.url) as here:
        for tab in TABS:
            panel = Panel(here.page, tab).turn_to()
            assert not panel.part("downloads").is_visible()
            panel.turn()
            panel.wait_ready()
            panel.open_options()
            panel.part("downloads").wait_for(state="visible")
            assert not panel.part("downloads").locator("input").is_checked()
            here.picture(f"{fetching.gradio}-{tab}-may-fetch")


def test_a_picture_waits_for_its_lora_and_the_line_follows(
    fetching: Running, civitai: CivitaiService, browser: Browser
) -> None:
    number = number_of("zebrastripe")
    civitai.seen.clear()
    civitai.faults.add(Fault(BUCKET % number, on="storage", pace=len(civitai.files[number]) / 3))
    with visit(browser, fetching.url) as here, visit(browser, fetching.url) as other:
        panels = [Panel(page.page) for page in (here, other)]
        for panel in panels:
            panel.turn()
            panel.open_options()
            panel.part("downloads").wait_for(state="visible")
            panel.set("downloads", True)
        for panel in panels:
            panel.press_generate("zebrastripe")
        panels[0].wait_for_line("fetching Zebrastripe (")
        panels[0].wait_for_line(" of ")
        here.picture(f"{fetching.gradio}-fetching")
        for panel in panels:
            assert "<lora:zebrastripe" in panel.wait_for_pictures()
            panel.wait_ready()
            eventually(lambda: "fetching" not in panel.line(), here.page)  # noqa: B023
        assert fetching.told()["calls"][-1]["args"][6] is True
        assert here.complaints == other.complaints or len(here.complaints) == len(other.complaints)
    assert len([seen for seen in civitai.seen if seen.on == "storage"]) == 1


def test_a_page_without_stylus_is_not_followed(fetching: Running, browser: Browser) -> None:
    with visit(browser, fetching.url) as here:
        panel = Panel(here.page)
        panel.press_generate("quokkaville")
        assert "<lora" not in panel.wait_for_pictures()
        panel.wait_for_empty_line()
