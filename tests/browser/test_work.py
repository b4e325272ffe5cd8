"""Jobs, Keys and Status of the Stylus tab in each gradio: what is started there runs in the engine,
and a reload finds it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stylus_ext.environment.layout import Environment
from tests.browser.chromium import Browser, eventually
from tests.browser.own_tab import Desk, OwnTab, desk_at, own_tab
from tests.chat_service.answers import says
from tests.chat_service.server import ChatService
from tests.chat_service.server import serving as serving_chat
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService, serving
from tests.civitai_service.shapes import a_model
from tests.engine_process import finished
from tests.lora_files import write_lora

if TYPE_CHECKING:
    from playwright.sync_api import Locator


SECRET = "the-right-key"


@pytest.fixture(scope="module")
def civitai() -> Iterator[CivitaiService]:
    with serving() as service:
        service.add(*(a_model(number) for number in range(1, 131)))
        yield service


@pytest.fixture(scope="module")
def seer() -> Iterator[ChatService]:
    with serving_chat(says({"answer": "yes"})) as service:
        yield service


@pytest.fixture(scope="module")
def busy(
    environment: Environment,
    prepared: Path,
    civitai: CivitaiService,
    seer: ChatService,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Desk]:
    """A desk whose Civitai is here, and its chat server too."""
    said = {
        "civitai": {"civitai_url": civitai.api, "request_interval": 0.0},
        "chat": {"chat_url": seer.url, "chat_model": "seer-1"},
    }
    with desk_at(environment, prepared, tmp_path_factory.mktemp("busy"), settings=said) as made:
        yield made


def job(tab: OwnTab, name: str) -> Locator:
    return tab.page.locator(f"#stylus_jobs [data-name='{name}']").first


def test_reading_the_loras_is_a_job_with_a_log(busy: Desk, browser: Browser) -> None:
    write_lora(busy.folder / "loras" / "late_comer.safetensors", seed=77)
    with own_tab(busy, browser) as (tab, here):
        tab.turn_to("jobs")
        known = len(busy.link.call("GET", "/v1/jobs")["jobs"])
        tab.part("start_index").click()
        tab.wait_for_message("work_line", "started")
        eventually(lambda: len(busy.link.call("GET", "/v1/jobs")["jobs"]) > known, tab.page)
        number = str(busy.link.call("GET", "/v1/jobs")["jobs"][-1]["id"])
        assert finished(busy.link, number)["state"] == "done"
        row = tab.page.locator(f"#stylus_jobs [data-job='{number}'][data-state='done']")
        tab.open_jobs()
        row.locator("summary").click()
        eventually(lambda: "1 new LoRA" in row.inner_text(), tab.page)
        eventually(lambda: "1 new LoRA" in tab.part("job_news").inner_text(), tab.page)
        assert "reading your LoRA folders" in row.inner_text()
        here.picture(f"{busy.server.gradio}-jobs")
    assert busy.entry("late_comer")["stem"] == "late_comer"


def test_a_reload_finds_what_runs_and_a_click_stops_it(
    busy: Desk, civitai: CivitaiService, browser: Browser
) -> None:
    civitai.faults.add(Fault("/models$", after=0, delay_s=8, times=2))
    with own_tab(busy, browser) as (tab, here):
        tab.turn_to("jobs")
        tab.part("sync_words").fill("adapter")
        tab.part("start_sync").click()
        eventually(lambda: job(tab, "sync").get_attribute("data-state") == "running", tab.page)
        here.page.reload()
        tab.open()
        eventually(lambda: tab.part("job_count").inner_text() == "1", tab.page)
        tab.open_jobs()
        assert job(tab, "sync").get_attribute("data-state") == "running"
        assert (
            job(tab, "sync").locator("progress").get_attribute("aria-label")
            == "Progress of Search online"
        )
        job(tab, "sync").get_by_role("button", name="Stop").click()
        eventually(lambda: job(tab, "sync").get_attribute("data-state") == "cancelled", tab.page)
        assert busy.link.call("GET", "/v1/jobs")["jobs"][-1]["state"] == "cancelled"
        assert not job(tab, "sync").get_by_role("button", name="Stop").is_visible()


def test_what_civitai_has_is_in_the_catalogue_afterwards(
    busy: Desk, civitai: CivitaiService, browser: Browser
) -> None:
    civitai.faults.clear()
    with own_tab(busy, browser) as (tab, _):
        tab.turn_to("jobs")
        tab.part("sync_most").fill("50")
        tab.part("start_sync").click()
        tab.wait_for_message("work_line", "started")
        eventually(lambda: job(tab, "sync").get_attribute("data-state") == "done", tab.page)
        tab.part("start_identify").click()
        eventually(lambda: job(tab, "identify").get_attribute("data-state") == "done", tab.page)
        assert busy.link.call("POST", "/v1/browse", {"text": "adapter"})["total"] > 10
        tab.turn_to("catalogue")
        tab.show_everything()
        tab.search("adapter")
        eventually(lambda: len(tab.names()) > 10, tab.page)
    assert civitai.asked("/model-versions/by-hash/ids")


def test_a_key_is_written_tried_and_deleted_and_never_shown(busy: Desk, browser: Browser) -> None:
    with own_tab(busy, browser) as (tab, here):
        tab.turn_to("keys")
        tab.wait_for("keys", "No key for http://127.0.0.1")
        tab.part("key_chat").fill("half typed")
        tab.part("key_civitai").fill(SECRET)
        here.picture(f"{busy.server.gradio}-keys")
        tab.part("key_enter_civitai").click()
        tab.wait_for("keys_line", "key was saved")
        assert SECRET in (busy.folder / "stylus" / "civitai.key").read_text("utf-8")
        assert tab.part("key_civitai").input_value() == ""
        assert tab.part("key_chat").input_value() == "half typed"
        assert SECRET not in here.page.content()
        tab.part("key_check_civitai").click()
        tab.wait_for("keys_line", "somebody")
        tab.part("key_forget_civitai").click()
        tab.wait_for("keys_line", "deleted")
        assert not (busy.folder / "stylus" / "civitai.key").exists()


def test_the_chat_servers_key_is_kept_and_tried_at_that_server(
    busy: Desk, seer: ChatService, browser: Browser
) -> None:
    with own_tab(busy, browser) as (tab, here):
        tab.turn_to("keys")
        tab.wait_for("keys", f"No key for {seer.url}")
        asked = len(seer.seen)
        tab.part("key_check_chat").click()
        assert "seer-1" in tab.wait_for("keys_line", "answers.")
        assert len(seer.seen) == asked + 1
        assert SECRET not in str(seer.seen[-1].headers)
        tab.part("key_chat").fill(SECRET)
        tab.part("key_enter_chat").click()
        tab.wait_for("keys_line", "key was saved")
        tab.part("key_check_chat").click()
        tab.wait_for("keys_line", "answers.")
        assert seer.seen[-1].headers["authorization"] == f"Bearer {SECRET}"
        assert SECRET not in here.page.content()
        tab.part("key_forget_chat").click()
        tab.wait_for("keys_line", "deleted")
    assert not next(
        one["has_key"] for one in busy.page_asks("keys", {})["keys"] if one["service"] == "chat"
    )


def test_the_status_says_where_everything_is_and_what_leaves(
    busy: Desk, civitai: CivitaiService, browser: Browser
) -> None:
    with own_tab(busy, browser) as (tab, here):
        tab.turn_to("status")
        tab.wait_for("status", str(busy.folder / "stylus"))
        told = busy.link.call("GET", "/v1/status")
        shown = tab.part("status").inner_text()
        assert told["encoder"] in shown
        assert f"{told['catalogue']['entries']:,} LoRAs" in shown
        assert str(busy.folder / "loras") in shown
        sent = tab.part("leaves").inner_text()
        assert all(
            line in sent for line in (*told["leaves_the_machine"], *told["leaves_on_request"])
        )
        assert civitai.api in sent
        here.picture(f"{busy.server.gradio}-status")


def test_an_engine_that_rests_is_started_by_a_click(busy: Desk, browser: Browser) -> None:
    with own_tab(busy, browser) as (tab, here):
        before = busy.server.told()["pid"]
        tab.turn_to("status")
        setup = ("status", "storage_sum", "keys", "steps_summary")  # each of them asks the engine
        eventually(lambda: all(tab.part(name).inner_text() for name in setup), tab.page)
        busy.link.call("POST", "/v1/shutdown", {})
        eventually(lambda: busy.server.told()["engine"] == "stopped", tab.page)
        tab.head("setup").click()
        tab.part("wake").wait_for(state="visible")
        tab.page.wait_for_timeout(4500)  # the list of jobs is asked for meanwhile
        assert busy.server.told()["engine"] == "stopped"
        here.picture(f"{busy.server.gradio}-resting")
        tab.part("wake").click()
        eventually(lambda: busy.server.told()["engine"] == "ready", tab.page)
        tab.part("look_again").click()
        tab.wait_for("status", str(busy.folder / "stylus"))
        tab.part("wake").wait_for(state="hidden")
        assert busy.server.told()["pid"] != before


def test_strangers_start_nothing(busy: Desk, browser: Browser) -> None:
    busy.server.flag("listen", True)
    try:
        asked: list[tuple[str, dict[str, Any]]] = [
            ("start", {"name": "sync"}),
            ("start", {"name": "index"}),
            ("start", {"name": "refine"}),
            ("start", {"name": "discard"}),
            ("cancel", {"id": "00"}),
            ("keys", {"service": "civitai", "enter": SECRET}),
            ("keys", {"service": "civitai", "check": True}),
            ("keys", {"service": "chat", "check": True}),
        ]
        for name, payload in asked:
            status, text = busy.server.ask("POST", f"/stylus/v1/ui/{name}", payload)
            assert status == 403, text
            assert "without a password" in text
        with own_tab(busy, browser) as (tab, _):
            tab.turn_to("jobs")
            tab.part("start_sync").click()
            tab.wait_for("work_line", "without a password")
    finally:
        busy.server.flag("listen", False)
    wrong: list[dict[str, Any]] = [
        {"name": "shutdown"},
        {"name": ["index"]},
        {},
        {"name": "index", "payload": "x"},
    ]
    for payload in wrong:
        assert busy.server.ask("POST", "/stylus/v1/ui/start", payload)[0] == 400
    assert busy.server.ask("POST", "/stylus/v1/ui/job", {"id": "../status"})[0] == 400
