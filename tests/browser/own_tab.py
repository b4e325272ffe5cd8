"""The Stylus tab as somebody in front of it has it; and the engine behind it, asked past the
page.
"""

from __future__ import annotations

import json
import struct
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylus_ext.environment import engine_address
from stylus_ext.environment.engine_link import EngineLink
from stylus_ext.environment.layout import Environment
from tests.browser.chromium import Browser, Visit, eventually, visit
from tests.browser.conftest import orders
from tests.browser.hostile import HOSTILE
from tests.browser.running import Running, running
from tests.engine_process import PATIENCE_S, finished
from tests.lora_files import write_lora, write_sidecar

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


NSFW = "shady_figure"
PARTS = ("catalogue", "recipes", "setup")


@dataclass(frozen=True, slots=True)
class Desk:
    """A WebUI with its engine at work, and how to reach that one."""

    server: Running
    folder: Path

    @property
    def link(self) -> EngineLink:
        said = engine_address.read(self.folder / "stylus")
        assert said is not None
        return EngineLink(said.url, said.token)

    def entry(self, key: str) -> dict[str, Any]:
        """As the store has it."""
        return dict(self.link.call("POST", "/v1/show", {"key": key})["entry"])

    def journal(self) -> str:
        return (self.folder / "stylus" / "user.jsonl").read_text("utf-8")

    def page_asks(self, name: str, payload: object) -> dict[str, Any]:
        status, text = self.server.ask("POST", f"/stylus/v1/ui/{name}", payload)
        assert status == 200, text
        return dict(json.loads(text))


@dataclass(frozen=True, slots=True)
class OwnTab:
    page: Page

    def open(self) -> OwnTab:
        self.page.locator(
            "#tabs > * > button:text-is('Stylus'), #tabs [role=tab]:text-is('Stylus')"
        ).first.click()
        self.head("catalogue").wait_for(state="visible")
        return self

    def head(self, name: str) -> Locator:
        return self.page.locator(f"#stylus_head_{name}")

    def turn_to(self, name: str) -> Locator:
        """A part of the tab, or a section of Setup."""
        self.head(name if name in PARTS else "setup").click()
        return self.page.locator(f"#stylus_part_{name}")

    def first_step(self, name: str) -> Locator:
        return self.page.locator(f"#stylus_steps_list [data-step='{name}']")

    def open_jobs(self) -> None:
        if not self.part("job_drawer").is_visible():
            self.part("jobs_open").click()
        self.part("job_drawer").wait_for(state="visible")

    def close_jobs(self) -> None:
        self.part("jobs_close").click()
        self.part("job_drawer").wait_for(state="hidden")

    def part(self, name: str) -> Locator:
        return self.page.locator(f"#stylus_{name}")

    def names(self) -> list[str]:
        return self.page.locator("#stylus_cards .stylus-name").all_inner_texts()

    def search(self, words: str) -> None:
        """Typed key by key; until the list is that of the last of them."""
        self.part("search").fill("")
        self.part("search").press_sequentially(words, delay=15)

    def show_everything(self) -> None:
        """The whole catalogue instead of what is on disk."""
        self.part("scope_everything").click()

    def chip(self, name: str, value: str) -> Locator:
        return self.page.locator(f".stylus-chip[data-filter='{name}'][data-value='{value}']")

    def press_chip(self, name: str, value: str) -> None:
        """Shows the whole group where the chip is not among the first."""
        self.page.locator(f".stylus-chip[data-filter='{name}']").first.wait_for()
        if not self.chip(name, value).count():
            group = self.page.locator(f".stylus-chips:has([data-filter='{name}'])")
            group.locator("[aria-expanded='false']").click()
        self.chip(name, value).click()

    def wait_for_names(self, *names: str) -> None:
        eventually(lambda: self.names() == list(names), self.page)

    def wait_for_message(self, line: str, name: str) -> str:
        """A status line's message, by its name in the scripts or its error code."""
        self.page.locator(f"#stylus_{line}[data-message='{name}']").wait_for(state="attached")
        return self.part(line).inner_text()

    def wait_for(self, name: str, words: str) -> str:
        eventually(lambda: words in self.part(name).inner_text(), self.page)
        return self.part(name).inner_text()


@contextmanager
def own_tab(planner: Desk, browser: Browser) -> Iterator[tuple[OwnTab, Visit]]:
    with visit(browser, planner.server.url) as here:
        yield OwnTab(here.page).open(), here


@contextmanager
def desk_at(
    environment: Environment,
    prepared: Path,
    folder: Path,
    settings: Mapping[str, Any] | None = None,
    *,
    loras: bool = True,
    tagger: bool = False,
) -> Iterator[Desk]:
    """Its LoRAs are read; some come from strangers, one has a picture, one is not safe for work.
    `settings` are the engine's. Without `loras` the folder is empty and nothing is read. With
    `tagger` the WebUI has DeepBooru, whose weights are missing until the test makes them.
    """
    said = orders(folder, prepared, {}) | {"tagger": tagger}
    stated = folder / "stylus" / "settings.json"
    stated.write_text(
        json.dumps(json.loads(stated.read_text("utf-8")) | dict(settings or {})), "utf-8"
    )
    if loras:
        write_strange_loras(Path(said["loras"]))
    else:
        for path in Path(said["loras"]).iterdir():
            path.unlink()
    with running(environment, said) as server:
        planner = Desk(server, folder)
        planner.page_asks("wake", {})
        until = time.monotonic() + PATIENCE_S
        while planner.page_asks("status", {})["engine_status"] is None:
            assert time.monotonic() < until, "the engine did not come"
            time.sleep(0.1)
        finished(planner.link)
        if loras:
            finished(planner.link, str(planner.page_asks("start", {"name": "index"})["id"]))
        yield planner


def write_strange_loras(folder: Path) -> None:
    (folder / "corgi_dog.png").write_bytes(png(8, 8))
    lora = write_lora(folder / f"{NSFW}.safetensors", metadata={"ss_output_name": NSFW}, seed=90)
    write_sidecar(
        lora,
        ".civitai.info",
        {
            "id": 9001,
            "modelId": 900,
            "name": "v1",
            "model": {"name": "Shady Figure", "nsfw": True, "type": "LORA"},
        },
    )
    (folder / f"{NSFW}.preview.png").write_bytes(png(8, 8))
    for number, words in enumerate(HOSTILE):
        lora = write_lora(folder / f"hostile_{number:02}.safetensors", seed=100 + number)
        write_sidecar(
            lora,
            ".civitai.info",
            {
                "id": 70_000 + number,
                "modelId": 7_000 + number,
                "name": words,
                "trainedWords": [words],
                "baseModel": words,
                "description": words,
                "model": {
                    "name": f"hostile {number:02} {words}",
                    "type": "LORA",
                    "tags": [words],
                    "description": words,
                },
                "images": [{"meta": {"prompt": words}}],
            },
        )


def png(width: int, height: int) -> bytes:
    rows = b"".join(b"\0" + b"\x30\x80\xc0" * width for _ in range(height))

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
