"""What the panel's controls are at first, without making them: the host asks for it once more for
the API (HOST.md f).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stylus_ext.host import options
from stylus_ext.host.values import NAMES, defaults_from


@dataclass(frozen=True)
class Default:
    """As much of a component as the host reads of one."""

    label: str
    value: Any


def api_defaults() -> list[Any]:
    """In the order of the panel's controls."""
    values = defaults_from(options.read_settings())
    return [Default(name, getattr(values, name)) for name in NAMES]
