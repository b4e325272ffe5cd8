"""docs/options.md is what the settings say."""

from __future__ import annotations

import os
from pathlib import Path

from stylus_ext.cli.flags import flag, options_page
from stylus_ext.core.settings import options

PAGE = Path(__file__).resolve().parent.parent / "docs" / "options.md"


def test_the_page_of_options_is_up_to_date() -> None:
    if os.environ.get("STYLUS_REWRITE_DOCS"):
        PAGE.write_text(options_page(), "utf-8")
    assert PAGE.read_text("utf-8") == options_page(), (
        "Write it again: STYLUS_REWRITE_DOCS=1 python install.py test tests/test_options_page.py"
    )


def test_the_page_has_every_option_once() -> None:
    page = options_page()
    for option in options():
        assert page.count(f" | `{flag(option)}` |") == 1
