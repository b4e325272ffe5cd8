"""Tokenises prompt text; the joined tokens always equal the text."""

from __future__ import annotations

import re
from typing import NamedTuple

TEXT = "text"
# the WebUI drops everything from "#" to the end of the line, before it reads anything else
COMMENT = "comment"
NETWORK = "network"  # <lora:name:1>, <lyco:...>, <hypernet:...> or any other <word:...>
WILDCARD = "wildcard"  # __name__ or ${name}: only Dynamic Prompts knows what will stand here
BREAK = "break"
AND = "and"
ESCAPE = "escape"
WEIGHT = "weight"  # the :1.2 that stands before a closing round bracket
COLON = "colon"
BAR = "bar"
COMMA = "comma"
NEWLINE = "newline"
STOP = "stop"  # the end of a sentence
ROUND_OPEN, ROUND_CLOSE = "round_open", "round_close"
SQUARE_OPEN, SQUARE_CLOSE = "square_open", "square_close"
BRACE_OPEN, BRACE_CLOSE = "brace_open", "brace_close"  # "{2$$" counts as one opening brace
ODDS = "odds"  # the 0.5:: of {0.5::a|b}

# The host splits there, whatever Dynamic Prompts would have made of it.
_UNSPLIT = r"(?!\b(?:AND|BREAK)\b)"

# The order decides: the first alternative that fits wins, as the hosts' own passes over the text do
# one after another.
# No alternative may look far beyond what it takes, so that 20,000 characters of anything stay
# linear.
_PATTERN = re.compile(
    rf"""
    (?P<comment>\#[^\n]*)
  | (?P<network><\w+:(?:[^>\#]{{1,512}}>|(?:[^>\#]{{0,512}}\#[^\n]*\n){{1,8}}[^>\#]{{0,512}}>))
  | (?P<wildcard>__(?=[^\s_])(?:{_UNSPLIT}[^\s,<>{{}}|()\[\]\#]){{1,128}}?(?:\((?:{_UNSPLIT}[^()\[\]\n\#]){{0,128}}\))?__
      | \$\{{(?:{_UNSPLIT}[^{{}}()\[\]\#]){{0,256}}\}})
  | (?P<break>\bBREAK\b)
  | (?P<and>\bAND\b)
  | (?P<escape>\\[()\[\]\\])
  | (?P<weight>:\s*[+-]?[.\d]+\s*(?=\)))
  | (?P<odds>(?<=[{{|$])\s*(?:\d+(?:\.\d+)?|\.\d+)::)
  | (?P<brace_open>\{{(?:\s*(?:\d+(?:-\d*)?|-\d+)?\$\$(?:(?:{_UNSPLIT}[^{{}}()\[\]|$\#\n]){{0,32}}\$\$)?)?)
  | (?P<brace_close>\}})
  | (?P<round_open>\() | (?P<round_close>\))
  | (?P<square_open>\[) | (?P<square_close>\])
  | (?P<colon>:) | (?P<bar>\|)
  | (?P<comma>[,\uff0c\u3001])
  | (?P<newline>\r\n|[\r\n])
  | (?P<stop>(?<=\w\w\w)[.!?;](?=\s|\Z) | [\u3002\uff01\uff1f\uff1b])
  | (?P<text>[^\W_]+|[^\S\r\n]+|.)
    """,  # noqa: E501
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """A tuple for speed: long prompts have thousands of tokens."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def tokenise(text: str) -> tuple[Token, ...]:
    """Tokenise the text; neighbouring plain text becomes one token."""
    tokens: list[Token] = []
    plain = -1  # where the run of plain text began
    for match in _PATTERN.finditer(text):
        kind, start = match.lastgroup or TEXT, match.start()
        if kind == TEXT:
            plain = start if plain < 0 else plain
            continue
        if plain >= 0:
            tokens.append(Token(TEXT, text[plain:start], plain))
            plain = -1
        tokens.append(Token(kind, match.group(), start))
    if plain >= 0:
        tokens.append(Token(TEXT, text[plain:], plain))
    return tuple(tokens)
