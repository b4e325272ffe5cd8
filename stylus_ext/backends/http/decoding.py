"""Bodies as plain data: bytes go in, JSON or a sentence that says what came instead comes out."""

from __future__ import annotations

import re

from stylus_ext.backends.http.problems import BadAnswer
from stylus_ext.backends.statements.bounded_json import NotJson, parsed

_LONGEST_SAID = 200
_MOST_VALUES = 10_000_000


def decoded(data: bytes, content_type: str, where: str) -> object:
    try:
        return parsed(data, _MOST_VALUES)
    except NotJson as error:
        page = "html" in content_type.lower() or data.lstrip()[:1] == b"<"
        came = "a web page" if page else "something else"
        raise BadAnswer(
            f"{where} answered with {came} in place of data. It may be blocked here, or changed;"
            " try again later."
        ) from error


def refusal_body(data: bytes) -> tuple[object, str]:
    """The JSON of a refusal, and the sentence in it, cleaned; a web page says nothing to a user."""
    try:
        body = parsed(data, _MOST_VALUES)
    except NotJson:
        return None, ""
    if not isinstance(body, dict):
        return body, ""
    error = body.get("error")
    candidates = (body.get("message"), error.get("message") if isinstance(error, dict) else error)
    said = next((one for one in candidates if isinstance(one, str) and one.strip()), "")
    clean = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", said).split())
    return body, clean[:_LONGEST_SAID].rstrip(".")
