"""Probes in the Stylus tab in each gradio: figures, marks, and the button that measures."""

from __future__ import annotations

from typing import Any

from tests.browser.chromium import Browser, eventually
from tests.browser.own_tab import Desk, OwnTab, own_tab


def keep(planner: Desk, key: str, **changes: Any) -> None:
    probe = {"strength": 0.42, "consistency": 0.9, "checkpoint": "tiny", "features": "cells"}
    planner.link.call("POST", "/v1/keep_probe", {"key": key, "settings": "f", **probe, **changes})


def details(tab: OwnTab, key: str) -> None:
    tab.search("corgi")
    card = tab.page.locator(f"#stylus_cards .stylus-open[data-key='{key}']")
    eventually(lambda: card.count() == 1, tab.page)
    card.click()
    tab.part("detail").wait_for(state="visible")


def test_figures_marks_and_the_button(planner: Desk, browser: Browser) -> None:
    found = planner.link.call("POST", "/v1/browse", {"text": "corgi", "on_disk": True})
    key = found["entries"][0]["key"]
    keep(planner, key, trouble="broken", breaks_at=0.25)
    with own_tab(planner, browser) as (tab, here):
        details(tab, key)
        marks = tab.page.locator(f"#stylus_cards [data-key='{key}'] .stylus-trouble")
        assert marks.count() == 1
        assert tab.part("probe").locator("strong").count() == 1
        here.picture(f"{planner.server.gradio}-probe")
        tab.part("close").click()
        keep(planner, key, breaks_at=1.25, weight=0.8)
        details(tab, key)
        eventually(lambda: "0.42" in tab.part("probe").inner_text(), tab.page)
        assert "1.25" in tab.part("probe").inner_text()
        known = planner.page_asks("jobs", {})["jobs"]
        tab.part("measure").click()
        eventually(lambda: tab.part("detail_line").inner_text().strip(), tab.page)
        eventually(lambda: tab.part("measure").is_enabled(), tab.page)
        begun = [job for job in planner.page_asks("jobs", {})["jobs"] if job not in known]
        # Whether the packages that measure are there depends on what else has run on this machine.
        wanted = {"family": "sd1", "keys": [key], "settings": "f"}
        can_measure = not planner.link.call("POST", "/v1/probes", wanted)["why_not"]
        assert [job["name"] for job in begun] == ["probe"] * can_measure
