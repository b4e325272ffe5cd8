"""`catalogue refine`: let a language model describe adapters from cards and pictures."""

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
            "these alone, by their keys or the names of their files, even if described before"
            " before; none is all"
        ),
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="only show the number of adapters and the estimated cost",
    )
    parser.add_argument(
        "--budget", dest="dollars", type=float, metavar="DOLLARS", help="spend no more than this"
    )
    parser.add_argument(
        "--token-budget",
        dest="tokens",
        type=int,
        metavar="NUMBER",
        help="limit of tokens, read and written",
    )
    parser.add_argument(
        "--most",
        type=int,
        metavar="NUMBER",
        help="limit of adapters, those on disk first",
    )
    parser.add_argument(
        "--parallel",
        type=int,
        default=4,
        metavar="NUMBER",
        help="number of parallel requests (default: 4)",
    )
    parser.add_argument(
        "--per-minute",
        type=float,
        default=0.0,
        metavar="NUMBER",
        help="requests per minute; 0 is no limit (default: 0)",
    )
    parser.add_argument(
        "--pictures",
        type=int,
        default=3,
        metavar="NUMBER",
        help="example pictures sent for each; 0 sends text only (default: 3)",
    )
    parser.add_argument(
        "--fetch-pictures",
        action=BooleanFlag,
        default=True,
        help=(
            "fetch example pictures from Civitai and Hugging Face, else only local ones"
            " (default: on)"
        ),
    )
    parser.add_argument("--on-disk", action="store_true", help="only adapters on disk")
    parser.add_argument(
        "--again", action="store_true", help="also adapters described by another model"
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
            f"{answer['wanted']:,} adapters would be refined, for about"
            f" {_expense(answer['estimate'])}. Nothing was sent."
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


def _expense(expense: Mapping[str, Any]) -> str:
    tokens = f"{expense['tokens_in']:,} tokens read and {expense['tokens_out']:,} written"
    if expense["cost"] is None:
        return f"{tokens}; for the cost, set chat.price_in and chat.price_out"
    return f"{tokens}, ${expense['cost']:,.2f}" if expense["cost"] else tokens


def _payload(arguments: Namespace) -> dict[str, Any]:
    return {name: getattr(arguments, name) for name in _PAYLOAD} | {
        "at_once": arguments.parallel,
        "keys": arguments.keys or None,
    }


COMMANDS = (
    Command(
        "refine",
        "[KEY ...] ",
        "let your chat model describe adapters from cards and pictures; an interrupted run resumes",
        "refine",
        refine_lines,
        _payload,
        _flags,
    ),
)
