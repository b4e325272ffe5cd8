"""What a server accepts, learned from what it refused; it writes the bodies of requests.

Servers of one protocol differ in how the form of an answer is asked for (a JSON schema, any JSON,
words alone), in how its length is limited, and in whether they take a seed, a temperature or a
system message. The strictest way is tried first.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from stylus_ext.llm.schema import LlmAnswer, server_schema
from stylus_ext.llm.server import LlmEndpoint, LlmNoVision, LlmRefused, LlmRequest
from stylus_ext.net import Key
from stylus_ext.net.values import NotJson, parsed
from stylus_ext.net.waiting import is_temporary, retry_after

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
    """`words`: the schema is repeated in the prompt, since the answer did not fit it before."""

    form: Form = "schema"
    words: bool = False
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    other_limit: bool = False
    temperature: bool = True
    seed: bool = True
    system: bool = True

    def after(self, message: str, *, images: bool) -> ServerDialect | None:
        """The next dialect to try after a refusal of the form; None if none would help."""
        message = message.lower()
        if "context" in message and (
            "length" in message or "exceed" in message or "window" in message
        ):
            return None
        if images and any(word in message for word in _SIGHT_WORDS):
            return None
        named = self._named_change(message)
        if named is not None:
            return named
        if self.form != "text":
            return replace(self, form=_NEXT[self.form])
        if any(word in message for word in _FORM_WORDS):
            return None
        return replace(self, seed=False) if self.seed else None

    def _named_change(self, message: str) -> ServerDialect | None:
        if any(word in message for word in _FORM_WORDS) and self.form != "text":
            return replace(self, form=_NEXT[self.form])
        if ("max_tokens" in message or "max_completion_tokens" in message) and not self.other_limit:
            other: Literal["max_tokens", "max_completion_tokens"] = (
                "max_completion_tokens" if self.limit == "max_tokens" else "max_tokens"
            )
            return replace(self, limit=other, other_limit=True)
        if "temperature" in message and self.temperature:
            return replace(self, temperature=False)
        if "seed" in message and self.seed:
            return replace(self, seed=False)
        if "system" in message and "role" in message and self.system:
            return replace(self, system=False)
        return None

    def stricter(self) -> ServerDialect:
        """After an unusable answer: the schema in words as well, then in words alone."""
        return (
            replace(self, words=True)
            if not self.words and self.form != "text"
            else replace(self, words=True, form="text")
        )

    def body(
        self,
        model: str,
        temperature: float,
        request: LlmRequest[LlmAnswer],
        max_tokens: int,
        complaint: str = "",
    ) -> dict[str, Any]:
        """Arguments of a chat completion; `complaint` says what was wrong with the last answer."""
        system = request.system
        if self.words or self.form != "schema":
            schema = json.dumps(server_schema(request.schema))
            system = (
                f"{system}\n\nAnswer with one JSON object that fits this JSON Schema, and with"
                f" nothing else:\n{schema}"
            )
        if complaint:
            system = (
                f"{system}\n\nYour last answer could not be used: {complaint}. Answer with one JSON"
                " object and nothing else."
            )
        system = _sendable(system)
        user = _sendable(request.user) if self.system else f"{system}\n\n{_sendable(request.user)}"
        content: Any = user
        if request.images:
            content = [
                {"type": "text", "text": user},
                *(
                    {"type": "image_url", "image_url": {"url": _data_url(image)}}
                    for image in request.images
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
        if self.seed and request.seed is not None:
            body["seed"] = request.seed % 2**31  # servers read it as a signed 32-bit number
        if self.form != "text":
            body["response_format"] = self._format(request.schema)
        return body

    def _format(self, schema: type[LlmAnswer]) -> dict[str, Any]:
        if self.form == "object":
            return {"type": "json_object"}
        return {
            "type": "json_schema",
            "json_schema": {
                "name": schema.__name__,
                "strict": True,
                "schema": server_schema(schema),
            },
        }


def _sendable(text: str) -> str:
    """Half a surrogate pair cannot be sent."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _data_url(image: bytes) -> str:
    kind = next((kind for magic, kind in _KINDS if image.startswith(magic)), "jpeg")
    return f"data:image/{kind};base64,{base64.b64encode(image).decode('ascii')}"


_FORM = frozenset((400, 415, 422, 500, 501))
_SERVER_ERROR = 500
_LONGEST = 200
_SECRET = re.compile(r"\b(sk|AIza|gsk|xai|key)[-_A-Za-z0-9*.]{6,}")
"""Servers repeat a wrong key in their messages, whole or in part."""
_NO_CREDIT = ("insufficient_quota", "billing", "payment", "credit")
_FORM_WORDS_IN_ERRORS = ("response_format", "json_schema", "json_object", "grammar", "schema")


@dataclass(frozen=True, slots=True)
class ErrorStatus:
    """An error status; `message` is the server's own, without anything that looks like a key."""

    status: int
    message: str
    retry_after: float | None = None

    @classmethod
    def of(cls, response: Any, key: Key | None = None) -> ErrorStatus:
        """From a response of httpx, which openai declares as one of httpx2."""
        return cls(
            response.status_code,
            _message(response.content, key),
            retry_after(response.headers.get("retry-after", "")),
        )

    @property
    def about_form(self) -> bool:
        """Whether it may be the form of the request that is refused."""
        return self.status in _FORM

    @property
    def is_passing(self) -> bool:
        """Whether asking again may help."""
        message = self.message.lower()
        if self.status < _SERVER_ERROR:
            return is_temporary(self.status) and not any(word in message for word in _NO_CREDIT)
        return not (self.about_form and any(word in message for word in _FORM_WORDS_IN_ERRORS))

    def problem(self, endpoint: LlmEndpoint, *, with_images: bool) -> LlmRefused:
        if with_images and any(word in self.message.lower() for word in _SIGHT_WORDS):
            return LlmNoVision(
                f"The model {endpoint.model} at {endpoint.base} cannot read images"
                f" ({self.message})."
            )
        return LlmRefused(f"The chat server at {endpoint.base} {self.sentence(endpoint.model)}.")

    def sentence(self, model: str) -> str:
        """What went wrong, to follow the name of the server."""
        wrong_key = "refuses the key, or wants one. Enter the right one for this address"
        why = {
            401: wrong_key,
            402: "wants a payment first",
            403: wrong_key,
            404: f"does not know the model {model!r}, or has no chat there. Check both",
            408: "took too long",
            429: "had too many requests, or the account has no credit left",
        }.get(self.status, f"answered with the status {self.status}")
        if 300 <= self.status < 400:  # noqa: PLR2004
            why = "redirects to another address, which is not followed. Set that address instead"
        return f"{why} ({self.message})" if self.message else why


def without_keys(text: str, key: Key | None) -> str:
    """A server's text for messages and logs; it may repeat a key that it was sent."""
    return _SECRET.sub("(a key)", text if key is None else text.replace(key.secret, "(a key)"))


def _message(body: bytes, key: Key | None) -> str:
    try:
        top = parsed(body[:65_536])
    except NotJson:
        return ""
    if isinstance(top, list):  # as Gemini's does
        top = top[0] if top else {}
    inner = top.get("error", top) if isinstance(top, dict) else {}
    parts = [inner]
    if isinstance(inner, dict):
        parts = [inner.get(name) for name in ("message", "param", "code", "detail")]
    message = " ".join(part for part in parts if isinstance(part, str))
    printable = "".join(letter if letter.isprintable() else " " for letter in message)
    return without_keys(" ".join(printable.split()), key)[:_LONGEST].rstrip(" .")
