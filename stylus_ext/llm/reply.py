"""Reading the body of a chat response: the answer in it, or what is wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import json_repair
from pydantic import ValidationError

from stylus_ext.llm.schema import LlmAnswer, first_problem, server_schema
from stylus_ext.net.values import NotJson, parsed

A = TypeVar("A", bound=LlmAnswer)

_MOST_VALUES = 100_000
_LONGEST = 200_000
"""Characters of a text that are looked at."""
_LONGEST_REPAIR, _MOST_BRACKETS = 8_000, 400
"""Beyond these json-repair, which takes quadratic time, is not tried."""

_THOUGHT_BEGINS = re.compile(r"<(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_THOUGHT_ENDS = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_FENCED = re.compile(r"```[a-zA-Z0-9]*[ \t]*\n(.*?)```", re.DOTALL)
_QUOTE = re.compile(r'(?<!\\)"')

Fault = Literal["refusal", "cut", "empty", "unreadable", "server"]


class Unusable(ValueError):
    """Why an answer cannot be used; `fault` says what asking again may change."""

    def __init__(self, fault: Fault, why: str) -> None:
        super().__init__(why)
        self.fault: Fault = fault


@dataclass(frozen=True, slots=True)
class LlmMessage:
    """The parts of a chat response that count; all of them may be empty.

    `texts` are where the answer may stand, the likeliest first; `cut` says that the token limit
    ended it; `fault` is an error of the server.
    """

    texts: tuple[str, ...]
    tokens: tuple[int, int] | None = None
    refusal: str = ""
    cut: bool = False
    fault: str = ""


def message_of(body: bytes) -> LlmMessage:
    """Read by hand, since servers send null, lists and other types where the protocol has text."""
    try:
        whole = _dict(parsed(body, _MOST_VALUES))
    except NotJson as problem:
        raise Unusable("server", f"the response is not JSON: {problem}") from problem
    choices = whole.get("choices")
    first = _dict(choices[0]) if isinstance(choices, list) and choices else {}
    message = _dict(first.get("message"))
    reason = first.get("finish_reason")
    refusal = _text(message.get("refusal"))
    if not refusal and reason == "content_filter":
        refusal = "the server's filter stopped the answer"
    error = whole.get("error")
    fault = _text(_dict(error).get("message")) or _text(error) or "the response has no answer"
    texts = (
        _text(message.get("content")),
        *_tool_arguments(message),
        _text(message.get("reasoning_content")),
        _text(message.get("reasoning")),
    )
    return LlmMessage(
        tuple(text for text in texts if text.strip()),
        _tokens(whole.get("usage")),
        refusal,
        reason == "length",
        "" if choices else fault,
    )


def read(message: LlmMessage, schema: type[A]) -> tuple[A, tuple[str, ...]]:
    """The answer, and the names of the fields that were dropped from it."""
    if message.fault:
        raise Unusable("server", message.fault[:200])
    why = ""
    for text in message.texts:
        for value in _values(text, repair=not message.cut):
            for candidate in _unwrapped(value, schema):
                dropped: list[str] = []
                try:
                    answer = schema.model_validate(candidate, context=dropped)
                except ValidationError as error:
                    why = why or first_problem(error)
                else:
                    return answer, tuple(dict.fromkeys(dropped))
    if message.refusal:
        raise Unusable("refusal", message.refusal[:200])
    if message.cut:
        raise Unusable("cut", "its tokens were used up before it came to an end")
    if not message.texts:
        raise Unusable("empty", "the answer is empty")
    raise Unusable("unreadable", why or "there is no JSON object in the answer")


def _unwrapped(value: Any, schema: type[LlmAnswer]) -> Iterator[Any]:
    """The value, or the object in it, as in {"result": {...}}; a bare list for the only list."""
    fields = server_schema(schema)["properties"]
    if isinstance(value, list):
        lists = [name for name, inner in fields.items() if inner.get("type") == "array"]
        if len(lists) == 1:
            yield {lists[0]: value}
        return
    if any(name in value for name in fields):
        yield value
        return
    yield from (inner for inner in value.values() if isinstance(inner, dict))
    yield value


def _values(text: str, *, repair: bool) -> Iterator[Any]:
    """JSON objects and lists in a text, the likeliest first, without thoughts, fences and prose."""
    text = text[:_LONGEST]
    ends, begins = list(_THOUGHT_ENDS.finditer(text)), _THOUGHT_BEGINS.search(text)
    parts = [text[ends[-1].end() :]] if ends else []  # some templates open the thought themselves
    parts += [text[: begins.start()]] if begins else [] if ends else [text]
    for part in parts:
        for place in (*(found.group(1) for found in _FENCED.finditer(part)), part):
            yield from _values_in(place.strip(), repair=repair)


def _values_in(text: str, *, repair: bool) -> Iterator[Any]:
    if "{" not in text and "[" not in text:
        return
    for exact in (text, text[text.find("{") : text.rfind("}") + 1]):
        try:
            value = parsed(exact, _MOST_VALUES)
        except NotJson:
            continue
        if isinstance(value, str):  # JSON within JSON
            yield from _values_in(value, repair=repair)
        elif isinstance(value, (dict, list)):
            yield value
        return
    if not repair or not _is_repairable(text):
        return
    try:
        value = json_repair.loads(text, skip_json_loads=True)
    except (ValueError, RecursionError):
        return
    if isinstance(value, list):  # several objects, of which the last is the answer, or a list
        yield from (item for item in reversed(value) if isinstance(item, dict))
    if isinstance(value, (dict, list)):
        yield value


def _is_repairable(text: str) -> bool:
    """Not too long, and not broken off in the middle of a text or before a value."""
    return (
        len(text) <= _LONGEST_REPAIR
        and text.count("{") + text.count("[") <= _MOST_BRACKETS
        and len(_QUOTE.findall(text)) % 2 == 0
        and not text.endswith(":")
    )


def _tool_arguments(message: Mapping[str, Any]) -> Iterator[str]:
    """Arguments of the tools that the model called, though it was given none."""
    calls = message.get("tool_calls")
    functions = (
        [_dict(call).get("function") for call in calls[:8]] if isinstance(calls, list) else []
    )
    for function in (*functions, message.get("function_call")):
        arguments = _dict(function).get("arguments")
        yield json.dumps(arguments) if isinstance(arguments, dict) else _text(arguments)


def _tokens(usage: Any) -> tuple[int, int] | None:
    counts = tuple(_dict(usage).get(name) for name in ("prompt_tokens", "completion_tokens"))
    if all(type(count) is int and 0 <= count < 10**9 for count in counts):
        return counts  # type: ignore[return-value]
    return None


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """A text, or the texts of parts, as some servers send them."""
    if isinstance(value, list):
        return "".join(_text(_dict(part).get("text")) for part in value[:100])
    return value if isinstance(value, str) else ""
