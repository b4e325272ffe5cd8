"""The commands that run one operation of the engine."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stylus_ext.cli import rendering
from stylus_ext.cli.flags import (
    PLAN_SECTIONS,
    BooleanFlag,
    Help,
    absolute_paths,
    add_flags,
    add_folders,
    add_number,
    add_other_folders,
    add_settings,
    add_switch,
    other_folders,
    payload_of,
    settings_of,
)
from stylus_ext.core.adapter_type import ADAPTER_TYPES
from stylus_ext.core.entry import KINDS, STATES
from stylus_ext.engine.requests import REACHES

Lines = Callable[[Mapping[str, Any]], Iterator[str]]
CarryOut = Callable[[str, Mapping[str, Any], Namespace, Lines], int]


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its help, its operation and its flags."""

    name: str
    usage: str
    help: str
    operation: str
    lines: Lines
    payload: Callable[[Namespace], Mapping[str, Any]]
    flags: Callable[[ArgumentParser], None]
    more: str = ""
    """Further lines of its help."""


def add(commands: Any, add_common: Callable[[ArgumentParser], None], carry_out: CarryOut) -> None:
    """Add the commands; `carry_out` runs an operation and prints its answer."""
    for command in COMMANDS:
        add_command(commands, command, "", add_common, carry_out)


def add_command(
    commands: Any,
    command: Command,
    below: str,
    add_common: Callable[[ArgumentParser], None],
    carry_out: CarryOut,
) -> None:
    """Add one command; `below` is the command that it belongs to."""
    parser = commands.add_parser(
        command.name,
        usage=f"python install.py {below}{command.name} {command.usage}[--FLAG ...]",
        help=command.help,
        description="\n".join(
            filter(None, (f"{command.help[0].upper()}{command.help[1:]}.", command.more))
        ),
        formatter_class=Help,
        allow_abbrev=False,
    )
    add_flags(parser, json="print JSON and nothing else on standard output")
    command.flags(parser)
    add_common(parser)
    parser.set_defaults(run=_runner(command, carry_out))


def _runner(command: Command, carry_out: CarryOut) -> Callable[[Namespace], int]:
    return lambda arguments: carry_out(
        command.operation, command.payload(arguments), arguments, command.lines
    )


def _plan_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "prompt",
        metavar="PROMPT",
        help="the prompt; - reads standard input; after -- it may begin with a dash",
    )
    parser.add_argument(
        "--negative", default="", metavar="TEXT", help="the negative prompt: a veto"
    )
    add_folders(parser, "--lora-dir", "a folder of LoRAs; may be repeated")
    add_other_folders(parser)
    add_number(parser, "--batches", "number of batches; each gets another combination", 1)
    add_number(parser, "--batch-size", "pictures in a batch", 1)
    add_number(parser, "--seed", "image seed of the first picture", 0)
    add_number(parser, "--steps", "plan schedules for a picture of so many steps; 0: none", 0)
    parser.add_argument(
        "--reach",
        choices=REACHES,
        default="auto",
        help="pick from files on disk or the whole catalogue (default: auto, disk if it has any)",
    )
    add_flags(
        parser,
        fetch=(
            "pick from the whole catalogue and fetch into the first --lora-dir (needs --download)"
        ),
    )
    add_settings(parser, PLAN_SECTIONS)


def _plan_payload(arguments: Namespace) -> dict[str, Any]:
    steps = arguments.steps
    return {
        "host_steps": {"steps": steps, "changes": steps} if steps else None,
        "prompt": _standard_input() if arguments.prompt == "-" else arguments.prompt,
        "negative_prompt": arguments.negative,
        "seed": arguments.seed,
        "batches": arguments.batches,
        "batch_size": arguments.batch_size,
        "lora_dirs": absolute_paths(arguments.lora_dir),
        **other_folders(arguments),
        "reach": arguments.reach,
        "downloads": arguments.fetch,
        "settings": settings_of(arguments, PLAN_SECTIONS),
    }


