"""The panel's line while something runs: never older than two seconds, with and without gradio's
queue.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from stylus_ext.environment.files import hold
from stylus_ext.environment.layout import BUILD_LOCK, Environment
from stylus_ext.environment.progress import BuildProgress, write_progress
from tests.browser.chromium import Browser, visit
from tests.browser.copied import copied
from tests.browser.panel import Panel
from tests.browser.running import running

OLDEST_S = 2.0
FOLLOWED_S = 14.0


@pytest.mark.parametrize("queued", [True, False])
def test_the_line_is_fresh(
    environment: Environment, tmp_path: Path, browser: Browser, queued: bool, say: list[str]
) -> None:
    copy = copied(tmp_path)
    copy.home.folder.mkdir(exist_ok=True)
    said = {**copy.orders(), "flags": {} if queued else {"no_gradio_queue": True}}
    with (
        running(environment, said, copy.root) as server,
        hold(copy.home.folder, BUILD_LOCK, "building the environment"),
        visit(browser, server.url) as here,
    ):
        write_progress(copy.home.progress, BuildProgress("fetching", 1, 945, 60))
        panel = Panel(here.page)
        panel.turn()
        panel.wait_for_line("1 of 945 MB")
        ages, began, written = [], time.monotonic(), 1
        while time.monotonic() < began + FOLLOWED_S:
            written += 1
            write_progress(copy.home.progress, BuildProgress("fetching", written, 945, 60))
            at = time.monotonic()
            panel.wait_for_line(f" {written} of 945 MB")
            ages.append(time.monotonic() - at)
        panel.turn()
        panel.wait_for_empty_line()
        here.page.wait_for_timeout(1500)
        assert panel.line() == ""
    say.append(f"queue {queued}: the line was at most {max(ages):.2f} s old")
    assert max(ages) <= OLDEST_S
