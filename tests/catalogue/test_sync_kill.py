"""A crawl in a process of its own, killed at any moment: in the end everything is there, once, and
no page was read for nothing.
"""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.ports import Filter
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService, serving
from tests.civitai_service.shapes import a_model, a_version
from tests.embedding_server import serving as embedding
from tests.engine_process import Cli, end, start

PER_PAGE = 100


def many(service: CivitaiService, number: int) -> None:
    service.add(
        *(
            a_model(
                place,
                a_version(
                    place + 1_000_000,
                    publishedAt=(
                        f"2026-01-01T{place // 3600:02}:{place // 60 % 60:02}:{place % 60:02}.000Z"
                    ),
                ),
            )
            for place in range(1, number + 1)
        )
    )


def folder_for(folder: Path, service: CivitaiService, vectors: str) -> Path:
    folder.mkdir()
    settings = {
        "encoder": {"endpoint": vectors, "model": "bag"},
        "civitai": {"civitai_url": service.api, "request_interval": 0.0},
    }
    (folder / "settings.json").write_text(json.dumps(settings), "utf-8")
    return folder


def synced(here: Cli, folder: Path) -> dict[str, Any]:
    ran = here(folder, "catalogue", "sync", "--json")
    assert ran.code == 0, ran
    return ran.json


def names(folder: Path) -> list[str]:
    store = SqliteStore(folder)
    try:
        page = store.search("Adapter", Filter(), limit=10_000)
        return sorted(entry.card.name for entry in page.entries)
    finally:
        store.close()


def kill_at(folder: Path, service: CivitaiService, page: int, delay_s: float) -> int:
    """Kills the crawl some time after it has asked for so many pages more; how many it had asked
    for.
    """
    before = len(service.asked("/models"))
    process = start(folder, "catalogue", "sync")
    until = time.monotonic() + 60
    while (
        len(service.asked("/models")) - before < page
        and process.poll() is None
        and time.monotonic() < until
    ):
        time.sleep(0.005)
    time.sleep(delay_s)
    end(process, signal.SIGKILL)
    return len(service.asked("/models")) - before


def test_a_killed_crawl_goes_on_at_the_page_where_it_was(tmp_path: Path, here: Cli) -> None:
    with serving() as service, embedding() as vectors:
        many(service, 8 * PER_PAGE)
        service.faults.add(Fault("/models$", delay_s=0.15, times=-1))
        folder = folder_for(tmp_path / "data", service, vectors.url)
        assert kill_at(folder, service, 4, 0.05) >= 4
        cut = len(service.asked("/models"))
        answer = synced(here, folder)
        assert answer["resumed"]
        assert (answer["models"], answer["kept"]) == (800, 800)
        resumed_at = int(service.asked("/models")[cut].one("cursor", "0|").partition("|")[0])
        assert resumed_at >= 2 * PER_PAGE, (
            "at most the page in work and the one read ahead are read again"
        )
        assert names(folder) == sorted(f"Adapter {number}" for number in range(1, 801))


@pytest.mark.long
def test_kills_at_any_moment_lose_and_double_nothing(tmp_path: Path, here: Cli) -> None:
    rng = random.Random(4)
    with serving() as service, embedding() as vectors:
        many(service, 12 * PER_PAGE)
        service.faults.add(Fault("/models$", delay_s=0.1, times=-1))
        folder = folder_for(tmp_path / "data", service, vectors.url)
        for _ in range(12):
            kill_at(folder, service, rng.randint(1, 3), rng.uniform(0, 0.3))
        answer = synced(here, folder)
        assert names(folder) == sorted(
            f"Adapter {number}" for number in range(1, 12 * PER_PAGE + 1)
        )
        assert here(folder, "doctor", "--json").json["catalogue"]["in_step"]
        assert answer["kept"] >= answer["written"]
        assert synced(here, folder)["written"] == 0
