"""The README tells the truth: its tables are those of the code, and its commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stylus_ext import __version__
from stylus_ext.cli_flags import table
from stylus_ext.environment.commands import ENGINE_COMMANDS, OWN_COMMANDS

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_the_table_of_options_is_the_codes() -> None:
    shown = README.split("<!-- options -->")[1].split("<!-- /options -->")[0].strip()
    assert shown == table(), "Put this between the marks of README.md:\n" + table()


def test_every_command_it_names_exists() -> None:
    named = set(re.findall(r"python install\.py ([a-z]+)", README))
    assert named <= set(ENGINE_COMMANDS | OWN_COMMANDS)
    assert {"plan", "test", "index", "doctor", "remove", "bench"} <= named


@pytest.mark.parametrize("link", re.findall(r"\]\((?!https?:)([^)#]+)\)", README))
def test_every_file_it_links_to_exists(link: str) -> None:
    assert (ROOT / link).exists()


def test_the_changelog_knows_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"[{__version__}]" in changelog or "[Unreleased]" in changelog
