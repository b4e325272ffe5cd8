"""What a server accepts, learned from what it refused: a question goes in, the body of a request
comes out.

Servers of one protocol differ in how an answer's form is asked for (a JSON schema, any JSON, words
alone), in how its length is limited, and in whether they take a seed, a temperature or a system's
message. The strictest way is tried first.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from stylus_ext.llm.reply import shape_of
from stylus_ext.llm.server import ChatBlind, ChatEndpoint, ChatRefused, ChatRequest
from stylus_ext.net import Key
from stylus_ext.net.values import NotJson, parsed
from stylus_ext.net.waiting import retry_after

Form = Literal["schema", "object", "text"]
_NEXT: dict[Form, Form] = {"schema": "object", "object": "text"}
_FORM_WORDS = (
    "response_format",
    "json_schema",
    "json_object",
    "structured",
    "grammar",
    "guided",
    "schema",
)
_SIGHT_WORDS = ("image", "vision", "multimodal", "multi-modal", "mmproj")
_KINDS = ((b"\xff\xd8", "jpeg"), (b"\x89PNG", "png"), (b"RIFF", "webp"), (b"GIF8", "gif"))


@dataclass(frozen=True, slots=True)
class ServerDialect:
    """`words`: the schema has to be said in words too, since without them something else came."""

    form: Form = "schema"
    words: bool = False
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    other_limit: bool = False
    temperature: bool = True
    seed: bool = True
    system: bool = True

    def after(self, said: str, *, images: bool) -> ServerDialect | None:
        """How to ask after a refusal for the form of the request; None when nothing is left to
        change, or nothing would help.
        """
        said = said.lower()
        if "context" in said and ("length" in said or "exceed" in said or "window" in said):
            return None
        if images and any(word in said for word in _SIGHT_WORDS):
            return None
        named = self._without_what_is_named(said)
        if named is not None:
            return named
        if self.form != "text":
            return replace(self, form=_NEXT[self.form])
        if any(word in said for word in _FORM_WORDS):
            return None
        return replace(self, seed=False) if self.seed else None

    def _without_what_is_named(self, said: str) -> ServerDialect | None:
        if any(word in said for word in _FORM_WORDS) and self.form != "text":
            return replace(self, form=_NEXT[self.form])
        if ("max_tokens" in said or "max_completion_tokens" in said) and not self.other_limit:
            other: Literal["max_tokens", "max_completion_tokens"] = (
                "max_completion_tokens" if self.limit == "max_tokens" else "max_tokens"
            )
            return replace(self, limit=other, other_limit=True)
        if "temperature" in said and self.temperature:
            return replace(self, temperature=False)
        if "seed" in said and self.seed:
            return replace(self, seed=False)
        if "system" in said and "role" in said and self.system:
            return replace(self, system=False)
        return None

    def mean_images(self, said: str) -> bool:
        """Whether a refusal speaks of the images."""
        return any(word in said.lower() for word in _SIGHT_WORDS)

    def stricter(self) -> ServerDialect:
        """After something else than the object: the schema in words as well, then in words
        alone.
        """
        return (
            replace(self, words=True)
            if not self.words and self.form != "text"
            else replace(self, words=True, form="text")
        )

    def body(
        self,
        model: str,
        temperature: float,
        question: ChatRequest,
        max_tokens: int,
        again: str = "",
    ) -> dict[str, Any]:
        """`again` says what was wrong with the answer before."""
        system = question.system
        if question.schema is not None and (self.words or self.form != "schema"):
            system = f"{system}\n\n{_in_words(question)}"
        if again:
            system = (
                f"{system}\n\nYour last answer could not be used: {again}. Answer with one JSON"
                " object and nothing else."
            )
        system = _sendable(system)
        user = (
            _sendable(question.user) if self.system else f"{system}\n\n{_sendable(question.user)}"
        )
        content: Any = user
        if question.images:
            content = [
                {"type": "text", "text": user},
                *(
                    {"type": "image_url", "image_url": {"url": _data_url(one)}}
                    for one in question.images
                ),
            ]
        messages = [{"role": "system", "content": system}] if self.system else []
        body: dict[str, Any] = {
            "model": model,
            "messages": [*messages, {"role": "user", "content": content}],
            self.limit: max_tokens,
        }
        if self.temperature:
            body["temperature"] = temperature
        if self.seed and question.seed is not None:
            body["seed"] = question.seed % 2**31  # servers read it as a signed 32-bit number
        if question.schema is not None and self.form != "text":
            body["response_format"] = self._format(question)
        return body

    def _format(self, question: ChatRequest) -> dict[str, Any]:
        if self.form == "object":
            return {"type": "json_object"}
        shape = shape_of(question.schema or {})
        return {
            "type": "json_schema",
            "json_schema": {"name": question.schema_name, "strict": True, "schema": shape},
        }


def _sendable(text: str) -> str:
    """Half a surrogate pair cannot be sent."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _in_words(question: ChatRequest) -> str:
    return (
        "Answer with one JSON object that fits this JSON Schema, and with nothing"
        f" else:\n{json.dumps(question.schema)}"
    )


def _data_url(image: bytes) -> str:
    kind = next((kind for magic, kind in _KINDS if image.startswith(magic)), "jpeg")
    return f"data:image/{kind};base64,{base64.b64encode(image).decode('ascii')}"


_FORM = frozenset((400, 415, 422, 500, 501))
_PASSING = frozenset((408, 409, 425, 429))
_SERVER_ERROR = 500
_LONGEST = 200
_SECRET = re.compile(r"\b(sk|AIza|gsk|xai|key)[-_A-Za-z0-9*.]{6,}")
"""Servers repeat a wrong key in what they say, whole or in part."""
_EMPTY_PURSE = ("insufficient_quota", "billing", "payment", "credit")
_FORM_WORDS_IN_ERRORS = ("response_format", "json_schema", "json_object", "grammar", "schema")


@dataclass(frozen=True, slots=True)
class ChatRefusal:
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
) -> ChatRefusal:
    return ChatRefusal(status, _said(body, key), retry_after(headers.get("retry-after", "")))


def is_passing(refusal: ChatRefusal) -> bool:
    """Asking again may help."""
    said = refusal.said.lower()
    if refusal.status in _PASSING:
        return not any(word in said for word in _EMPTY_PURSE)
    return refusal.status >= _SERVER_ERROR and not (
        refusal.about_form and any(word in said for word in _FORM_WORDS_IN_ERRORS)
    )


def sentence(refusal: ChatRefusal, model: str) -> str:
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
