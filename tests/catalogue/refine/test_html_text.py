"""Lines of model pages, hostile ones included."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stylus_ext.catalogue.refine.text import MAX_MARKUP, plain_lines, tidy_text

MOST_SECONDS = 3.0

PAGE = """
<h2>About</h2><p>Wet <strong>streets</strong> &amp; neon&nbsp;signs.</p>
<ul><li>red umbrella</li><li><p>blue lamp</p></li></ul>
<script>alert("weight 0.3")</script><style>p { color: red }</style>
<p><a href="https://example.com/x">My shop</a></p>
<p>Drawn after <a href="https://example.com/y">old films</a>.<br>Second line</p>
<pre>masterpiece, 1girl</pre><img src="data:image/png;base64,iVBORw0KGgo="/>
"""


def test_a_page_becomes_lines_with_marks_for_headings_and_items() -> None:
    assert plain_lines(PAGE) == [
        "# About",
        "Wet streets & neon signs.",
        "- red umbrella",
        "- blue lamp",
        "Drawn after old films.",
        "Second line",
    ]


def test_plain_text_keeps_its_lines_and_loses_its_signs() -> None:
    text = (
        "### Usage\n* **bold** `code`\n- two\n\nSee [the docs](https://example.com) &lt;3"
        " \U0001f525\U0001f525"
    )
    assert plain_lines(text) == ["# Usage", "- bold code", "- two", "See the docs <3"]


@pytest.mark.parametrize(
    ("markup", "lines"),
    [
        ("", []),
        ("   \n\t", []),
        ("<p></p><div><br></div>", []),
        ("a < b and 5 > 3", ["a < b and 5 > 3"]),
        ("<p>a <b>bold", ["a bold"]),
        ("<p>one</p", ["one</p"]),
        ("<script>never", []),
        ("<script>x</script>after", ["after"]),
        ("<svg><svg></svg>in</svg>out", ["out"]),
        ("<!-- hidden --><p>seen</p>", ["seen"]),
        ("<!DOCTYPE html><p>seen</p>", ["seen"]),
        ("<![if x]><p>seen</p>", ["seen"]),
        ("<p>&#128293; &#x41; &eacute; &unknown;</p>", ["A é &unknown;"]),
        ("<p>&lt;script&gt;text&lt;/script&gt;</p>", ["<script>text</script>"]),
        ("<p>日本語の<b>説明</b>です。</p>", ["日本語の説明です。"]),
        ("<script/><p>seen</p>", ["seen"]),
        ("</p></p></a></svg><p>seen</p>", ["seen"]),
    ],
)
def test_markup_of_all_kinds(markup: str, lines: list[str]) -> None:
    assert plain_lines(markup) == lines


@pytest.mark.parametrize(
    ("text", "tidy"),
    [
        ("\U0001f525 Fire \u2605 star \u2192 end", "Fire star end"),
        ("\U0001d5d5\U0001d5fc\U0001d5f9\U0001d5f1", "Bold"),
        ("nul\x00 and \x1b escape\ud800", "nul and escape"),
        ("\uff21\uff22\uff23", "ABC"),
        ("a\u200bb \u200e c", "a b c"),
        ("snake_case stays", "snake_case stays"),
    ],
)
def test_tidy_text(text: str, tidy: str) -> None:
    assert tidy_text(text) == tidy


@pytest.mark.parametrize(
    "piece",
    [
        "<",
        "<a",
        "<!--",
        "<!",
        "<a href=",
        "<a =",
        "<a '",
        "<div>",
        "</",
        "&",
        "&#",
        "<![",
        "<?",
        "<svg>",
        "[",
        "[a](",
        "*",
        "\n- ",
        "<p>a</p>",
        "<a b ",
        "<style>x</",
        "data:a;base64,",
    ],
)
def test_a_megabyte_of_hostile_markup(piece: str) -> None:
    start = time.process_time()
    lines = plain_lines(piece * (1_000_000 // len(piece)))
    assert time.process_time() - start < MOST_SECONDS
    assert sum(map(len, lines)) <= 4 * MAX_MARKUP


def test_a_pasted_picture_does_not_hide_the_text_behind_it() -> None:
    markup = f'<img src="data:image/png;base64,{"A" * 60_000}"><p>a red barn</p>'
    assert plain_lines(markup) == ["a red barn"]


@given(st.text(alphabet=st.sampled_from("<>/!-[]&;# =\"'apbrscitylevg\n*`_\x00\ud800\U0001f525")))
@example("<![x")
@example("<a<b>c</a>")
def test_no_markup_raises_and_lines_are_lines(markup: str) -> None:
    for line in plain_lines(markup):
        assert line == line.strip() or line.startswith(("# ", "- "))
        assert "\n" not in line
        assert not any("\ud800" <= char <= "\udfff" or char < " " for char in line)


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert all(plain_lines(text))
