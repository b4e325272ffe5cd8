"""The folder that the builds of these tests come from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.environment.wheels import BuildFolder, build_folder


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuildFolder:
    """pip hears nothing of this machine's own settings."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return build_folder(tmp_path)
