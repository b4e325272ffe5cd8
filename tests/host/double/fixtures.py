"""A started host with an engine that plans in this process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.host.double.webui import Host


@dataclass
class Stage:
    """The host, and what its Stylus asks."""

    host: Host
    engine: Any
    client: Any
    planner: Any

    @property
    def asked(self) -> list[dict[str, Any]]:
        return list(self.client.asked)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    yield from staged(Host(tmp_path, monkeypatch), tmp_path, monkeypatch)


def staged(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    host.start()
    from stylus_ext.host import compat
    from stylus_ext.host.checkpoint import Remembered
    from stylus_ext.host.planner import Planner, PlannerRegistry
    from tests.host.double.planner import SmallClient, SmallEngine

    engine: Any = SmallEngine()
    client: Any = SmallClient()
    planner = Planner(
        engine, client, Remembered(tmp_path / "stylus"), compat.interrupted, compat.show_progress
    )
    monkeypatch.setattr("stylus_ext.host.planner.registry", PlannerRegistry(lambda: planner))
    yield Stage(host, engine, client, planner)
    assert host.errors == []
