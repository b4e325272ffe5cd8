"""The README tells the truth: its tables are those of the code, and its commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stylus_ext import __version__
from stylus_ext.backends.chat import picture_tokens, place_of, price_of
from stylus_ext.backends.chat.endpoint import base_url
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


def test_what_a_language_model_costs_is_computed() -> None:
    """From the list prices in the code, and from the tokens that the README names; the second
    number is the benchmark's.
    """
    told = re.search(
        r"from tokens: ([\d,]+) in and ([\d,]+) out for an adapter.*?and ([\d,]+) in and\s+([\d,]+)"
        r" out for a prompt",
        README,
        re.DOTALL,
    )
    assert told is not None
    refined_in, refined_out, composed_in, composed_out = (
        1000 * int(number.replace(",", "")) for number in told.groups()
    )
    assert f"tokens                           {composed_in // 1000}" in (
        ROOT / "docs" / "benchmark.md"
    ).read_text("utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in README.splitlines()
        if line.startswith("|") and line.count("|") == 6
    ]
    servers = [row for row in rows if row[1].startswith("`http")]
    assert len(servers) == 9
    for name, url, _, refined, composed in servers:
        address = url.strip("`")
        assert base_url(address)
        model = re.findall("`([^`]+)`", name)
        if place_of(address) == "machine":
            assert (refined, composed) == ("nothing", "nothing")
            continue
        price = price_of(model[0])
        assert price is not None, name
        assert (
            refined
            == f"${price.spent(refined_in + 3000 * picture_tokens(model[0]), refined_out).cost:.2f}"
        ), name
        assert composed == f"${price.spent(composed_in, composed_out).cost:.2f}", name
