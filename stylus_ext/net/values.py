"""Untrusted JSON: bounded parsing, and clean texts, numbers, lists and dicts; empty otherwise."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping

from stylus_ext.core.card import AUTO_V3
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.triggers import is_json_piece

LONGEST_NAME = 255
LONGEST_TEXT = 20_000
_LONGEST_MESSAGE = 200
_MOST_WORDS = 200
_LARGEST_ID = 2**53

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_TAG = re.compile(r"<\s*\w+\s*:[^<>]*>")


def text(value: object, longest: int = LONGEST_TEXT) -> str:
    """A text without control characters and lone surrogates."""
    if not isinstance(value, str):
        return ""
    whole = value[:longest].replace("\r\n", "\n").encode("utf-8", "ignore").decode("utf-8")
    return _CONTROL.sub(" ", whole).strip()


def name(value: object) -> str:
    """A text on one line."""
    return " ".join(text(value, LONGEST_NAME).split())


def verbatim(value: object) -> str:
    """A text on one line, unchanged; empty if it would have to be cleaned."""
    found = text(value, LONGEST_NAME)
    return found if found == value and not re.search(r"[\n\t]", found) else ""


def number(value: object) -> float | None:
    """A finite number, also one in quotes."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value[:40] if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def weight(value: object) -> float | None:
    """A plausible weight: above 0, which stands for none, and at most 5."""
    found = number(value)
    return found if found is not None and 0 < found <= 5 else None  # noqa: PLR2004


def identity(value: object) -> int | None:
    """An id: a positive whole number, also one in quotes."""
    found = number(value)
    return (
        int(found)
        if found is not None and 0 < found < _LARGEST_ID and found == int(found)
        else None
    )


def digest(value: object) -> str:
    """A SHA256 in lower case, or nothing."""
    found = value.strip().lower() if isinstance(value, str) else ""
    return found if re.fullmatch(r"[0-9a-f]{64}", found) else ""


def auto_v3(value: object) -> str:
    """The beginning of a hash of tensors, in lower case, or nothing; trainers write it whole."""
    found = value.strip().lower() if isinstance(value, str) else ""
    return found[:AUTO_V3] if re.fullmatch(rf"[0-9a-f]{{{AUTO_V3},64}}", found) else ""


def table(value: object) -> Mapping[str, object]:
    """A JSON object; anything else is an empty one."""
    return value if isinstance(value, dict) else {}


def rows(value: object) -> list[object]:
    """A JSON array; anything else is an empty one."""
    return value if isinstance(value, list) else []


def without_tags(prompt: str) -> str:
    """A prompt without `<lora:...>` and the like."""
    return re.sub(r",(?:\s*,)+", ",", _TAG.sub("", prompt)).strip(" ,\n\t")


def groups(values: Iterable[object]) -> tuple[str, ...]:
    """Groups of trigger words without network tags, pieces of JSON, empty and repeated ones."""
    found: dict[str, str] = {}
    for value in values:
        group = " ".join(without_tags(text(value)).split())
        if group and not is_json_piece(group):
            found.setdefault(group.casefold(), group)
        if len(found) == _MOST_WORDS:
            break
    return tuple(found.values())


def tags(values: Iterable[object]) -> tuple[str, ...]:
    """Tags, also where each is an object with a name."""
    return groups(
        table(value).get("name") if isinstance(value, dict) else value for value in values
    )


def listed(line: object) -> list[object]:
    """The items of a comma list; a JSON array stays one."""
    return list(text(line).split(",")) if isinstance(line, str) else rows(line)


_MOST_VALUES = 1_000_000
_LONGEST_NUMBER = 25

JsonValue = object


class NotJson(InvalidInput):
    """The text is not JSON, or exceeds a limit."""


def parsed(data: bytes | str, most: int = _MOST_VALUES) -> JsonValue:
    """The value; `NotJson` if it is invalid, too deep, has too many values or endless numbers."""
    text = _decoded(data) if isinstance(data, bytes) else data
    if sum(map(text.count, ",[{")) > most:
        raise NotJson("it has too many values")
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


def error_in(data: bytes, most: int) -> tuple[object, str]:
    """The JSON of an error response and the message in it; None and "" for anything else."""
    try:
        body = parsed(data, most)
    except NotJson:
        return None, ""
    if not isinstance(body, dict):
        return body, ""
    error = body.get("error")
    candidates = (body.get("message"), error.get("message") if isinstance(error, dict) else error)
    message = next((text for text in candidates if isinstance(text, str) and text.strip()), "")
    clean = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", message).split())
    return body, clean[:_LONGEST_MESSAGE].rstrip(".")
