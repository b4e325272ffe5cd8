"""Whether a value fits a JSON Schema, and what it is once small slips are put right: numbers as
text, one thing where a list belongs.

Knows what our own schemas use: type, properties, required, items, enum, minimum, maximum, maxItems,
maxLength, and default, which stands for what a model left out although it was to say it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

_LONGEST = 20_000
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
    return text[: schema.get("maxLength", _LONGEST)]


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
