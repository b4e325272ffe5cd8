"""`import`: take a published catalogue into yours."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stylus_ext.cli_commands import CarryOut, Command, add_command
from stylus_ext.cli_flags import Help, Switch, name_them
from stylus_ext.cli_text import notes_lines


def add(commands: Any, add_common: Callable[[ArgumentParser], None], carry_out: CarryOut) -> None:
    text = "take a published catalogue into yours"
    parser = commands.add_parser(
        "import",
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        formatter_class=Help,
        allow_abbrev=False,
    )
    these = parser.add_subparsers(required=True, metavar="WHAT")
    for one in COMMANDS:
        add_command(these, one, "import ", add_common, carry_out)
    name_them(these)


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        metavar="DIR",
        help=(
            "the folder into which you unpacked sd_adapters.pkl, sd_embeddings.npy and ultra_model/"
        ),
    )
    parser.add_argument(
        "--vectors",
        action=Switch,
        default=True,
        help="use the published vectors where your encoder is text-embedding-3-large (default: on)",
    )
    parser.add_argument(
        "--chroma",
        action="store_true",
        help="put these vectors into Chroma, instead of a mapped file beside it",
    )
    parser.add_argument(
        "--embed",
        action=Switch,
        default=True,
        help="make the vectors that are missing now (default: on)",
    )


def _payload(arguments: Namespace) -> dict[str, Any]:
    folder = str(Path(arguments.folder).expanduser().absolute())
    return {
        "format": "stylusdocs",
        "folder": folder,
        "vectors": arguments.vectors,
        "chroma": arguments.chroma,
        "embed": arguments.embed,
    }


def import_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    how = " (taken up where it had stopped)" if answer["resumed"] else ""
    yield f"Read {answer['read']:,} records{how}."
    yield (
        f"  kept: {answer['kept']:,} adapters, {answer['described']:,} with their published"
        f" descriptions, {answer['changed']:,} new or changed"
    )
    yield f"  vectors: {answer['lent']:,} published ones taken, {answer['vectors']:,} made"
    if answer["skipped"]:
        yield f"  left out: {sum(answer['skipped'].values()):,}"
        for reason, count in sorted(
            answer["skipped"].items(), key=lambda item: (-item[1], item[0])
        ):
            yield f"    {reason}: {count:,}"
    yield from notes_lines(answer["notes"])


COMMANDS = (
    Command(
        "stylusdocs",
        "DIR ",
        "the paper's 75,000 adapters with their descriptions; stopped, it goes on where it was",
        "import",
        import_lines,
        _payload,
        _flags,
    ),
)
