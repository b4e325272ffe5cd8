"""The bytes of an answer in, the object that was asked for out; whatever stands around it, or in
its place.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from stylus_ext.net.values import NotJson, parsed

_LONGEST_TEXT = 20_000
_MOST = sys.float_info.max
_SENT = ("type", "properties", "required", "items", "enum", "additionalProperties")


class Misfit(ValueError):
    """What does not fit, and where; no word of the value itself."""


def fitted(
    value: Any,
    schema: Mapping[str, Any],
    where: str = "the answer",
    dropped: list[str] | None = None,
) -> Any:
    """The value as the schema wants it, without what the schema does not name; that goes to
    `dropped`.
    """
    kinds = schema.get("type", ())
    kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    if value is None and ("null" in kinds or not kinds):
        return None
    if value is None and "default" in schema:
        return schema["default"]
    kind = next((kind for kind in kinds if kind != "null"), "")
    value = (
        _AS[kind](value, schema, where, dropped if dropped is not None else [])
        if kind in _AS
        else value
    )
    allowed = schema.get("enum")
    if allowed is not None and value not in allowed:
        raise Misfit(f"{where} must be one of {', '.join(map(str, allowed))}")
    return value


def shape_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without its limits, as a server gets it: strict ones refuse some of them, others
    make grammars of them that are too large.
    """
    shape = {name: schema[name] for name in _SENT if name in schema}
    if "properties" in shape:
        shape["properties"] = {name: shape_of(inner) for name, inner in shape["properties"].items()}
    if "items" in shape:
        shape["items"] = shape_of(shape["items"])
    return shape


def _object(
    value: Any, schema: Mapping[str, Any], where: str, dropped: list[str]
) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise Misfit(f"{where} must be an object")
    known: Mapping[str, Any] = schema.get("properties", {})
    dropped.extend(str(name)[:40] for name in value if name not in known)
    out = {}
    for name, inner in known.items():
        if name in value:
            out[name] = fitted(value[name], inner, name, dropped)
        elif "default" in inner:
            out[name] = inner["default"]
        elif name in schema.get("required", ()):
            raise Misfit(f"{where} lacks {name!r}")
    return out


def _array(value: Any, schema: Mapping[str, Any], where: str, dropped: list[str]) -> list[Any]:
    if not isinstance(value, list):
        value = [] if value is None or value == "" else [value]
    most = schema.get("maxItems")
    return [
        fitted(item, schema.get("items", {}), f"an item of {where}", dropped)
        for item in value[:most]
    ]


def _string(value: Any, schema: Mapping[str, Any], where: str, _: list[str]) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Misfit(f"{where} must be text")
    text = str(value).encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
    return text[: schema.get("maxLength", _LONGEST_TEXT)]


def _number(value: Any, schema: Mapping[str, Any], where: str, _: list[str]) -> float:
    if isinstance(value, str):
        try:
            value = float(value.strip().removesuffix("%"))
        except ValueError as error:
            raise Misfit(f"{where} must be a number") from error
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not -_MOST <= value <= _MOST
    ):
        raise Misfit(f"{where} must be a number")
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    if not low <= value <= high:
        raise Misfit(f"{where} must lie between {low} and {high}")
    return value


def _integer(value: Any, schema: Mapping[str, Any], where: str, dropped: list[str]) -> int:
    number = _number(value, schema, where, dropped)
    if number != int(number):
        raise Misfit(f"{where} must be a whole number")
    return int(number)


def _boolean(value: Any, _: Mapping[str, Any], where: str, __: list[str]) -> bool:
    said = (
        {"true": True, "yes": True, "false": False, "no": False}.get(value.strip().lower())
        if isinstance(value, str)
        else value
    )
    if not isinstance(said, bool):
        raise Misfit(f"{where} must be true or false")
    return said


_AS = {
    "object": _object,
    "array": _array,
    "string": _string,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
}


_MOST_VALUES = 100_000
_MOST_STARTS = 400
_LONGEST = 200_000
"""Characters of a text that are looked at."""

