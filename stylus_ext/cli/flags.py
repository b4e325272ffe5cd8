"""The command line's flags; those of the settings are generated, one group per section."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from stylus_ext.core.family import listed_family
from stylus_ext.core.option_names import name_of_option
from stylus_ext.core.settings import Option, Settings, options

PLAN_SECTIONS = ("selection", "weights", "combination", "diversity", "text")


class Help(argparse.RawDescriptionHelpFormatter):
    """Help with a wide column for flags."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=110)


class BooleanFlag(argparse.BooleanOptionalAction):
    """A flag with a --no- form; older Pythons would append the default to its help."""

    def __init__(self, option_strings: Sequence[str], dest: str, **named: Any) -> None:
        super().__init__(option_strings, dest, **named)
        self.help = named.get("help")


def parse_duration(text: str, unit: str, most: int) -> float:
    """Parse a number of seconds or minutes."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise argparse.ArgumentTypeError(
            f"must be a number of {unit} from 0 to {most:,}, not {text}"
        )
    return value


def add_number(
    parser: argparse.ArgumentParser, flag: str, text: str, default: float | None = None
) -> None:
    """Add a whole number; without a default it is None, with a float it may be a fraction."""
    kind, ending = int if default is None else type(default), ""
    if default is not None:
        ending = f" (default: {int(default)})"
    parser.add_argument(flag, type=kind, default=default, metavar="NUMBER", help=text + ending)


def add_folders(parser: argparse.ArgumentParser, flag: str, text: str) -> None:
    """Add a flag that may be repeated."""
    parser.add_argument(flag, action="append", default=[], metavar="DIR", help=text)


OTHER_FOLDERS = ("embedding_dirs", "hypernetwork_dirs")


def add_other_folders(parser: argparse.ArgumentParser) -> None:
    add_folders(parser, "--embedding-dir", "a folder of embeddings; may be repeated")
    add_folders(parser, "--hypernetwork-dir", "a folder of hypernetworks; may be repeated")


def other_folders(arguments: argparse.Namespace) -> dict[str, list[str]]:
    """The folders of these flags as fields of a request."""
    found = {name: absolute_paths(getattr(arguments, name[:-1])) for name in OTHER_FOLDERS}
    return {name: folders for name, folders in found.items() if folders}


def add_switch(parser: argparse.ArgumentParser, flag: str, text: str, *, default: bool) -> None:
    """Add a flag that also has a --no- form."""
    ending = "on" if default else "off"
    parser.add_argument(
        flag, action=BooleanFlag, default=default, help=f"{text} (default: {ending})"
    )


def add_flags(parser: argparse.ArgumentParser, **texts: str) -> None:
    """Add flags without a value, by name and help."""
    for name, text in texts.items():
        parser.add_argument(f"--{name.replace('_', '-')}", action="store_true", help=text)


def payload_of(*names: str) -> Callable[[argparse.Namespace], dict[str, Any]]:
    """Return a function that takes these arguments into a request."""
    return lambda arguments: {name: getattr(arguments, name) for name in names}


def absolute_paths(folders: Iterable[str]) -> list[str]:
    """Make paths absolute: the engine has another working directory."""
    return [
        str(Path(folder).expanduser().absolute()) if folder.strip() else "" for folder in folders
    ]


def name_choices(commands: Any) -> None:
    """Name the choices in the usage and in errors about a missing command."""
    commands.metavar = "{" + ",".join(commands.choices) + "}"


def add_settings(parser: argparse.ArgumentParser, sections: Iterable[str]) -> None:
    for section in sections:
        group = parser.add_argument_group(
            section, (type(getattr(Settings(), section)).__doc__ or "").strip()
        )
        for option in options():
            if option.section == section:
                _add(group, option)


def settings_of(
    arguments: argparse.Namespace, sections: Iterable[str]
) -> dict[str, dict[str, Any]]:
    """Return the settings given on the command line, for `with_values`."""
    values: dict[str, dict[str, Any]] = {}
    for section in sections:
        for item in fields(getattr(Settings(), section)):
            value = getattr(arguments, item.name, None)
            if value is not None and item.name == "family":
                value = listed_family(value)
            if value is not None:
                values.setdefault(section, {})[item.name] = value
    return values


def words_of(arguments: argparse.Namespace, sections: Iterable[str]) -> list[str]:
    """Return these settings as words of a command line, for a child process."""
    words: list[str] = []
    for option in options():
        value = getattr(arguments, option.name, None)
        if option.section not in sections or value is None:
            continue
        if isinstance(value, bool):
            words.append(flag(option) if value else f"--no-{flag(option)[2:]}")
        else:
            words.append(f"{flag(option)}={value}")
    return words


def flag(option: Option) -> str:
    return "--" + option.name.replace("_", "-")


def _add(parser: argparse._ArgumentGroup, option: Option) -> None:
    limits = "" if option.low is None else f"; {option.low:g} to {option.high:g}"
    text = f"{option.help} ({_default(option)}{limits})".replace("%", "%%")
    if isinstance(option.default, bool):
        parser.add_argument(
            flag(option), dest=option.name, action=BooleanFlag, default=None, help=text
        )
        return
    kind = str if isinstance(option.default, tuple) else type(option.default)
    metavar = (
        "{" + ",".join(option.choices) + "}"
        if option.choices
        else {str: "TEXT", int: "NUMBER", float: "NUMBER"}[kind]
    )
    parser.add_argument(
        flag(option), dest=option.name, type=kind, default=None, metavar=metavar, help=text
    )


def _default(option: Option) -> str:
    if isinstance(option.default, bool):
        return f"default: {'on' if option.default else 'off'}"
    return f"default: {option.default}" if option.default not in ("", ()) else "default: empty"


_PAGE_HEAD = """# Options

<!-- Generated from the settings. Write it again with:
STYLUS_REWRITE_DOCS=1 python install.py test tests/test_options_page.py -->

Every option is a flag of the command line, a field of `settings.json` in the data folder, and an
entry of the WebUI's settings: the page *Stylus* has the usual ones, *Stylus: Advanced* the others.
In `settings.json` a field is in its group and has underscores:
`{"selection": {"max_adapters": 2}}`. Boolean flags also have a `--no-` form.

The groups from `encoder` on belong to the engine. Changing one on the settings page restarts the
engine. A command that finds a running engine uses that engine's settings, not its own flags for
these groups. The WebUI has a few [options of its own](hosts.md#settings-of-the-webuis-side).
"""


def options_page() -> str:
    """Return docs/options.md."""
    parts = [_PAGE_HEAD]
    for item in fields(Settings):
        section = item.name
        about = " ".join((type(getattr(Settings(), section)).__doc__ or "").split())
        rows = [_row(option) for option in options() if option.section == section]
        head = "| option | flag | default | values | meaning |\n|---|---|---|---|---|"
        parts.append("\n".join([f"## {section}", "", about, "", head, *rows, ""]))
    return "\n".join(parts)


def _row(option: Option) -> str:
    default = _default(option).removeprefix("default: ")
    values = ", ".join(f"`{choice}`" for choice in option.choices)
    if option.low is not None:
        values = f"{option.low:g} to {option.high:g}"
    name = name_of_option(option.section, option.name)
    return f"| {name} | `{flag(option)}` | {default} | {values} | {option.help} |"
