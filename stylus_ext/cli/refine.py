"""`catalogue refine`: let a language model describe adapters from cards and pictures."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from typing import Any

from stylus_ext.cli.flags import add_flags, add_number, add_switch, payload_of
from stylus_ext.cli.operations import Command
from stylus_ext.cli.rendering import notes_lines
from stylus_ext.core.counted import counted

_MOST_REASONS = 10


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "keys",
        nargs="*",
        metavar="KEY",
        help=(
            "these alone, by their keys or the names of their files, even if described"
            " before; none is all"
        ),
    )
    add_flags(parser, dry_run="only show the number of adapters and the estimated cost")
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
    add_number(parser, "--most", "limit of adapters, those on disk first")
    add_number(parser, "--parallel", "number of parallel requests", 4)
    add_number(parser, "--per-minute", "requests per minute; 0 is no limit", 0.0)
    add_number(parser, "--pictures", "example pictures sent for each; 0 sends text only", 3)
    add_switch(
        parser,
        "--fetch-pictures",
        "fetch example pictures from Civitai and Hugging Face, else only local ones",
        default=True,
    )
    add_flags(
        parser,
        on_disk="only adapters on disk",
        again="also adapters described by another model",
    )


_PAYLOAD = tuple(
    "dry_run dollars tokens most per_minute pictures fetch_pictures on_disk again".split()
)


def refine_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    if answer["dry_run"]:
        yield (
            f"{counted(answer['wanted'], 'adapter')} would be refined, for about"
            f" {expense_text(answer['estimate'])}. Nothing was sent."
        )
    else:
        yield (
            f"Refined {answer['refined']:,} of {counted(answer['wanted'], 'adapter')}, for"
            f" {expense_text(answer['spent'])}."
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


def expense_text(expense: Mapping[str, Any]) -> str:
    tokens = f"{expense['tokens_in']:,} tokens read and {expense['tokens_out']:,} written"
    if expense["cost"] is None:
        return f"{tokens}; for the cost, set chat.price_in and chat.price_out"
    return f"{tokens}, ${expense['cost']:,.2f}" if expense["cost"] else tokens


def _payload(arguments: Namespace) -> dict[str, Any]:
    return payload_of(*_PAYLOAD)(arguments) | {
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
