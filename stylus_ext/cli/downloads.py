"""`fetch`, `discard`, and a plan that fetches its missing files."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from stylus_ext.cli.flags import (
    absolute_paths,
    add_flags,
    add_folders,
    add_number,
    add_other_folders,
    other_folders,
    payload_of,
)
from stylus_ext.cli.operations import CarryOut, Command, add_command
from stylus_ext.cli.rendering import notes_lines
from stylus_ext.cli.session import Session
from stylus_ext.core.counted import counted

_MIB = 1024 * 1024


def add(commands: Any, add_common: Callable[[ArgumentParser], None], carry_out: CarryOut) -> None:
    for command in (FETCH, DISCARD):
        add_command(commands, command, "", add_common, carry_out)


def with_missing_fetched(
    session: Session, payload: Mapping[str, Any], answer: dict[str, Any]
) -> dict[str, Any]:
    """Plan again with the fetched files, or without the ones that failed."""
    missing = answer["plan"]["missing"]
    if not payload.get("downloads") or not missing:
        return answer
    report = session.call(
        "fetch", {"keys": [file["key"] for file in missing], "lora_dirs": payload["lora_dirs"]}
    )
    without = [{"key": file["key"], "text": file["text"]} for file in report["failed"]]
    return {**session.call("plan", {**payload, "without": without}), "fetched": report["fetched"]}


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "keys",
        nargs="+",
        metavar="KEY",
        help="the key of an adapter, such as civitai:12345; see `search`",
    )
    add_folders(
        parser,
        "--lora-dir",
        "the folder to fetch into; given again, further folders of the same WebUI",
    )
    add_other_folders(parser)
    add_flags(parser, dry_run="only list what would be fetched; nothing is sent")


def _payload(arguments: Namespace) -> dict[str, Any]:
    names = payload_of("keys", "dry_run")
    folders = {"lora_dirs": absolute_paths(arguments.lora_dir), **other_folders(arguments)}
    return {**names(arguments), **folders}


def fetch_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    for file in answer["would"]:
        verdict = (
            f"no: {file['why_not']}"
            if file["why_not"]
            else f"yes, {_size(file['size'])} from {file['file']}"
        )
        yield f"{file['name']} ({file['key']}): {verdict}"
    for file in answer["fetched"]:
        how = f"fetched, {_size(file['size'])}" if file["new"] else "was there already"
        yield f"{file['stem']}: {how}, at {file['path']}"
    for file in answer["failed"]:
        yield file["text"]
    yield (
        f"Fetched files take {_size(answer['used'])} in all; {_size(answer['left'])} more are"
        " allowed."
    )
    yield from notes_lines(answer["notes"])


def _discard_flags(parser: ArgumentParser) -> None:
    parser.add_argument("keys", nargs="*", metavar="KEY", help="only these adapters")
    add_number(parser, "--days", "only files that no plan has picked for this many days", 30)
    add_flags(parser, dry_run="only list what would be deleted")


def discard_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    for file in answer["discarded"]:
        yield f"{file['path']}: {_size(file['size'])}"
    for file in answer["kept"]:
        yield f"{file['path']} stays: {file['why_not']}"
    count, size = len(answer["discarded"]), _size(sum(file["size"] for file in answer["discarded"]))
    yield (
        f"{counted(count, 'file')}, {size}. Their side files stay."
        if count
        else "There is nothing to delete."
    )


def _size(size: int) -> str:
    return f"{size / _MIB:,.1f} MB"


FETCH = Command(
    "fetch",
    "KEY [KEY ...] --lora-dir DIR ",
    "fetch adapters into a LoRA folder, verified; downloads must be on",
    "fetch",
    fetch_lines,
    _payload,
    _flags,
)

DISCARD = Command(
    "discard",
    "[KEY ...] ",
    "delete downloads that are long unused; never those marked always, never your own files",
    "discard",
    discard_lines,
    lambda arguments: {
        "keys": arguments.keys or None,
        "days": arguments.days,
        "dry_run": arguments.dry_run,
    },
    _discard_flags,
)
