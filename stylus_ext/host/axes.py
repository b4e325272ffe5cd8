"""Axes for the host's X/Y/Z script. A cell's value goes onto its own `p` and is read in
`process`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stylus_ext.core.settings import COMPOSERS, SCHEMES
from stylus_ext.host import compat

PREFIX = "[Stylus] "
ATTRIBUTE = "stylus_axes"
_YES = ("True", "False")


def add_axes() -> bool:
    """Called before the UI is made; the host's list is new after every reload, and never gets an
    axis twice. False without a list.
    """
    module = compat.xyz_grid()
    if module is None:
        return False
    there = {option.label for option in module.axis_options}
    for label, kind, name, choices in _axes():
        if PREFIX + label not in there:
            extra = {} if choices is None else {"choices": choices}
            module.axis_options.append(
                module.AxisOption(PREFIX + label, kind, apply(name), **extra)
            )
    return True


def apply(name: str) -> Callable[[Any, Any, Any], None]:
    """A new dictionary each time: copies of one `p` share what is not replaced."""

    def put(p: Any, value: Any, values: Any) -> None:  # noqa: ARG001
        said = (
            value.strip().lower() == "true"
            if name == "enabled" and isinstance(value, str)
            else value
        )
        setattr(p, ATTRIBUTE, {**(getattr(p, ATTRIBUTE, None) or {}), name: said})

    return put


def _axes() -> list[tuple[str, type, str, Callable[[], list[str]] | None]]:
    return [
        ("Enabled", str, "enabled", lambda: list(_YES)),
        ("Composer", str, "composer", lambda: list(COMPOSERS)),
        ("Strength", float, "strength", None),
        ("LoRAs per task", int, "per_task", None),
        ("Diversity", str, "diversity", lambda: list(SCHEMES)),
        ("Selection seed", int, "seed", None),
    ]
