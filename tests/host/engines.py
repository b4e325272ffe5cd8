"""What the tests of the engine's process need: the private environment is the one that runs them,
everything else is real.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from stylus_ext.host.engine.setup_state import EngineReport, EngineState, Setup
from stylus_ext.host.engine.supervisor import EngineProcess
from tests.engine_process import PATIENCE_S, environment


@dataclass
class HereSetup(Setup):
    """Is set up (`there`), with the interpreter and the packages of the tests; `instead` runs
    another program.
    """

    there: bool = True
    instead: list[str] = field(default_factory=list)
    started: list[list[str]] = field(default_factory=list)
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        return self.there

    def report(self) -> EngineReport | None:
        return (
            None
            if self.there
            else EngineReport(EngineState.NOT_SET_UP, "The engine is not set up.")
        )

    def begin(self) -> None:
        self.there = True

    def command(self, words: list[str]) -> list[str]:
        self.started.append(words)
        return self.instead or super().command(words)

    def variables(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in environment(Path("nowhere")).items()
            if name != "PYTHONPATH"
        }
        return kept | {"CUDA_VISIBLE_DEVICES": ""} | self.extra


def never() -> bool:
    return False


@contextmanager
def engine(
    folder: Path, setup: Setup | None = None, idle_minutes: float = 15.0
) -> Iterator[EngineProcess]:
    process = EngineProcess(folder, setup=setup or HereSetup(), idle_minutes=idle_minutes)
    try:
        yield process
    finally:
        process.stop()
        assert not [
            thread
            for thread in threading.enumerate()
            if thread.name == "stylus-engine" and thread.is_alive()
        ]


def until(true: Callable[[], object], timeout_s: float = PATIENCE_S) -> float:
    """How long it took to become true."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < timeout_s, "it did not happen"
        time.sleep(0.01)
    return time.monotonic() - began
