"""What can be asked of the engine, field by field, with the limits of each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stylus_ext.core.entry import KINDS, STATES
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.sources import CIVITAI, MOST_MODELS, SERVICES
from stylus_ext.selection.plan import MOST_BATCHES, MOST_CHARACTERS

_NAMES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}
_JSON_NAMES = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "array",
    dict: "object",
}
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a payload. `longest` counts characters or items, `items` is what a list holds,
    `fields` what an object has.
    """

    kind: type
    default: Any = None
    required: bool = False
    low: float | None = None
    high: float | None = None
    longest: int | None = None
    items: Field | None = None
    choices: tuple[str, ...] = ()
    fields: Mapping[str, Field] | None = None


Schema = Mapping[str, Field]


def checked(payload: Any, schema: Schema, what: str = "") -> dict[str, Any]:
    """Unknown fields are refused: a misspelt one would be ignored in silence otherwise. null means
    the default.
    """
    if not isinstance(payload, Mapping):
        raise InvalidInput("A request is a JSON object.")
    unknown = next((name for name in payload if name not in schema), None)
    if unknown is not None:
        has = f"it has {', '.join(schema)}" if schema else "it has none"
        raise InvalidInput(
            f"{repr(what) if what else 'This request'} has no field {_shown(unknown)}; {has}."
        )
    values = {}
    for name, field in schema.items():
        value = payload.get(name)
        if value is None:
            if field.required:
                raise InvalidInput(
                    f"The field {name!r} is missing{f' in {what!r}' if what else ''}."
                )
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
        "properties": {
            name: _described(field, optional=not field.required) for name, field in schema.items()
        },
    }


def _value(name: str, value: Any, field: Field) -> Any:
    value = _of_kind(name, value, field)
    if field.longest is not None and len(value) > field.longest:
        raise InvalidInput(
            f"{name!r} is too long: {len(value):,}, and at most {field.longest:,} is read."
        )
    low, high = (
        -math.inf if field.low is None else field.low,
        math.inf if field.high is None else field.high,
    )
    if field.kind in (int, float) and not low <= value <= high:
        raise InvalidInput(f"{name!r} must lie between {low:,} and {high:,}, not {_shown(value)}.")
    if field.choices and value not in field.choices:
        raise InvalidInput(
            f"{name!r} must be one of {', '.join(field.choices)}, not {_shown(value)}."
        )
    if field.fields is not None:
        return checked(value, field.fields, name)
    if field.items is not None:
        return [_value(f"{name}[{place}]", item, field.items) for place, item in enumerate(value)]
    return value


