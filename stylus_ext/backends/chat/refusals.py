"""A status that says no, in, what it means for a question out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from stylus_ext.backends.chat.endpoint import ChatEndpoint
from stylus_ext.backends.chat.problems import ChatBlind, ChatRefused
from stylus_ext.backends.http import Key
from stylus_ext.backends.http.waiting import retry_after
from stylus_ext.backends.statements.bounded_json import NotJson, parsed

_FORM = frozenset((400, 415, 422, 500, 501))
_PASSING = frozenset((408, 409, 425, 429))
_SERVER_ERROR = 500
_LONGEST = 200
_SECRET = re.compile(r"\b(sk|AIza|gsk|xai|key)[-_A-Za-z0-9*.]{6,}")
"""Servers repeat a wrong key in what they say, whole or in part."""
_EMPTY_PURSE = ("insufficient_quota", "billing", "payment", "credit")
_FORM_WORDS = ("response_format", "json_schema", "json_object", "grammar", "schema")


@dataclass(frozen=True, slots=True)
class Refused:
    """`said` is the server's own sentence, without anything that looks like a key."""

    status: int
    said: str
    retry_after: float | None = None

    @property
    def about_form(self) -> bool:
        """It may be the form of the request that is refused: a parameter that this server does not
        take.
        """
        return self.status in _FORM

    def problem(self, endpoint: ChatEndpoint, *, blind: bool) -> ChatRefused:
        if blind:
            return ChatBlind(
                f"The model {endpoint.model} at {endpoint.base} cannot read images ({self.said})."
            )
        return ChatRefused(f"The chat server at {endpoint.base} {sentence(self, endpoint.model)}.")


def refused(
    status: int, headers: Mapping[str, str], body: bytes, key: Key | None = None
) -> Refused:
    return Refused(status, _said(body, key), retry_after(headers.get("retry-after", "")))


def is_passing(refusal: Refused) -> bool:
    """Asking again may help."""
    said = refusal.said.lower()
    if refusal.status in _PASSING:
        return not any(word in said for word in _EMPTY_PURSE)
    return refusal.status >= _SERVER_ERROR and not (
        refusal.about_form and any(word in said for word in _FORM_WORDS)
    )


def sentence(refusal: Refused, model: str) -> str:
    why = {
        401: "refuses the key, or wants one; enter the right one for this address",
        402: "wants to be paid first",
        403: "refuses the key, or wants one; enter the right one for this address",
        404: f"does not know the model {model!r}, or has no chat there; check both",
        408: "took too long",
        429: "has had too many requests, or the account has no credit left",
    }.get(refusal.status, f"answered with the status {refusal.status}")
    if 300 <= refusal.status < 400:  # noqa: PLR2004
        why = (
            "wants to be asked elsewhere, where Stylus does not follow; enter that address instead"
        )
    return f"{why} ({refusal.said})" if refusal.said else why


def without_keys(text: str, key: Key | None) -> str:
    """A server may repeat what it was sent, and what it says is shown, logged and written beside
    pictures.
    """
    return _SECRET.sub("(a key)", text if key is None else text.replace(key.secret, "(a key)"))


def _said(body: bytes, key: Key | None) -> str:
    try:
        top = parsed(body[:65_536])
    except NotJson:
        return ""
    if isinstance(top, list):  # as Gemini's does
        top = top[0] if top else {}
    inner = top.get("error", top) if isinstance(top, dict) else {}
    parts = (
        [inner]
        if isinstance(inner, str)
        else (
            [inner.get(name) for name in ("message", "param", "code", "detail")]
            if isinstance(inner, dict)
            else []
        )
    )
    told = " ".join(part for part in parts if isinstance(part, str))
    printable = "".join(sign if sign.isprintable() else " " for sign in told)
    return without_keys(" ".join(printable.split()), key)[:_LONGEST].rstrip(" .")
