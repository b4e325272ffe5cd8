"""The checklist of a new user in each gradio: its states are those of the engine and its jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stylus_ext.engine.first_steps import STEPS, FirstSteps
from stylus_ext.environment.layout import Environment
from tests.browser.chromium import Browser, eventually
from tests.browser.own_tab import Desk, OwnTab, desk_at, own_tab
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService, serving
from tests.civitai_service.shapes import a_model
from tests.engine_process import finished
from tests.lora_files import write_lora

if TYPE_CHECKING:
    from playwright.sync_api import Route


@pytest.fixture(scope="module")
def civitai() -> Iterator[CivitaiService]:
    with serving() as service:
        service.add(*(a_model(number) for number in range(1, 31)))
        yield service


@pytest.fixture(scope="module")
def newcomer(
    environment: Environment,
    prepared: Path,
    civitai: CivitaiService,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Desk]:
    """A WebUI without LoRAs."""
    settings = {"civitai": {"civitai_url": civitai.api, "request_interval": 0.0}}
    folder = tmp_path_factory.mktemp("newcomer")
    with desk_at(environment, prepared, folder, settings=settings, loras=False) as made:
        yield made


def state(tab: OwnTab, name: str) -> str | None:
    return tab.first_step(name).get_attribute("data-state")


def press(tab: OwnTab, name: str) -> None:
    tab.first_step(name).locator("[data-act]").click()


def test_an_empty_gallery_offers_the_steps_until_there_are_loras(
    newcomer: Desk, browser: Browser
) -> None:
    with own_tab(newcomer, browser) as (tab, here):
        steps = tab.part("start_list")
        steps.wait_for(state="visible")
        assert steps.locator("li").count() == len(STEPS)
        here.picture(f"{newcomer.server.gradio}-newcomer")
        write_lora(newcomer.folder / "loras" / "zz17.safetensors", seed=77)
        steps.locator("[data-act='read']").click()
        eventually(lambda: len(tab.names()) == 1, tab.page)
        assert not steps.is_visible()


def test_a_step_is_running_failed_and_done(
    newcomer: Desk, civitai: CivitaiService, browser: Browser
) -> None:
    civitai.faults.add(Fault("/models$", after=0, delay_s=3, times=1))
    with own_tab(newcomer, browser) as (tab, here):
        tab.turn_to("setup")
        write_lora(newcomer.folder / "loras" / "zz17.safetensors", seed=77)
        press(tab, "read")
        eventually(lambda: state(tab, "read") == "done", tab.page)
        assert state(tab, "catalogue") == state(tab, "language_model") == "to_do"
        press(tab, "catalogue")
        eventually(lambda: state(tab, "catalogue") == "running", tab.page)
        assert tab.first_step("catalogue").locator("progress").is_visible()
        here.picture(f"{newcomer.server.gradio}-step-running")
        eventually(lambda: state(tab, "catalogue") == "done", tab.page)
        civitai.faults.add(Fault("/models$", after=0, status=403, times=50))
        press(tab, "catalogue")
        eventually(lambda: state(tab, "catalogue") == "failed", tab.page)
        error = newcomer.link.call("GET", "/v1/jobs")["jobs"][-1]["error"]
        assert error in tab.first_step("catalogue").inner_text()
        here.picture(f"{newcomer.server.gradio}-step-failed")
        civitai.faults.clear()
        press(tab, "catalogue")
        eventually(lambda: state(tab, "catalogue") == "done", tab.page)


def test_skipped_steps_stay_skipped_and_the_list_becomes_a_line(
    newcomer: Desk, browser: Browser
) -> None:
    def after_the_jobs(route: Route) -> None:
        """A quick job ends before the page sees it."""
        for job in newcomer.link.call("GET", "/v1/jobs")["jobs"]:
            finished(newcomer.link, str(job["id"]))
        route.continue_()

    with own_tab(newcomer, browser) as (tab, here):
        tab.turn_to("setup")
        eventually(lambda: state(tab, "learn") == "to_do", tab.page)
        tab.part("steps_skip").click()
        tab.part("steps_list").wait_for(state="hidden")
        here.picture(f"{newcomer.server.gradio}-steps-over")
    assert "learn" in FirstSteps(newcomer.folder / "stylus").skipped()
    with own_tab(newcomer, browser) as (tab, _):
        tab.turn_to("setup")
        tab.part("steps_summary").wait_for(state="visible")
        assert not tab.part("steps_list").is_visible()
        tab.part("steps_summary").click()
        assert state(tab, "learn") == "skipped"
        tab.page.route("**/ui/jobs", after_the_jobs)
        press(tab, "learn")
        eventually(lambda: state(tab, "learn") == "done", tab.page)


def test_strangers_skip_nothing(newcomer: Desk) -> None:
    newcomer.server.flag("listen", True)
    try:
        path = "/stylus/v1/ui/first_steps"
        assert newcomer.server.ask("POST", path, {"skip": []})[0] == 403
    finally:
        newcomer.server.flag("listen", False)
