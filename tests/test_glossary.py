"""Identifiers use the ordinary words of the trade: retired words may not come back."""

from __future__ import annotations

import io
import keyword
import re
import tokenize
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PYTHON_FOLDERS = ("stylus_ext", "scripts", "tools")
PAGE_FOLDER = "javascript"
RETIRED = frozenset(
    "cook cutter desk desks eloquence errand hall heed inquiry kin manners nobody patience pulse"
    " lend lent rendezvous said seat settle shelf somebody spoken telling told tray trays voices"
    " whoever whom wish workshop".split()
)
_PAGE_TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"|(?P<name>[A-Za-z_$][\w$]*)",
    re.DOTALL,
)


def words_of(identifier: str) -> list[str]:
    """The words of a snake_case or CamelCase identifier, in lower case."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", identifier.replace("_", " "))
    return spaced.lower().split()


def names_in_python(source: str) -> list[tuple[str, int]]:
    return [
        (token.string, token.start[0])
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.NAME and not keyword.iskeyword(token.string)
    ]


def names_in_javascript(source: str) -> list[tuple[str, int]]:
    return [
        (match["name"], source.count("\n", 0, match.start()) + 1)
        for match in _PAGE_TOKEN.finditer(source)
        if match["name"]
    ]


def retired(names: list[tuple[str, int]]) -> dict[str, list[int]]:
    """The retired words in these identifiers, with their lines."""
    found: dict[str, list[int]] = defaultdict(list)
    for name, line in names:
        for word in RETIRED.intersection(words_of(name)):
            found[word].append(line)
    return dict(found)


def test_no_identifier_has_a_retired_word() -> None:
    python = {
        path: names_in_python(path.read_text("utf-8"))
        for folder in PYTHON_FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
    }
    page = {
        path: names_in_javascript(path.read_text("utf-8"))
        for path in sorted((ROOT / PAGE_FOLDER).iterdir())
        if path.suffix in {".js", ".ts"}
    }
    assert python
    assert page
    found = {
        str(path.relative_to(ROOT)): words
        for path, names in (python | page).items()
        if (words := retired(names))
    }
    assert not found, found


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("desk = 1", "desk"),
        ("def desk_now(): ...", "desk"),
        ("class PlanDesk: ...", "desk"),
        ("plan(said=1)", "said"),
        ("card.told()", "told"),
    ],
)
def test_a_planted_word_is_found(source: str, word: str) -> None:
    assert retired(names_in_python(source)) == {word: [1]}


def test_a_planted_word_is_found_on_the_page() -> None:
    source = "// told\nconst planDesk = 'said';\nanswer.seat = `${desk}`;\n"
    assert retired(names_in_javascript(source)) == {"desk": [2, 3], "seat": [3]}


def test_words_inside_other_words_and_texts_are_left_alone() -> None:
    assert retired(names_in_python("desktop = kindness = 'said the desk'  # told")) == {}
