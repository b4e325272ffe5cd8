"""Every counted sentence of the page, for 0, 1 and 2: none says "1 files"."""

from __future__ import annotations

import re

from stylus_ext.environment.layout import ROOT
from tests.browser.chromium import Browser
from tests.browser.test_load_order import SCRIPTS, drawn

_TEXT = re.compile(r'^\s+(\w+):\s+"((?:[^"\\]|\\.)*)",?$', re.MULTILINE)
_PLURAL = r"(?:new |more )?[A-Za-z]*[^\W\dis]s\b"
_COUNT_OF_MANY = re.compile(rf"\{{(?:number|count|total|wanted)\}} {_PLURAL}")
_ONE_OF_MANY = re.compile(rf"(?<![\d.,])1 {_PLURAL}")


def texts() -> dict[str, str]:
    return {
        name: words
        for path in sorted((ROOT / "javascript").glob("*.js"))
        for name, words in _TEXT.findall(path.read_text("utf-8"))
    }


def test_every_count_of_several_has_a_sentence_for_one() -> None:
    known = texts()
    counted = {name for name, words in known.items() if _COUNT_OF_MANY.search(words)}
    assert len(counted) > 12
    assert {f"{name}One" for name in counted} <= set(known)


def test_no_sentence_counts_one_in_the_plural(browser: Browser) -> None:
    names = [name for name, words in texts().items() if "{number}" in words]
    with browser.new_context() as context:
        page = context.new_page()
        drawn(page, [f"javascript/{name}" for name in SCRIPTS])
        count = "names => names.map(name => [0, 1, 2].map(n => stylus.countText(name, n)))"
        for name, (none, one, two) in zip(names, page.evaluate(count, names), strict=True):
            assert not _ONE_OF_MANY.search(one), (name, one)
            assert "{number}" not in f"{none}{one}{two}", name
            assert "2" in two, name
