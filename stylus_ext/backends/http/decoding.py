"""Bodies as plain data: bytes go in, JSON or a sentence that says what came instead comes out."""

from __future__ import annotations

import json
import re

from stylus_ext.backends.http.problems import BadAnswer

_LONGEST_SAID = 200
_LONGEST_NUMBER = 25


def decoded(data: bytes, content_type: str, where: str) -> object:
    try:
        return _plain(data)
    except (ValueError, RecursionError) as error:
        page = "html" in content_type.lower() or data.lstrip()[:1] == b"<"
        came = "a web page" if page else "something else"
        raise BadAnswer(f"{where} answered with {came} in place of data. It may be blocked here, or changed; try again later.") from error


def refusal_body(data: bytes) -> tuple[object, str]:
    """The JSON of a refusal, and the sentence in it, cleaned; a web page says nothing to a user."""
    try:
        body = _plain(data)
    except (ValueError, RecursionError):
        return None, ""
    if not isinstance(body, dict):
        return body, ""
    error = body.get("error")
    candidates = (body.get("message"), error.get("message") if isinstance(error, dict) else error)
    said = next((one for one in candidates if isinstance(one, str) and one.strip()), "")
    clean = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", said).split())
    return body, clean[:_LONGEST_SAID].rstrip(".")


def _plain(data: bytes) -> object:
    return json.loads(data.decode("utf-8-sig"), parse_int=_whole)


def _whole(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise ValueError("too many digits")
    return int(digits)
