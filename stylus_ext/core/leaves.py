"""The values of an option: one that somebody stated goes in; the same comes out, or `InvalidInput`
with a sentence that says what is wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from stylus_ext.core.errors import InvalidInput

_MOST = sys.float_info.max


def listed(value: Any, current: Any) -> Any:
    """A list of texts, as JSON has it or as one text with commas, where several texts are
    wanted.
    """
    if not isinstance(current, tuple):
        return value
    items = value.replace("\n", ",").split(",") if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
        return value
    return tuple(dict.fromkeys(item.strip() for item in items if item.strip()))


def checked(name: str, value: Any, default: Any, meta: Mapping[str, Any]) -> None:
    wanted = type(default)
    fits = isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))
    if wanted is float:
        fits = (
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and -_MOST <= value <= _MOST
        )
    if wanted is tuple:
        fits = fits and all(isinstance(item, str) for item in value)
    if not fits:
        raise InvalidInput(f"{name} must be {_called(wanted)}, not {value!r}.")
    if "low" in meta and not meta["low"] <= value <= meta["high"]:
        raise InvalidInput(
            f"{name} must lie between {meta['low']} and {meta['high']}, not {value!r}."
        )
    if "choices" in meta and value not in meta["choices"]:
        raise InvalidInput(f"{name} must be one of {', '.join(meta['choices'])}, not {value!r}.")


def _called(kind: type) -> str:
    return {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "text",
        tuple: "a list of texts",
    }[kind]
