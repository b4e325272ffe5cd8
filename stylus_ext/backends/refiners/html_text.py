"""HTML or plain text of a model page in, plain lines out: headings begin with "# ", list items with
"- ".

What never is a description (scripts, styles, code samples, lines that are nothing but links) is
left out here, since only here the markup can still be seen.
"""

from __future__ import annotations

import re
import unicodedata
from html import unescape
from html.parser import HTMLParser

MOST_MARKUP = 24_000
"""Characters that are read. What an adapter draws stands at the top of its page; megabytes are
pasted pictures or malice.
"""

HEADING, ITEM = "# ", "- "

_SKIPPED = frozenset(
    {"script", "style", "template", "iframe", "svg", "pre", "noscript", "object", "head"}
)
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_BLOCKS = (
    frozenset(
        "p div br li ul ol table tr td th hr blockquote section article header footer figure dl dt"
        " dd summary details".split()
    )
    | _HEADINGS
)
_MARKUP = re.compile(r"<[a-zA-Z/!]")
_DECLARATION = re.compile(r"<!--.{0,4000}?-->|<[!?][^<>]{0,2000}>", re.DOTALL)
# The parser of the standard library needs quadratic time for tags that never end, and raises on
# some declarations:
# it gets whole tags alone, every other "<" is text.
_NO_TAG = re.compile(r"<(?!/?[a-zA-Z][^<>]{0,2000}>)")
_DATA_URL = re.compile(r"data:[\w/+.-]{1,60};base64,[\w+/=]+")
_MARKDOWN_LINK = re.compile(r"!?\[([^\[\]\n]{0,200})\]\(\s*(?:https?:|/)[^()\s]{0,500}\)")
_MARKDOWN_MARKS = re.compile(r"\*{1,3}(?=\S)|(?<=\S)\*{1,3}|`+|~~+|_{2,}")
_MARKDOWN_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+")
_BULLET = re.compile(r"^\s*[-*\u2022\u2023\u25cf\u25aa\u25e6\u00b7\u2013\u2014]+\s+")
# Emoji, arrows, dingbats, box drawings, joiners, private use, lone surrogates and control
# characters.
_PICTOGRAMS = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2190-\u2bff\u3030\u303d\u3297\u3299"
    "\ud800-\udfff\ue000-\uf8ff\ufe00-\ufe0f\ufeff\ufff0-\uffff\U0001f000-\U0001faff\U000e0000-\U0010ffff]+"
)
_ORNAMENTAL_LETTERS = re.compile("[\U0001d400-\U0001d7ff\uff01-\uff5e]+")
_SIGNS = frozenset("*`~_[")
_SPACES = re.compile(r"\s+")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self._parts: list[str] = []
        self._skipped = ""
        self._depth = 0
        self._links = 0
        self._outside_links = False
        self._prefix = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if self._skipped:
            self._depth += tag == self._skipped
        elif tag in _SKIPPED:
            self._skipped, self._depth = tag, 1
        elif tag == "a":
            self._links += 1
        elif tag in _BLOCKS:
            self.end_line()
            self._prefix = (
                HEADING
                if tag in _HEADINGS
                else ITEM
                if tag == "li"
                else self._prefix
                if tag == "p"
                else ""
            )

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _SKIPPED:
            super().handle_startendtag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._skipped:
            self._depth -= tag == self._skipped
            self._skipped = self._skipped if self._depth > 0 else ""
        elif tag == "a":
            self._links = max(0, self._links - 1)
        elif tag in _BLOCKS:
            self.end_line()

    def handle_data(self, data: str) -> None:
        if self._skipped:
            return
        self._parts.append(data)
        self._outside_links = self._outside_links or (
            not self._links and any(map(str.isalnum, data))
        )

    def end_line(self) -> None:
        text = _SPACES.sub(" ", "".join(self._parts)).strip()
        if text:
            if self._outside_links:
                self.lines.append(self._prefix + text)
            self._prefix = ""
        self._parts.clear()
        self._outside_links = False


def plain_lines(markup: str) -> list[str]:
    """Never raises, and never takes more than some milliseconds, whatever stands in it."""
    text = markup[: 4 * MOST_MARKUP]
    text = (_DATA_URL.sub(" ", text) if ";base64," in text else text)[:MOST_MARKUP]
    if _MARKUP.search(text):
        reader = _Reader()
        reader.feed(_NO_TAG.sub("&lt;", _DECLARATION.sub(" ", text)))
        reader.close()
        reader.end_line()
        lines = reader.lines
    else:
        lines = [_marked(line) for line in unescape(text).splitlines()]
    return [line for line in map(_tidy, lines) if line]


def tidy_text(text: str) -> str:
    """One line without emoji, control characters, ornamental letters or markdown signs."""
    if text.isascii() and text.isprintable() and _SIGNS.isdisjoint(text):  # most lines are
        return " ".join(text.split())
    text = _ORNAMENTAL_LETTERS.sub(lambda match: unicodedata.normalize("NFKC", match.group()), text)
    text = _MARKDOWN_MARKS.sub("", _MARKDOWN_LINK.sub(r"\1", _PICTOGRAMS.sub(" ", text)))
    return _SPACES.sub(" ", text).strip()


def _marked(line: str) -> str:
    heading = _MARKDOWN_HEADING.match(line)
    if heading:
        return HEADING + line[heading.end() :]
    bullet = _BULLET.match(line)
    return ITEM + line[bullet.end() :] if bullet else line


def _tidy(line: str) -> str:
    prefix = next((mark for mark in (HEADING, ITEM) if line.startswith(mark)), "")
    text = tidy_text(line[len(prefix) :])
    return prefix + text if text else ""
