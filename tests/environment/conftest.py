"""The workshop that the builds of these tests come from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.environment.wheels import Workshop, workshop


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """pip hears nothing of this machine's own settings."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return workshop(tmp_path)