def _index_flags(parser: ArgumentParser) -> None:
    parser.add_argument("folders", nargs="*", metavar="DIR", help="folders of LoRAs")
    add_folders(parser, "--lora-dir", "the same")
    add_other_folders(parser)
    add_folders(parser, "--learn", "learn from your own pictures in this folder; may be repeated")
    add_switch(parser, "--hash", "hash files without a SHA256 in a sidecar", default=True)


def _index_payload(arguments: Namespace) -> dict[str, Any]:
    folders = absolute_paths([*arguments.folders, *arguments.lora_dir])
    return {
        "lora_dirs": folders,
        **other_folders(arguments),
        "learn": absolute_paths(arguments.learn),
        "hash": arguments.hash,
    }


_SEARCH = ("text", "family", "kind", "type", "state", "on_disk", "offset", "limit")


def _search_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "text",
        nargs="?",
        default="",
        metavar="TEXT",
        help="words of names, triggers, tags and descriptions; none lists all",
    )
    parser.add_argument(
        "--family", metavar="NAME", help="only this base model family, such as sdxl"
    )
    parser.add_argument(
        "--kind", choices=KINDS, metavar="KIND", help=f"only this kind: {', '.join(KINDS)}"
    )
    parser.add_argument("--type", choices=ADAPTER_TYPES, help="only this type")
    parser.add_argument("--state", choices=STATES, help="only this state")
    parser.add_argument(
        "--on-disk", action=BooleanFlag, default=None, help="only files on disk, or only others"
    )
    add_number(parser, "--offset", "number of entries to skip", 0)
    add_number(parser, "--limit", "number of entries to show", 20)


_EDIT = ("key", "state", "text", "triggers", "weight", "kind", "undo")


def _show_flags(parser: ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="its key, or the name of its file")


def _doctor_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--files",
        metavar="DIR",
        help="show instead what each safetensors file in a folder is, and what is wrong with it",
    )


def _edit_flags(parser: ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="its key, or the name of its file")
    parser.add_argument("--state", choices=STATES, help="auto, always pick it, or never")
    parser.add_argument("--text", metavar="TEXT", help="what it draws")
    parser.add_argument(
        "--trigger",
        dest="triggers",
        action="append",
        metavar="TEXT",
        help="a group of trigger words; may be repeated",
    )
    parser.add_argument("--weight", type=float, metavar="NUMBER", help="the weight it is used with")
    parser.add_argument("--kind", choices=KINDS, metavar="KIND", help=f"one of {', '.join(KINDS)}")
    add_flags(parser, undo="undo your earlier edits first")


def _standard_input() -> str:
    """Read the prompt; invalid bytes are replaced, the shell's final newline is dropped."""
    return (
        sys.stdin.buffer.read()
        .decode("utf-8", "surrogateescape")
        .removesuffix("\n")
        .removesuffix("\r")
    )


COMMANDS = (
    Command(
        "plan",
        "PROMPT ",
        "choose LoRAs for a prompt",
        "plan",
        rendering.plan_lines,
        _plan_payload,
        _plan_flags,
    ),
    Command(
        "index",
        "[DIR ...] ",
        "read folders of LoRAs into the catalogue",
        "index",
        rendering.index_lines,
        _index_payload,
        _index_flags,
    ),
    Command(
        "search",
        "[TEXT] ",
        "search the catalogue",
        "search",
        rendering.entries_lines,
        payload_of(*_SEARCH),
        _search_flags,
    ),
    Command(
        "show",
        "KEY ",
        "show one entry of the catalogue",
        "show",
        rendering.entry_lines,
        payload_of("key"),
        _show_flags,
    ),
    Command(
        "edit",
        "KEY ",
        "correct an entry; your edits are kept for ever",
        "edit",
        rendering.entry_lines,
        payload_of(*_EDIT),
        _edit_flags,
    ),
    Command(
        "doctor",
        "",
        "show what is installed, what leaves the machine, and what is wrong",
        "status",
        rendering.status_lines,
        payload_of("files"),
        _doctor_flags,
    ),
)
