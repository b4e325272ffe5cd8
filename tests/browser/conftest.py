from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from stylus_ext.core.errors import SetupProblem
from stylus_ext.environment.layout import Environment, default_locks, read_lock
from stylus_ext.environment.machine import python_version
from tests.browser.chromium import PROGRAM_VARIABLE, Browser, find_chromium, is_required
from tests.browser.environments import VERSIONS, built
from tests.browser.running import Running, here, running
from tests.catalogue.sources.pictures.making import infotext, write_png
from tests.embedding_server import serving
from tests.engine_process import prepared_folder
from tests.lora_files import write_lora

if TYPE_CHECKING:
    from playwright.sync_api import Playwright

    from tests.browser.own_tab import Desk


PICTURES = ("qqq zzz", "corgi dog in the garden")
LORAS = {"corgi_dog": "sd_v1", "watercolor_painting": "sd_v1", "glass_skyscraper": "sd_v1"}


# Files of the default suite: with both gradio versions, or with gradio 3 alone. CI and `test --all`
# run every file with both, and `test_panel` with Forge Neo's packages: all, with _EVERY_VARIABLE.
_EVERY_VARIABLE = "STYLUS_EVERY_GRADIO"
NEO = frozenset({"test_panel"})
BOTH = frozenset({"test_panel", "test_queue"})
ONCE = frozenset(
    {
        "test_catalogue",
        "test_chromium",
        "test_downloads",
        "test_first_steps",
        "test_judging",
        "test_load_order",
        "test_own_tab",
        "test_set_up",
        "test_work",
    }
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    own = [item for item in items if Path(__file__).parent in item.path.parents]
    if not os.environ.get(_EVERY_VARIABLE):
        dropped = [
            item for item in own if "gradio-neo" in item.nodeid and item.path.stem not in NEO
        ]
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in dropped]
    for item in own:
        item.add_marker("browser")
        name = item.path.stem
        is_neo = "gradio-neo" in item.nodeid
        if is_neo or (name not in BOTH and (name not in ONCE or "gradio-4" in item.nodeid)):
            item.add_marker("long")


def _without(reason: str) -> NoReturn:
    if is_required():
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="package")
def chromium() -> str:
    found = find_chromium()
    if found is None:
        _without(f"There is no Chromium here; install one, or name one in {PROGRAM_VARIABLE}.")
    return found


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as made:
        yield made


@pytest.fixture(scope="package")
def browser(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    made = Browser(playwright, chromium)
    yield made
    made.close()


@pytest.fixture(scope="package", params=sorted(VERSIONS))
def environment(request: pytest.FixtureRequest, chromium: str) -> Environment:
    """Built where it is missing; whoever runs one test waits for one gradio."""
    pythons = read_lock(default_locks() / f"{request.param}.txt").pythons
    if python_version() not in pythons:
        pytest.skip(
            f"gradio {VERSIONS[request.param]} is for Python {', '.join(pythons)}; this is"
            f" {python_version()}."
        )
    try:
        return built(request.param)
    except SetupProblem as problem:
        _without(f"gradio {VERSIONS[request.param]} is not here: {problem}")


@pytest.fixture(scope="package")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder whose starter catalogue has its vectors from a small server, which goes on."""
    with serving() as vectors:
        yield prepared_folder(tmp_path_factory.mktemp("prepared") / "data", vectors.url)


def write_loras(folder: Path) -> Path:
    for seed, (stem, model) in enumerate(LORAS.items()):
        words = {"ss_output_name": stem.replace("_", " "), "ss_base_model_version": model}
        write_lora(folder / f"{stem}.safetensors", metadata=words, seed=seed)
    return folder


def orders(folder: Path, prepared: Path, flags: Mapping[str, bool]) -> dict[str, Any]:
    """For a WebUI in this folder, with an engine that has what it needs."""
    shutil.copytree(prepared, folder / "stylus")
    outputs = folder / "outputs"
    outputs.mkdir()
    for number, prompt in enumerate(PICTURES):
        write_png(outputs / f"{number}.png", infotext(prompt))
    return {
        "folder": str(folder),
        "loras": str(write_loras(folder / "loras")),
        "engine": here(),
        "flags": dict(flags),
        "options": {
            "stylus_warm_s": 30.0,
            "stylus_cold_s": 60.0,
            "stylus_selection_strictness": 0.0,
            "outdir_samples": str(outputs),
        },
    }


@pytest.fixture(scope="package")
def server(
    environment: Environment, prepared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    with running(environment, orders(tmp_path_factory.mktemp("webui"), prepared, {})) as made:
        yield made
        assert made.told()["errors"] == []


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Iterator[list[str]]:
    """Figures for whoever runs the tests."""
    lines: list[str] = []
    yield lines
    with capsys.disabled():
        sys.stdout.write("".join(f"\n{line}\n" for line in lines))


@pytest.fixture(scope="package")
def planner(
    environment: Environment, prepared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    """A WebUI whose engine has read its LoRAs, for the Stylus tab."""
    from tests.browser.own_tab import desk_at

    with desk_at(environment, prepared, tmp_path_factory.mktemp("desk")) as made:
        yield made
        assert made.server.told()["errors"] == []
