"""Answers as pydantic models: the JSON Schema that a server gets, and lenient reading.

    class Choice(LlmAnswer):
        number: Whole
        reason: Text
        tags: ListOf[Text] = ()

Models write numbers in quotes, one value where a list belongs, or null for what they do not know.
Such slips are corrected; anything else is a `ValidationError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, TypeVar

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
