"""Lines of a model page in, a short text about what the adapter draws out; nothing else of the page
is embedded.

Sentences about use, training, versions, weights and the author go (`noise`), so do the lines below
such headings. Cleaning what is clean changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Set

from stylus_ext.backends.refiners.html_text import HEADING, ITEM
from stylus_ext.backends.refiners.noise import FIRST_PERSON, LOOKS, NOISE, NOISE_WORDS, PADDING
from stylus_ext.backends.refiners.noise import HEADING as NOISE_HEADING
from stylus_ext.core.prompt.words import singular, words

MOST_TEXT = 400
"""Characters: what MiniLM-like encoders still see whole beside name, trigger words and tags."""

_MOST_LINES = 400
_MOST_LOOSE = 2
_LONGEST_SENTENCE = 1_000
_LONGEST_HEADING = 60
_FEWEST_LETTERS, _FEWEST_WIDE = 5, 3
_PASSES = 8

# Ends of sentences, and places where a page whose line breaks were lost begins to talk of something
# else.
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


def cleaned(lines: Iterable[str], about: Collection[str] = ()) -> str:
    """`lines` are those of `plain_lines`. At most `MOST_TEXT` characters; empty where nothing on
    the page says what it draws.

    `about` are the words of the name, tags and triggers. Sentences that have one of them, or a word
    of looks, are taken. Where there is none such, those in another script count too, whose words of
    looks are not known here.
    """
    wanted = LOOKS.union(about)
    text = _once(lines, wanted)
    for _ in range(_PASSES):  # what one cut joins may read as noise: go on until nothing changes
        again = _once([text], wanted)
        if again == text:
            return text
        text = again
    return ""


def _once(lines: Iterable[str], wanted: Set[str]) -> str:
    kept: dict[str, str] = {}
    loose: dict[str, str] = {}
    size = 0
    for piece in _pieces(lines):
        relevant = _is_relevant(piece, wanted)
        if not relevant and (kept or len(loose) == _MOST_LOOSE or not _is_foreign(piece)):
            continue
        sentence = _bare(piece)  # dear, so only for what is wanted
        if not sentence or sentence.casefold() in kept:
            continue
        if not relevant:
            loose.setdefault(sentence.casefold(), sentence)
            continue
        if kept and size + len(sentence) > MOST_TEXT:
            break
        kept[sentence.casefold()] = sentence
        size += len(sentence) + 1
    return _shortened(" ".join((kept or loose).values()))


def _pieces(lines: Iterable[str]) -> Iterator[str]:
    """Sentences without their padding, those with a word of noise left out."""
    for line in _about_the_picture(lines):
        for piece in _SENTENCE.split(line[: 8 * _LONGEST_SENTENCE]):
            if len(piece) > _LONGEST_SENTENCE:
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


def _about_the_picture(lines: Iterable[str]) -> Iterator[str]:
    """The lines without those under a heading that is about something else."""
    dropping = False
    for number, line in enumerate(lines):
        if number >= _MOST_LINES:
            return
        if line.startswith(HEADING) or _looks_like_heading(line):
            dropping = bool(NOISE_HEADING.search(line.removeprefix(HEADING).strip(_EDGES).lower()))
        elif not dropping:
            yield line.removeprefix(ITEM)


def _looks_like_heading(line: str) -> bool:
    return (
        len(line) <= _LONGEST_HEADING
        and line.endswith((":", "\uff1a"))
        and not line.startswith(ITEM)
    )


def _bare(piece: str) -> str:
    """The piece as a sentence; empty where it is about something else or says nothing."""
    if NOISE.search(piece.lower()) or FIRST_PERSON.search(piece):
        return ""
    # Enthusiasm is not part of the picture either.
    piece = _HYPE.sub("", _REPEATED_SIGN.sub(r"\1", piece))
    piece = " ".join(piece.split()).strip(_EDGES).rstrip("!\uff01" + _EDGES)
    if not _says_something(piece):
        return ""
    return piece if piece[-1] in _ENDS else piece + "."


def _says_something(sentence: str) -> bool:
    letters = _WORDLESS.sub("", sentence)
    return len(letters) >= _FEWEST_LETTERS or len(_WIDE.findall(letters)) >= _FEWEST_WIDE


def _is_relevant(sentence: str, wanted: Set[str]) -> bool:
    found = (
        map(singular, _ASCII_WORD.findall(sentence.lower()))
        if sentence.isascii()
        else words(sentence)
    )
    return not wanted.isdisjoint(found)


def _is_foreign(sentence: str) -> bool:
    letters = _WORDLESS.sub("", sentence)
    return len(letters.encode("ascii", "ignore")) < len(letters) / 2


def _shortened(text: str) -> str:
    """Cut at the last comma, else at the last space, when a sentence alone is too long."""
    if len(text) <= MOST_TEXT:
        return text
    head = text[: MOST_TEXT - 1]
    at = max(head.rfind(mark) for mark in (", ", "\u3001", "\uff0c"))
    at = at if at > MOST_TEXT // 2 else head.rfind(" ")
    head = head[:at] if at > MOST_TEXT // 2 else head
    return head.rstrip(_EDGES + _ENDS) + "."
