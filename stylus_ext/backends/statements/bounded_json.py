"""JSON from strangers: bytes go in, plain data comes out, whatever it claims to be, with bounded
memory.
"""

from __future__ import annotations

import json

from stylus_ext.core.errors import InvalidInput

_MOST_VALUES = 1_000_000
_LONGEST_NUMBER = 25

JsonValue = object


class NotJson(InvalidInput):
    """The text is not JSON, or more of it than anybody needs."""


def parsed(data: bytes | str, most: int = _MOST_VALUES) -> JsonValue:
    """The value, or `NotJson`. Too deep, too many values and numbers of a thousand digits are
    refused.
    """
    text = _decoded(data) if isinstance(data, bytes) else data
    if sum(map(text.count, ",[{")) > most:
        raise NotJson("it has more values than anybody needs")
    try:
        return json.loads(text, parse_int=_whole)
    except RecursionError as error:
        raise NotJson("it is nested too deeply") from error
    except ValueError as error:
        raise NotJson("it is not valid JSON") from error


def _decoded(data: bytes) -> str:
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotJson("it is not text in UTF-8") from error


def _whole(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise ValueError("too many digits")
    return int(digits)
