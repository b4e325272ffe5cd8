"""`catalogue refine`: have a model look at cards and pictures, and describe what the adapters
draw.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from typing import Any

from stylus_ext.cli.flags import BooleanFlag
from stylus_ext.cli.operations import Command
from stylus_ext.cli.rendering import notes_lines

_MOST_REASONS = 10


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "keys",
        nargs="*",
        metavar="KEY",
        help=(
            "these alone, by their keys or the names of their files, whatever was said of them"
            " before; none is all"
        ),
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="only say how many, and about what it would cost; nobody is asked",
    )
    parser.add_argument(
        "--budget", dest="dollars", type=float, metavar="DOLLARS", help="spend no more than this"
    )
    parser.add_argument(
        "--token-budget",
        dest="tokens",
        type=int,
        metavar="NUMBER",
        help="use no more tokens than this, read and written",
    )
    parser.add_argument(
        "--most",
        type=int,
        metavar="NUMBER",
        help="refine no more than so many, those on disk first",
    )
    parser.add_argument(
        "--parallel",
        type=int,
        default=4,
        metavar="NUMBER",
        help="questions under way at the same time (default: 4)",
    )
    parser.add_argument(
        "--per-minute",
        type=float,
        default=0.0,
        metavar="NUMBER",
        help="questions a minute; 0 is no limit (default: 0)",
    )
    parser.add_argument(
        "--pictures",
        type=int,
        default=3,
        metavar="NUMBER",
        help="example pictures that are shown for each; 0 asks by text alone (default: 3)",
    )
    parser.add_argument(
        "--fetch-pictures",
        action=BooleanFlag,
        default=True,
        help=(
            "fetch example pictures from Civitai and Hugging Face; off shows only those on this"
            " machine (default: on)"
        ),
    )
    parser.add_argument("--on-disk", action="store_true", help="only what is on disk")
    parser.add_argument(
        "--again", action="store_true", help="also what another model has described before"
    )


_PAYLOAD = (
    "dry_run",
    "dollars",
    "tokens",
    "most",
    "per_minute",
    "pictures",
    "fetch_pictures",
    "on_disk",
    "again",
)


def refine_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    if answer["dry_run"]:
        yield (
            f"{answer['wanted']:,} adapters would be refined, for {_expense(answer['estimate'])},"
            " about. Nobody was asked."
        )
    else:
        yield (
            f"Refined {answer['refined']:,} of {answer['wanted']:,} adapters, for"
            f" {_expense(answer['spent'])}."
        )
        yield f"  vectors made: {answer['vectors']:,}"
    for name, text in (
        ("known", "described before"),
        ("edited", "with a text of your own, left alone"),
        ("waiting", "failed lately, not tried again yet"),
    ):
        if answer[name]:
            yield f"  {text}: {answer[name]:,}"
    if not answer["dry_run"] and answer["left"]:
        yield f"  left for another time: {answer['left']:,}"
    if answer["failed"]:
        yield f"  failed: {answer['failed']:,}"
    for reason, count in sorted(answer["reasons"].items(), key=lambda item: (-item[1], item[0]))[
        :_MOST_REASONS
    ]:
        yield f"    {reason} ({count:,})"
    if answer["stopped"]:
        yield f"  Stopped: {answer['stopped']}"
    yield from notes_lines(answer["notes"])


def _expense(said: Mapping[str, Any]) -> str:
    tokens = f"{said['tokens_in']:,} tokens read and {said['tokens_out']:,} written"
    if said["cost"] is None:
        return f"{tokens}, at a price that nobody knows (chat.price_in and chat.price_out say it)"
    return f"{tokens}, ${said['cost']:,.2f}" if said["cost"] else tokens


def _payload(arguments: Namespace) -> dict[str, Any]:
    return {name: getattr(arguments, name) for name in _PAYLOAD} | {
        "at_once": arguments.parallel,
        "keys": arguments.keys or None,
    }


COMMANDS = (
    Command(
        "refine",
        "[KEY ...] ",
        "have your chat model describe adapters from their cards and pictures; stopped, it goes on"
        " where it was",
        "refine",
        refine_lines,
        _payload,
        _flags,
    ),
)
