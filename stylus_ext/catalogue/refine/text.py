"""The text of a model page, and a short text about what the adapter draws made of it.

Sentences about use, training, versions, weights and the author are removed (`noise`), as are the
lines below such headings. Cleaning a clean text changes nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Set
from html import unescape
from html.parser import HTMLParser

from stylus_ext.catalogue.refine.noise import (
    FIRST_PERSON,
    FOREIGN_LOOKS,
    FRAGMENT,
    NOISE,
    NOISE_WORDS,
    PADDING,
    SPECIFIC_LOOKS,
)
from stylus_ext.catalogue.refine.noise import HEADING as NOISE_HEADING
from stylus_ext.core.prompt.words import singular, words

MAX_MARKUP = 24_000
"""Characters that are read: the subject is at the top of a page, megabytes are pasted pictures."""

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
# The parser of the standard library takes quadratic time for unclosed tags and raises on some
# declarations: it gets whole tags only, every other "<" is text.
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


class _LineReader(HTMLParser):
    """Collects the text of a page as lines, with marks for headings and list items.

    Lines that are only links are dropped.
    """

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
    """The lines of HTML or markdown; takes some milliseconds at most, and never raises."""
    text = markup[: 4 * MAX_MARKUP]
    text = (_DATA_URL.sub(" ", text) if ";base64," in text else text)[:MAX_MARKUP]
    if _MARKUP.search(text):
        reader = _LineReader()
        reader.feed(_NO_TAG.sub("&lt;", _DECLARATION.sub(" ", text)))
        reader.close()
        reader.end_line()
        lines = reader.lines
    else:
        lines = [_mark_line(line) for line in unescape(text).splitlines()]
    return [line for line in map(_tidy_line, lines) if line]


def tidy_text(text: str) -> str:
    """One line without emoji, control characters, ornamental letters or markdown signs."""
    if text.isascii() and text.isprintable() and _SIGNS.isdisjoint(text):  # true of most lines
        return " ".join(text.split())
    text = _ORNAMENTAL_LETTERS.sub(lambda match: unicodedata.normalize("NFKC", match.group()), text)
    text = _MARKDOWN_MARKS.sub("", _MARKDOWN_LINK.sub(r"\1", _PICTOGRAMS.sub(" ", text)))
    return _SPACES.sub(" ", text).strip()


def _mark_line(line: str) -> str:
    heading = _MARKDOWN_HEADING.match(line)
    if heading:
        return HEADING + line[heading.end() :]
    bullet = _BULLET.match(line)
    return ITEM + line[bullet.end() :] if bullet else line


def _tidy_line(line: str) -> str:
    prefix = next((mark for mark in (HEADING, ITEM) if line.startswith(mark)), "")
    text = tidy_text(line[len(prefix) :])
    return prefix + text if text else ""


MAX_TEXT = 400
"""Characters: what a small encoder still reads besides name, trigger words and tags."""

_MAX_LINES = 400
_MAX_LOOSE = 2
_MAX_SENTENCE_LENGTH = 1_000
_MAX_HEADING_LENGTH = 60
_MIN_LETTERS, _MIN_WIDE = 5, 3
_PASSES = 8

# Ends of sentences, and words that begin another topic on pages that lost their line breaks.
_SENTENCE = re.compile(
    r"(?<=[.!?\u2026])(?<!\bMr\.)(?<!\bDr\.)(?<!\bMs\.)(?<!\bSt\.)(?<!\bvs\.)(?<!\bNo\.)(?<!\bMrs\.)(?<!\bVol\.)\s+"
    r"|(?<=[\u3002\uff01\uff1f])\s*"
    r"|\s+(?=(?:Recomm?e?nd\w*|Trained|Training|How to|Please|Thanks|Update|UPDATE|Version|You"
    r" can|Feel free"
    r"|Enjoy|Don.t forget"
    r"|Check out|Click|Making|This is|These are|If you|Do you|Works|Use|Using|Add|Keep in"
    r" mind|Also|Tested|Created by"
    r"|Made with|Sample|L[oO]R[aA] trained|I (?=[a-z])|I'm|I've|Suggest\w*|For best|Best)\b"
    r"|(?:[Ww]eights?|WEIGHT|[Ss]trength|[Tt]riggers?(?: words?|"
    r" keywords?)?|[Kk]eywords?|[Tt]ags?|[Pp]rompts?"
    r"|[Nn]otes?|[Mm]odels?"
    r"|[Vv]er(?:sion)?)\s?[:\uff1a=-])"
)
_ENDS = ".?\u2026\u3002\uff01\uff1f"
_ASCII_WORD = re.compile(r"[a-z0-9]+")
_WORDLESS = re.compile(r"[\W\d_]+")
_WIDE = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_HYPE = re.compile(
    r"\b(?:amazing|awesome|stunning|breathtaking|incredibl[ey]|ultimate|fantastic|gorgeous|super"
    r" cool)\s+(?=\w)",
    re.IGNORECASE,
)
_REPEATED_SIGN = re.compile(r"([^\w\s])\1{2,}")
_EDGES = " \t-~=:;,|/\\+#>*\u2022\u00b7\u3000\uff1a\uff0c\u3001"


def clean_text(lines: Iterable[str], about: Collection[str] = ()) -> str:
    """At most `MAX_TEXT` characters of what the lines say about the picture; may be empty.

    A sentence is kept if it has a specific word of looks or one of `about` (name, tags and
    triggers). If none has, sentences in other scripts with a sign of looks are kept.
    """
    wanted = SPECIFIC_LOOKS.union(about)
    text = _clean_once(lines, wanted)
    for _ in range(_PASSES):  # a cut may join words into noise: repeat until nothing changes
        again = _clean_once([text], wanted)
        if again == text:
            return text
        text = again
    return ""


def _clean_once(lines: Iterable[str], wanted: Set[str]) -> str:
    kept: dict[str, str] = {}
    loose: dict[str, str] = {}
    size = 0
    for piece in _pieces(lines):
        relevant = _is_relevant(piece, wanted)
        if not relevant and (kept or len(loose) == _MAX_LOOSE or not _is_foreign(piece)):
            continue
        sentence = _as_sentence(piece)  # slow, so only for relevant pieces
        if not sentence or sentence.casefold() in kept:
            continue
        if not relevant:
            loose.setdefault(sentence.casefold(), sentence)
            continue
        if kept and size + len(sentence) > MAX_TEXT:
            break
        kept[sentence.casefold()] = sentence
        size += len(sentence) + 1
    return _shortened(" ".join((kept or loose).values()))


def _pieces(lines: Iterable[str]) -> Iterator[str]:
    """Sentences without padding and without words of noise."""
    for line in _lines_about_pictures(lines):
        for piece in _SENTENCE.split(line[: 8 * _MAX_SENTENCE_LENGTH]):
            if len(piece) > _MAX_SENTENCE_LENGTH:
                continue
            lower = piece.lower()
            if (
                "lora" in lower
                or "model" in lower
                or "locon" in lower
                or "lycoris" in lower
                or "loha" in lower
            ):
                piece = PADDING.sub("", piece.lstrip(_EDGES))  # noqa: PLW2901
                lower = piece.lower()
            if NOISE_WORDS.isdisjoint(_ASCII_WORD.findall(lower)):
                yield piece


def _lines_about_pictures(lines: Iterable[str]) -> Iterator[str]:
    """The lines without those under a heading about something else."""
    dropping = False
    for number, line in enumerate(lines):
        if number >= _MAX_LINES:
            return
        if line.startswith(HEADING) or _looks_like_heading(line):
            dropping = bool(NOISE_HEADING.search(line.removeprefix(HEADING).strip(_EDGES).lower()))
        elif not dropping:
            yield line.removeprefix(ITEM)


def _looks_like_heading(line: str) -> bool:
    return (
        len(line) <= _MAX_HEADING_LENGTH
        and line.endswith((":", "\uff1a"))
        and not line.startswith(ITEM)
    )


def _as_sentence(piece: str) -> str:
    """The piece as a sentence; empty if it is noise or has no words."""
    if NOISE.search(piece.lower()) or FIRST_PERSON.search(piece):
        return ""
    piece = _HYPE.sub("", _REPEATED_SIGN.sub(r"\1", piece))
    piece = " ".join(piece.split()).strip(_EDGES).rstrip("!\uff01" + _EDGES)
    if not _has_words(piece) or FRAGMENT.search(piece):
        return ""
    return piece if piece[-1] in _ENDS else piece + "."


def _has_words(sentence: str) -> bool:
    letters = _WORDLESS.sub("", sentence)
    return len(letters) >= _MIN_LETTERS or len(_WIDE.findall(letters)) >= _MIN_WIDE


def _is_relevant(sentence: str, wanted: Set[str]) -> bool:
    found = (
        map(singular, _ASCII_WORD.findall(sentence.lower()))
        if sentence.isascii()
        else words(sentence)
    )
    return not wanted.isdisjoint(found)


def _is_foreign(sentence: str) -> bool:
    letters = _WORDLESS.sub("", sentence)
    is_foreign = len(letters.encode("ascii", "ignore")) < len(letters) / 2
    return is_foreign and FOREIGN_LOOKS.search(sentence) is not None


def _shortened(text: str) -> str:
    """Cut at the last comma or space if a single sentence is too long."""
    if len(text) <= MAX_TEXT:
        return text
    head = text[: MAX_TEXT - 1]
    at = max(head.rfind(mark) for mark in (", ", "\u3001", "\uff0c"))
    at = at if at > MAX_TEXT // 2 else head.rfind(" ")
    head = head[:at] if at > MAX_TEXT // 2 else head
    return head.rstrip(_EDGES + _ENDS) + "."
