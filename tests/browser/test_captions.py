"""*Describe from pictures*: only where the WebUI has an interrogator, named before the click, as a
job that can be stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stylus_ext.environment.layout import Environment
from tests.browser.chromium import Browser, eventually
from tests.browser.own_tab import Desk, OwnTab, desk_at, own_tab, png
from tests.engine_process import finished
from tests.lora_files import write_lora

if TYPE_CHECKING:
    from playwright.sync_api import Locator

WORDLESS = [f"qx{number}" for number in range(8)]


@pytest.fixture(scope="module")
def seeing(
    environment: Environment, prepared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("seeing")
    with desk_at(environment, prepared, folder, loras=False, tagger=True) as made:
        for number, name in enumerate(WORDLESS):
            write_lora(folder / "loras" / f"{name}.safetensors", seed=500 + number)
            (folder / "loras" / f"{name}.png").write_bytes(png(8 + number, 8))
        started = made.page_asks("start", {"name": "index"})
        finished(made.link, str(started["id"]))
        yield made


def offer(tab: OwnTab) -> Locator:
    return tab.part("offer_caption")


def job(tab: OwnTab) -> Locator:
    return tab.page.locator("#stylus_jobs [data-name='caption']").first


def weights_path(desk: Desk) -> Path:
    return desk.folder / "models" / "torch_deepdanbooru" / "tags.pt"


def put_weights(desk: Desk) -> None:
    weights_path(desk).parent.mkdir(parents=True, exist_ok=True)
    weights_path(desk).touch()


def described(desk: Desk) -> int:
    return sum(desk.entry(name)["described_by"] == "captions" for name in WORDLESS)


def test_without_interrogators_there_is_no_offer(
    environment: Environment,
    prepared: Path,
    tmp_path_factory: pytest.TempPathFactory,
    browser: Browser,
) -> None:
    folder = tmp_path_factory.mktemp("blind")
    with desk_at(environment, prepared, folder, loras=False) as desk:
        with own_tab(desk, browser) as (tab, _):
            tab.turn_to("jobs")
            tab.part("start_index").wait_for()
            assert desk.page_asks("captions", {}) == {"interrogators": []}
            assert not offer(tab).is_visible()
        status, _text = desk.server.ask("POST", "/stylus/v1/ui/start", {"name": "caption"})
        assert status == 400


def test_the_download_is_named_while_the_weights_are_missing(
    seeing: Desk, browser: Browser
) -> None:
    weights_path(seeing).unlink(missing_ok=True)
    with own_tab(seeing, browser) as (tab, here):
        tab.turn_to("jobs")
        offer(tab).wait_for(state="visible")
        words = tab.part("caption_downloads").inner_text()
        assert "640 MB" in words
        assert "github.com" in words
        tab.part("count_captions").click()
        tab.wait_for("work_line", "8 LoRAs")
        here.picture(f"{seeing.server.gradio}-captions")
    put_weights(seeing)
    with own_tab(seeing, browser) as (tab, _):
        tab.turn_to("jobs")
        offer(tab).wait_for(state="visible")
        assert not tab.part("caption_downloads").is_visible()


def test_a_stop_keeps_what_is_described_and_a_new_start_goes_on(
    seeing: Desk, browser: Browser
) -> None:
    put_weights(seeing)
    with own_tab(seeing, browser) as (tab, _):
        tab.turn_to("jobs")
        tab.part("start_caption").click()
        tab.wait_for_message("work_line", "started")
        tab.open_jobs()
        eventually(lambda: described(seeing) > 0, tab.page)
        job(tab).get_by_role("button", name="Stop").click()
        eventually(lambda: job(tab).get_attribute("data-state") == "cancelled", tab.page)
        before = described(seeing)
        assert 0 < before < len(WORDLESS)
        tab.close_jobs()
        tab.part("start_caption").click()
        tab.open_jobs()
        eventually(lambda: job(tab).get_attribute("data-state") == "done", tab.page)
        assert described(seeing) == len(WORDLESS)
        assert f"{len(WORDLESS) - before} description" in job(tab).inner_text()
        tab.close_jobs()
        tab.part("count_captions").click()
        tab.wait_for("work_line", "nothing to describe")
