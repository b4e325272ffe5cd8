"""The command line's flags; those of the settings are made from the tree of settings."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from stylus_ext.core.settings import Option, options

PLAN_SECTIONS = ("selection", "weights", "diversity", "text")
ENGINE_SECTIONS = ("encoder", "vectors")


def add_settings(parser: argparse.ArgumentParser, sections: Iterable[str]) -> None:
    for option in options():
        if option.section in sections:
            _add(parser, option)


def settings_of(arguments: argparse.Namespace, sections: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What was said on the command line, as `with_values` takes it."""
    said: dict[str, dict[str, Any]] = {}
    for option in options():
        value = getattr(arguments, option.name, None) if option.section in sections else None
        if value is not None:
            said.setdefault(option.section, {})[option.name] = value
    return said


def flag(option: Option) -> str:
    return "--" + option.name.replace("_", "-")


def table() -> str:
    """The options as the README shows them."""
    lines = ["| flag | group | default | what it does |", "|---|---|---|---|"]
    for option in options():
        allowed = ", ".join(f"`{choice}`" for choice in option.choices) or ("" if option.low is None else f"{option.low:g} to {option.high:g}")
        shown = f"`{str(option.default).lower() if isinstance(option.default, bool) else option.default}`" if option.default != "" else ""
        lines.append(f"| `{flag(option)}` | {option.section} | {shown} | {option.help}{f' ({allowed})' if allowed else ''} |")
    return "\n".join(lines)


def _add(parser: argparse.ArgumentParser, option: Option) -> None:
    limits = "" if option.low is None else f", {option.low:g} to {option.high:g}"
    text = f"{option.help} (default: {option.default!r}{limits})".replace("%", "%%")
    if isinstance(option.default, bool):
        parser.add_argument(flag(option), dest=option.name, action=argparse.BooleanOptionalAction, default=None, help=text)
        return
    kind = type(option.default)
    metavar = "{" + ",".join(option.choices) + "}" if option.choices else kind.__name__.upper()
    parser.add_argument(flag(option), dest=option.name, type=kind, default=None, metavar=metavar, help=text)