_THOUGHT_BEGINS = re.compile(r"<(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_THOUGHT_ENDS = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_FENCED = re.compile(r"```[a-zA-Z0-9]*[ \t]*\n(.*?)```", re.DOTALL)

Fault = Literal["refusal", "cut", "empty", "unreadable", "server"]


class Unusable(ValueError):
    """Why an answer cannot be used; `fault` says what asking again may change."""

    def __init__(self, fault: Fault, why: str) -> None:
        super().__init__(why)
        self.fault: Fault = fault


@dataclass(frozen=True, slots=True)
class Answered:
    """What the server sent, as far as it looks like an answer; all of it may be empty."""

    texts: tuple[str, ...]
    """Where the object may stand, the likeliest first."""
    tokens: tuple[int, int] | None
    refusal: str
    cut: bool
    fault: str


def answered(body: bytes) -> Answered:
    try:
        top = parsed(body, _MOST_VALUES)
    except NotJson as error:
        raise Unusable("server", f"what it sent is no JSON: {error}") from error
    whole = _table(top)
    choices = whole.get("choices")
    first = _table(choices[0]) if isinstance(choices, list) and choices else {}
    message = _table(first.get("message"))
    reason = first.get("finish_reason")
    refusal = _text(message.get("refusal"))
    if not refusal and reason == "content_filter":
        refusal = "the server's filter stopped the answer"
    fault = (
        ""
        if choices
        else _text(_table(whole.get("error")).get("message"))
        or _text(whole.get("error"))
        or "there is no answer in what it sent"
    )
    texts = (
        _text(message.get("content")),
        *_calls(message),
        _text(message.get("reasoning_content")),
        _text(message.get("reasoning")),
    )
    return Answered(
        tuple(text for text in texts if text.strip()),
        _tokens(whole.get("usage")),
        refusal,
        reason == "length",
        fault,
    )


def read(answer: Answered, schema: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The object, and the names of what was dropped from it."""
    if answer.fault:
        raise Unusable("server", answer.fault[:200])
    why = ""
    for text in answer.texts:
        for value in _objects(text, whole=not answer.cut):
            for one in _wrapped(value, schema):
                dropped: list[str] = []
                try:
                    return fitted(one, schema, dropped=dropped), tuple(dict.fromkeys(dropped))
                except Misfit as misfit:
                    why = why or str(misfit)
    if answer.refusal:
        raise Unusable("refusal", answer.refusal[:200])
    if answer.cut:
        raise Unusable("cut", "its tokens were used up before it came to an end")
    if not answer.texts:
        raise Unusable("empty", "the answer is empty")
    raise Unusable("unreadable", why or "there is no JSON object in the answer")


def _wrapped(value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
    """The value, or what stands in it: {"result": {...}}, or a bare list where the schema has one
    list.
    """
    if isinstance(value, list):
        lists = [
            name
            for name, inner in schema.get("properties", {}).items()
            if inner.get("type") == "array"
        ]
        if len(lists) == 1:
            yield {lists[0]: value}
        return
    required = schema.get("required") or schema.get("properties", {})
    if any(name in value for name in required):
        yield value
        return
    yield from (inner for inner in value.values() if isinstance(inner, dict))
    yield value


def _objects(text: str, *, whole: bool) -> Iterator[Any]:
    """JSON objects and lists in a text, the likeliest first; thoughts, fences and prose around them
    go.
    """
    text = text[:_LONGEST]
    ends, begins = list(_THOUGHT_ENDS.finditer(text)), _THOUGHT_BEGINS.search(text)
    said = [text[ends[-1].end() :]] if ends else []  # some templates open the thought themselves
    said += [text[: begins.start()]] if begins else [] if ends else [text]
    for part in said:
        for place in (*(found.group(1) for found in _FENCED.finditer(part)), part):
            yield from _values(place.strip(), whole=whole)


def _values(text: str, *, whole: bool) -> Iterator[Any]:
    try:
        value = parsed(text, _MOST_VALUES)
    except NotJson:
        yield from _inside(text)
        if whole:
            yield from _closed(text)
        return
    if isinstance(value, str):  # JSON within JSON
        yield from _inside(value)
    elif isinstance(value, (dict, list)):
        yield value


def _inside(text: str) -> Iterator[Any]:
    """Objects that stand in prose; what was begun and is no JSON is passed over."""
    decoder = json.JSONDecoder()
    at, starts = 0, 0
    while starts < _MOST_STARTS and (at := text.find("{", at)) >= 0:
        starts += 1
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        if value:
            yield value


def _closed(text: str) -> Iterator[Any]:
    """An object whose last brackets were forgotten, though the model thought that it was done."""
    start = text.find("{")
    if start < 0:
        return
    open_ones, quoted, escaped = list[str](), False, False
    for sign in text[start:]:
        if escaped or (quoted and sign == "\\"):
            escaped = not escaped
        elif sign == '"':
            quoted = not quoted
        elif not quoted and sign in "{[":
            open_ones.append("}" if sign == "{" else "]")
        elif not quoted and sign in "}]" and (not open_ones or open_ones.pop() != sign):
            return
    if open_ones and not quoted:
        try:
            yield parsed(
                text[start:].rstrip().rstrip(",") + "".join(reversed(open_ones)), _MOST_VALUES
            )
        except NotJson:
            return


def _calls(message: Mapping[str, Any]) -> Iterator[str]:
    """What the model wanted to call a tool with, though it was given none."""
    calls = message.get("tool_calls")
    functions = (
        [_table(call).get("function") for call in calls[:8]] if isinstance(calls, list) else []
    )
    for function in (*functions, message.get("function_call")):
        said = _table(function).get("arguments")
        yield json.dumps(said) if isinstance(said, dict) else _text(said)


def _tokens(usage: Any) -> tuple[int, int] | None:
    told = _table(usage)
    counts = (told.get("prompt_tokens"), told.get("completion_tokens"))
    if all(
        isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 10**9
        for count in counts
    ):
        return counts  # type: ignore[return-value]
    return None


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """A text, or the texts of parts, as some servers send them."""
    if isinstance(value, list):
        return "".join(_text(_table(part).get("text")) for part in value[:100])
    return value if isinstance(value, str) else ""