def _of_kind(name: str, value: Any, field: Field) -> Any:
    """JSON knows one kind of number: 2.0 is a whole one, and 2 is a number too."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput(f"{name!r} must be {_NAMES[field.kind]}, not {value}.")
    if number and field.kind is float:
        try:
            return float(value)
        except OverflowError as error:
            raise InvalidInput(f"{name!r} is a larger number than can be worked with.") from error
    if number and field.kind is int and value == int(value):
        return int(value)
    if not isinstance(value, field.kind) or (isinstance(value, bool) and field.kind is not bool):
        raise InvalidInput(f"{name!r} must be {_NAMES[field.kind]}.")
    return value


def _shown(value: Any) -> str:
    """What was given, as far as a sentence has room for it."""
    if isinstance(value, int) and value.bit_length() > _SHOWN:
        return "so large a number"
    text = repr(value[:_SHOWN] if isinstance(value, str) else value)
    return text if len(text) <= 2 * _SHOWN else text[: 2 * _SHOWN] + "..."


def _described(field: Field, *, optional: bool = False) -> dict[str, Any]:
    if field.fields is not None:
        return json_schema(field.fields)
    name = _JSON_NAMES[field.kind]
    limits = {
        "maxLength" if field.kind is str else "maxItems": (
            field.longest if field.kind in (str, list) else None
        ),
        "minimum": field.low,
        "maximum": field.high,
        "enum": (
            [*field.choices, None] if field.choices and optional else list(field.choices) or None
        ),
        "items": _described(field.items) if field.items else None,
        "default": list(field.default) if isinstance(field.default, tuple) else field.default,
    }
    return {
        "type": [name, "null"] if optional else name,
        **{key: value for key, value in limits.items() if value is not None},
    }


LAST_SEED = 2**63 - 1
LONGEST_S = 3600.0
REACHES = ("auto", "disk", "catalogue")
_FOLDERS = Field(list, (), longest=64, items=Field(str, longest=4096))

NOT_FETCHED: Schema = {
    "key": Field(str, required=True, longest=4096),
    "text": Field(str, required=True, longest=2000),
}
KEPT: Schema = {
    "key": Field(str, required=True, longest=4096),
    "weight": Field(float, None, low=-5.0, high=5.0),
    "task": Field(int, None, low=0, high=MOST_CHARACTERS),
    "pinned": Field(bool, False),
}
_KEYS = Field(list, (), longest=200, items=Field(str, longest=4096))
CORRECTIONS: Schema = {
    "reject": _KEYS,
    "swap": _KEYS,
    "keep": Field(list, (), longest=50, items=Field(dict, fields=KEPT)),
    "only": Field(bool, False),
}
PLAN: Schema = {
    "prompt": Field(str, required=True, longest=MOST_CHARACTERS),
    "negative_prompt": Field(str, "", longest=MOST_CHARACTERS),
    "seed": Field(int, 0, low=0, high=LAST_SEED),
    "batches": Field(int, 1, low=1, high=MOST_BATCHES),
    "batch_size": Field(int, 1, low=1, high=1024),
    "seeds": Field(list, None, longest=MOST_BATCHES, items=Field(int, low=0, high=LAST_SEED)),
    "settings": Field(dict, {}),
    "lora_dirs": _FOLDERS,
    "stems": Field(list, None, longest=200_000, items=Field(str, longest=1024)),
    "inventory": Field(str, None, longest=64),
    "reach": Field(str, "auto", choices=REACHES),
    "deadline_s": Field(float, None, low=0.0, high=LONGEST_S),
    "downloads": Field(bool, False),
    "without": Field(list, None, longest=100, items=Field(dict, fields=NOT_FETCHED)),
    "corrections": Field(dict, None, fields=CORRECTIONS),
}
IMAGE_TEXTS: Schema = {
    "prompt": Field(str, required=True, longest=MOST_CHARACTERS),
    "negative_prompt": Field(str, required=True, longest=MOST_CHARACTERS),
    "hires_prompt": Field(str, None, longest=MOST_CHARACTERS),
    "hires_negative_prompt": Field(str, None, longest=MOST_CHARACTERS),
}
GENERATION: Schema = {
    "prompts": Field(list, required=True, longest=10_000, items=Field(dict, fields=IMAGE_TEXTS)),
    "images": Field(list, required=True, longest=100_000, items=Field(int, low=0, high=9_999)),
    "seeds": Field(list, required=True, longest=100_000, items=Field(int, low=0, high=LAST_SEED)),
    "batch_size": Field(int, 1, low=1, high=1024),
    "settings": Field(dict, {}),
    "stems": Field(list, None, longest=200_000, items=Field(str, longest=1024)),
    "inventory": Field(str, None, longest=64),
    "reach": Field(str, "auto", choices=REACHES),
    "lora_dirs": _FOLDERS,
    "wait_for_folders": Field(bool, False),
    "description": Field(str, "", longest=MOST_CHARACTERS),
    "allowed_kinds": Field(list, None, longest=len(KINDS), items=Field(str, choices=KINDS)),
    "corrections": Field(dict, None, fields=CORRECTIONS),
    "compare": Field(bool, False),
    "downloads": Field(bool, False),
    "without": Field(list, None, longest=100, items=Field(dict, fields=NOT_FETCHED)),
    "with_plans": Field(bool, False),
    "deadline_s": Field(float, None, low=0.0, high=LONGEST_S),
    "planning_s": Field(float, None, low=0.0, high=LONGEST_S),
}
FOLDERS: Schema = {
    "lora_dirs": Field(list, (), required=True, longest=64, items=Field(str, longest=4096)),
    "wait": Field(bool, False),
    "deadline_s": Field(float, None, low=0.0, high=LONGEST_S),
}
LISTED: Schema = {
    "stem": Field(str, required=True, longest=1024),
    "sha256": Field(str, "", longest=64),
    "auto_v3": Field(str, "", longest=64),
    "family": Field(str, "", longest=64),
}
INVENTORY: Schema = {
    "items": Field(list, None, longest=100_000, items=Field(dict, fields=LISTED)),
    "inventory": Field(str, None, longest=64),
}
INDEX: Schema = {
    "lora_dirs": _FOLDERS,
    "learn": _FOLDERS,
    "hash": Field(bool, True),
}
SEARCH: Schema = {
    "text": Field(str, "", longest=1000),
    "family": Field(str, None, longest=64),
    "kind": Field(str, None, choices=KINDS),
    "state": Field(str, None, choices=STATES),
    "on_disk": Field(bool, None),
    "offset": Field(int, 0, low=0, high=10_000_000),
    "limit": Field(int, 20, low=1, high=500),
}
CARDS: Schema = {
    "keys": Field(list, (), required=True, longest=500, items=Field(str, longest=4096))
}
SHOW: Schema = {"key": Field(str, required=True, longest=4096)}
EDIT: Schema = {
    "key": Field(str, required=True, longest=4096),
    "state": Field(str, None, choices=STATES),
    "text": Field(str, None, longest=20_000),
    "triggers": Field(list, None, longest=100, items=Field(str, longest=2000)),
    "weight": Field(float, None, low=-5.0, high=5.0),
    "kind": Field(str, None, choices=KINDS),
    "undo": Field(bool, False),
}
SYNC: Schema = {
    "source": Field(str, CIVITAI, choices=SERVICES),
    "query": Field(str, "", longest=200),
    "tag": Field(str, "", longest=100),
    "base_models": Field(list, (), longest=50, items=Field(str, longest=100)),
    "top": Field(int, 0, low=0, high=MOST_MODELS),
    "nsfw": Field(bool, False),
    "examples": Field(bool, False),
    "afresh": Field(bool, False),
}
IDENTIFY: Schema = {
    "lora_dirs": Field(list, (), required=True, longest=64, items=Field(str, longest=4096)),
    "again": Field(bool, False),
}
FETCH: Schema = {
    "keys": Field(list, (), required=True, longest=100, items=Field(str, longest=4096)),
    "lora_dirs": _FOLDERS,
    "dry_run": Field(bool, False),
}
DISCARD: Schema = {
    "keys": Field(list, None, longest=1000, items=Field(str, longest=4096)),
    "days": Field(int, 30, low=1, high=3650),
    "dry_run": Field(bool, False),
}
