"""Whether bytes are a safetensors file: its beginning, later the whole file, goes in; nothing or a
sentence comes out.
"""

from __future__ import annotations

import struct
from pathlib import Path

from stylus_ext.backends.statements.header import LONGEST_HEADER, BadFile, read_header
from stylus_ext.core.fetching import NotFetched

ENOUGH = 16
"""Bytes by which most of what is no such file shows."""
BAD_CONTENTS = frozenset(
    {"web_page", "not_a_file", "no_safetensors", "too_short", "damaged", "wrong_size"}
)
_LENGTH = 8
_SHORTEST = _LENGTH + 2


def check_beginning(beginning: bytes, what: str, whole_size: int | None) -> None:
    """As soon as the first bytes are there, so that nobody waits for a gigabyte of something
    else.
    """
    if len(beginning) <= _LENGTH:
        return
    length = struct.unpack("<Q", beginning[:_LENGTH])[
        0
    ]  # which may begin with the same byte as a page or a message
    fits = length <= LONGEST_HEADER and (whole_size is None or length <= whole_size - _LENGTH)
    if fits and beginning[_LENGTH : _LENGTH + 1] == b"{":
        return
    text = beginning.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] == b"<":
        raise NotFetched(
            "web_page",
            f"A web page came in place of {what}. A login page or a firewall may stand in between;"
            " nothing was kept.",
        )
    if text[:1] in (b"{", b"["):
        raise NotFetched(
            "not_a_file",
            f"A message came in place of {what}, and nothing was kept. Try again later.",
        )
    raise NotFetched(
        "no_safetensors", f"What came for {what} is no safetensors file; nothing was kept."
    )


def check_whole(path: Path, size: int, what: str) -> None:
    with path.open("rb") as file:
        check_beginning(file.read(ENOUGH), what, size)
    if size < _SHORTEST:
        raise NotFetched(
            "too_short",
            f"What came for {what} has only {size} bytes; nothing was kept. Try again later.",
        )
    try:
        read_header(path)
    except BadFile as error:
        raise NotFetched(
            "damaged",
            f"What came for {what} is damaged: {error.why or error}. Nothing was kept; try again"
            " later.",
        ) from error
