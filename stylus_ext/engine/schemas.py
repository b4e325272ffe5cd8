"""The shape of every request: a payload goes in, checked values with their defaults come out, or a sentence what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stylus_ext.core.errors import InvalidInput

_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false", list: "a list", dict: "an object"}
_JSON_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", list: "array", dict: "object"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a payload. `longest` counts characters or items, `items` is what a list holds."""

    kind: type
    default: Any = None
    required: bool = False
    low: float | None = None
    high: float | None = None
    longest: int | None = None
    items: Field | None = None
    choices: tuple[str, ...] = ()


Schema = Mapping[str, Field]


def checked(payload: Any, schema: Schema) -> dict[str, Any]:
    """Unknown fields are refused: a misspelt one would be ignored in silence otherwise. null means the default."""
    if not isinstance(payload, Mapping):
        raise InvalidInput("A request is a JSON object.")
    unknown = sorted(set(payload) - set(schema))
    if unknown:
        raise InvalidInput(f"This request has no field {unknown[0]!r}; it has {', '.join(schema)}.")
    values = {}
    for name, field in schema.items():
        value = payload.get(name)
        if value is None:
            if field.required:
                raise InvalidInput(f"The field {name!r} is missing.")
            values[name] = field.default
        else:
            values[name] = _value(name, value, field)
    return values


def json_schema(schema: Schema) -> dict[str, Any]:
    """The same, as a JSON Schema for whoever writes a caller."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name for name, field in schema.items() if field.required],
        "properties": {name: _described(field) for name, field in schema.items()},
    }


def _value(name: str, value: Any, field: Field) -> Any:
    if field.kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, field.kind) or (isinstance(value, bool) and field.kind is not bool):
        raise InvalidInput(f"{name!r} must be {_NAMES[field.kind]}.")
    if field.longest is not None and len(value) > field.longest:
        raise InvalidInput(f"{name!r} is too long: {len(value):,}, and at most {field.longest:,} is read.")
    if field.low is not None and field.high is not None and not field.low <= value <= field.high:
        raise InvalidInput(f"{name!r} must lie between {field.low} and {field.high}, not {value}.")
    if field.choices and value not in field.choices:
        raise InvalidInput(f"{name!r} must be one of {', '.join(field.choices)}, not {value!r}.")
    if field.items is not None:
        return [_value(f"{name}[{place}]", item, field.items) for place, item in enumerate(value)]
    return value


def _described(field: Field) -> dict[str, Any]:
    limits = {
        "maxLength" if field.kind is str else "maxItems": field.longest if field.kind in (str, list) else None,
        "minimum": field.low,
        "maximum": field.high,
        "enum": list(field.choices) or None,
        "items": _described(field.items) if field.items else None,
        "default": field.default,
    }
    return {"type": _JSON_NAMES[field.kind], **{name: value for name, value in limits.items() if value is not None}}
