"""What the page's scripts may not do, read from their text: write markup, run text, store
anything, load anything from elsewhere.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = {path.name: path.read_text("utf-8") for path in (ROOT / "javascript").glob("*.js")}
SCRIPT = "\n".join(SCRIPTS.values())
STYLE = (ROOT / "style.css").read_text("utf-8")
MOST_LINES = 400
_ADD_TEXTS = re.compile(r"\baddTexts\(\{(.*?)\}\);", re.DOTALL)
_TEXT = re.compile(r"\b(\w+):\s+\"((?:[^\"\\]|\\.)*)\"")


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
def test_no_script_uses(word: str) -> None:
    """The name of SVG looks like an address, and nothing is fetched from it."""
    assert word not in SCRIPT.replace("http://www.w3.org/2000/svg", "")


def test_there_is_one_global_and_every_id_has_one_prefix() -> None:
    assert set(re.findall(r"window\.(\w+) (?:\?\?)?=[^=]", SCRIPT)) == {"stylus"}
    ids = re.findall(r"\bid: [\"`]([^\"`]+)[\"`]", SCRIPT)
    assert len(ids) > 50
    assert all(one.startswith(("stylus_", "${")) for one in ids)


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_script_is_checked_small_and_registers_itself(name: str) -> None:
    script = SCRIPTS[name]
    assert script.startswith("// @ts-check\n")
    assert '\n"use strict";\n' in script
    assert len(script.splitlines()) <= MOST_LINES
    assert script.count("window.stylus ??= { files: [] };") == 1
    assert re.search(r"\bname: \"(\w+)\",\n\s+needs: \[", script).group(1) == name[:-3]  # type: ignore[union-attr]


def test_every_file_that_a_script_needs_exists() -> None:
    needed = {
        name
        for names in re.findall(r"\bneeds: \[([^\]]*)\]", SCRIPT)
        for name in re.findall(r'"(\w+)"', names)
    }
    assert needed <= {name[:-3] for name in SCRIPTS}


def test_there_is_no_interval() -> None:
    assert [name for name, script in SCRIPTS.items() if "setInterval(" in script] == []


def test_every_text_that_is_asked_for_is_defined_once_under_each_name() -> None:
    texts: dict[str, set[str]] = {}
    for table in _ADD_TEXTS.findall(SCRIPT):
        for name, words in _TEXT.findall(table):
            texts.setdefault(name, set()).add(words)
    assert {name: words for name, words in texts.items() if len(words) > 1} == {}
    asked = set(re.findall(r"\b(?:text\(|say\(\w+, )\"(\w+)\"", SCRIPT))
    assert len(asked) > 100
    assert asked <= set(texts), asked - set(texts)


def test_node_packages_are_pinned_and_name_no_registry() -> None:
    package = json.loads((ROOT / "package.json").read_text("utf-8"))
    assert all(re.fullmatch(r"[0-9.]+", version) for version in package["devDependencies"].values())
    lock = json.loads((ROOT / "package-lock.json").read_text("utf-8"))
    assert [name for name, one in lock["packages"].items() if "resolved" in one] == []


def test_the_style_loads_nothing_and_touches_nothing_of_others() -> None:
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    bare = re.sub(r"/\*.*?\*/", "", STYLE, flags=re.DOTALL)
    for selectors in re.findall(r"([^{}]+)\{", bare):
        for selector in selectors.split(","):
            assert "stylus" in selector or selector.strip().startswith("@"), selector
