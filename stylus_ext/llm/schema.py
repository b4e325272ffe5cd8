"""Answers as pydantic models: the JSON Schema that a server gets, and lenient reading of replies.

    class Choice(LlmAnswer):
        number: Whole
        reason: Text
        tags: ListOf[Text] = ()

Models write numbers in quotes, one value where a list belongs, or null for what they do not know.
Such slips are corrected; anything else is a `ValidationError`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

import json_repair
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from stylus_ext.net.values import NotJson, parsed, table

_LONGEST_TEXT = 20_000
_LARGEST = 10**300
_KEPT_KEYWORDS = ("type", "enum", "anyOf")
T = TypeVar("T")


class LlmAnswer(BaseModel):
    """An object that a model answers with. Unknown fields are dropped, and so is null where a
    field has a default.

    The names of dropped fields go to the list that is passed as validation context.
    """

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_unknown(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError("must be an object")  # noqa: TRY004
        fields = cls.model_fields
        if isinstance(info.context, list):
            info.context.extend(str(name)[:40] for name in value if name not in fields)
        return {
            name: inner
            for name, inner in value.items()
            if name in fields and (inner is not None or fields[name].is_required())
        }


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("must be text")  # noqa: TRY004
    text = str(value)[:_LONGEST_TEXT]
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")


def _number(value: Any) -> Any:
    if isinstance(value, str):
        value = value.strip().removesuffix("%")
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004
    return value


def _flag(value: Any) -> bool:
    if isinstance(value, str):
        value = {"true": True, "yes": True, "false": False, "no": False}.get(value.strip().lower())
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004
    return value


def _list(value: Any) -> Any:
    if value is None or value == "":
        return []
    return value if isinstance(value, list) else [value]


Text = Annotated[str, BeforeValidator(_text)]
Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(_number), Field(ge=-_LARGEST, le=_LARGEST)]
Flag = Annotated[bool, BeforeValidator(_flag)]
ListOf = Annotated[list[T], BeforeValidator(_list)]


def shortened(most: int) -> AfterValidator:
    """Metadata of a text or list field: what is longer is cut."""
    return AfterValidator(lambda value: value[:most])


@cache
def server_schema(model: type[LlmAnswer]) -> dict[str, Any]:
    """The JSON Schema for a server: every field required, no limits, titles, defaults or `$ref`.

    OpenAI's strict mode refuses some limits, and llama.cpp makes grammars of them that it refuses
    itself.
    """
    schema = model.model_json_schema()
    return _plain(schema, schema.get("$defs", {}))


def _plain(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return _plain(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    plain = {name: schema[name] for name in _KEPT_KEYWORDS if name in schema}
    if "properties" in schema:
        plain["additionalProperties"] = False
        plain["required"] = list(schema["properties"])
        plain["properties"] = {
            name: _plain(inner, definitions) for name, inner in schema["properties"].items()
        }
    if "items" in schema:
        plain["items"] = _plain(schema["items"], definitions)
    return plain


def first_problem(error: ValidationError) -> str:
    """What is wrong and where, without a word of the value itself."""
    detail = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, detail["loc"])) or "the answer"
    return f"{where}: {detail['msg'].removeprefix('Value error, ')}"


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
        whole = table(parsed(body, _MOST_VALUES))
    except NotJson as problem:
        raise Unusable("server", f"the response is not JSON: {problem}") from problem
    choices = whole.get("choices")
    first = table(choices[0]) if isinstance(choices, list) and choices else {}
    message = table(first.get("message"))
    reason = first.get("finish_reason")
    refusal = _joined_text(message.get("refusal"))
    if not refusal and reason == "content_filter":
        refusal = "the server's filter stopped the answer"
    error = whole.get("error")
    fault = (
        _joined_text(table(error).get("message"))
        or _joined_text(error)
        or "the response has no answer"
    )
    texts = (
        _joined_text(message.get("content")),
        *_tool_arguments(message),
        _joined_text(message.get("reasoning_content")),
        _joined_text(message.get("reasoning")),
    )
    return LlmMessage(
        tuple(text for text in texts if text.strip()),
        _token_counts(whole.get("usage")),
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
        [table(call).get("function") for call in calls[:8]] if isinstance(calls, list) else []
    )
    for function in (*functions, message.get("function_call")):
        arguments = table(function).get("arguments")
        yield json.dumps(arguments) if isinstance(arguments, dict) else _joined_text(arguments)


def _token_counts(usage: Any) -> tuple[int, int] | None:
    counts = tuple(table(usage).get(name) for name in ("prompt_tokens", "completion_tokens"))
    if all(type(count) is int and 0 <= count < 10**9 for count in counts):
        return counts  # type: ignore[return-value]
    return None


def _joined_text(value: Any) -> str:
    """A text, or the texts of parts, as some servers send them."""
    if isinstance(value, list):
        return "".join(_joined_text(table(part).get("text")) for part in value[:100])
    return value if isinstance(value, str) else ""
