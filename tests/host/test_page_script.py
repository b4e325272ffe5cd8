"""What the page's script may not do, read from its text: write markup, run text, keep anything,
load anything from elsewhere.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = (ROOT / "javascript" / "stylus.js").read_text("utf-8")
STYLE = (ROOT / "style.css").read_text("utf-8")


@pytest.mark.parametrize(
    "word",
    [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "DOMParser",
        "createContextualFragment",
        "srcdoc",
        "localStorage",
        "indexedDB",
        "document.cookie",
        "http://",
        "import(",
        "XMLHttpRequest",
        'setAttribute("on',
    ],
)
def test_it_has_no_word_for_it(word: str) -> None:
    assert word not in SCRIPT


def test_it_is_one_object_and_every_id_of_its_own_begins_with_one_prefix() -> None:
    assert set(re.findall(r"window\.(\w+) =[^=]", SCRIPT)) == {"stylus"}
    ids = re.findall(r"\bid: [\"`]([^\"`]+)[\"`]", SCRIPT)
    assert len(ids) > 50
    assert all(one.startswith(("stylus_", "${")) for one in ids)


def test_every_text_that_it_asks_for_is_there_once_under_each_name() -> None:
    tables = re.findall(
        r"(?:Object\.assign\(stylus\.TEXTS, \{|const TEXTS = \{)(.*?)\n    \}", SCRIPT, re.DOTALL
    )
    said: dict[str, set[str]] = {}
    for table in tables:
        for name, words in re.findall(r"\b(\w+): \"((?:[^\"\\]|\\.)*)\"", table):
            said.setdefault(name, set()).add(words)
    assert {name: words for name, words in said.items() if len(words) > 1} == {}
    asked = set(re.findall(r"\btext\(\"(\w+)\"", SCRIPT))
    assert asked <= set(said), asked - set(said)


def test_the_style_loads_nothing_and_touches_nothing_of_others() -> None:
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    bare = re.sub(r"/\*.*?\*/", "", STYLE, flags=re.DOTALL)
    for selectors in re.findall(r"([^{}]+)\{", bare):
        for selector in selectors.split(","):
            assert "stylus" in selector or selector.strip().startswith("@"), selector
