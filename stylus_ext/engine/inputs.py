"""What the models of requests have in common: their checks, messages and types of fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError, core_schema

from stylus_ext.core.errors import InvalidInput
from stylus_ext.selection.plan import MOST_CHARACTERS

_SHOWN = 60
_Input = TypeVar("_Input", bound="OperationInput")

_MESSAGES = {
    "string_type": "{field} must be text.",
    "int_type": "{field} must be a whole number.",
    "float_type": "{field} must be a number.",
    "finite_number": "{field} must be a finite number.",
    "bool_type": "{field} must be true or false.",
    "list_type": "{field} must be a list.",
    "dict_type": "{field} must be an object.",
    "model_type": "{field} must be an object.",
    "model_attributes_type": "{field} must be an object.",
    "missing": "The field {field} is missing.",
    "extra_forbidden": "Unknown field {field}. The fields of this request: {names}.",
    "greater_than_equal": "{field} must be at least {ge:,}.",
    "less_than_equal": "{field} must be at most {le:,}.",
    "literal_error": "{field} must be {expected}.",
    "too_long": "{field} is too long: {actual_length:,}, and at most {max_length:,} is read.",
}
_MESSAGES["string_too_long"] = _MESSAGES["too_long"]


class InputPart(BaseModel):
    """A JSON object: unknown fields are errors, null stands for the default."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, payload: Any) -> Any:
        if not isinstance(payload, Mapping):
            return payload
        return {name: value for name, value in payload.items() if value is not None}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        found = handler(schema)
        described = handler.resolve_ref_schema(found)
        properties = described.get("properties", {})
        for name in properties.keys() - set(described.get("required", ())):
            if {"type": "null"} not in properties[name].get("anyOf", ()):
                properties[name] = {"anyOf": [properties[name], {"type": "null"}]}
        return found


class OperationInput(InputPart):
    """The whole input of an operation; a mistake raises `InvalidInput`."""

    @model_validator(mode="wrap")
    @classmethod
    def _checked(cls, payload: Any, check: ModelWrapValidatorHandler[_Input]) -> _Input:
        if not isinstance(payload, Mapping):
            raise InvalidInput("A request is a JSON object.")
        try:
            return check(payload)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_input=False)
            # A misspelt field comes before the missing one that it stands for.
            first = min(errors, key=lambda found: found["type"] != "extra_forbidden")
            raise InvalidInput(_message(first, cls)) from error


def _message(error: ErrorDetails, model: type[BaseModel]) -> str:
    field = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part[:_SHOWN]}" for part in error["loc"]
    ).lstrip(".")
    names = ", ".join(model.model_fields) or "none"
    message = _MESSAGES.get(error["type"], f"{{field}}: {error['msg']}.")
    return message.format(field=repr(field), names=names, **error.get("ctx", {}))


@dataclass(frozen=True, slots=True)
class Longest:
    """Limits the length of a text. Unlike pydantic's own limit it accepts lone surrogates, which
    prompts may contain.
    """

    length: int

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "maxLength": self.length}

    def _check(self, text: str) -> str:
        if len(text) > self.length:
            context = {"actual_length": len(text), "max_length": self.length}
            raise PydanticCustomError("string_too_long", "too long", context)
        return text


def whole_number(value: Any) -> Any:
    """JSON has one type of number: 2.0 is a whole one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(whole_number)]
KeyText = Annotated[str, Longest(4096)]
FolderText = Annotated[str, Longest(4096)]
Prompt = Annotated[str, Longest(MOST_CHARACTERS)]
SearchText = Annotated[str, Longest(1000)]
Name = Annotated[str, Longest(64)]
Stem = Annotated[str, Longest(1024)]
LAST_SEED = 2**63 - 1
LONGEST_S = 3600.0
Seed = Annotated[int, Field(ge=0, le=LAST_SEED), BeforeValidator(whole_number)]
Seconds = Annotated[float, Field(ge=0.0, le=LONGEST_S)]
Weight = Annotated[float, Field(ge=-5.0, le=5.0)]
