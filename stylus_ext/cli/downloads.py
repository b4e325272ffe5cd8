"""`fetch`, `discard`, and a plan that fetches its missing files."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stylus_ext.cli.operations import CarryOut, Command, add_command
from stylus_ext.cli.rendering import notes_lines
from stylus_ext.cli.session import Session

_MIB = 1024 * 1024


def add(commands: Any, add_common: Callable[[ArgumentParser], None], carry_out: CarryOut) -> None:
    for one in (FETCH, DISCARD):
        add_command(commands, one, "", add_common, carry_out)


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
    without = [{"key": one["key"], "text": one["text"]} for one in report["failed"]]
    return {**session.call("plan", {**payload, "without": without}), "fetched": report["fetched"]}


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "keys",
        nargs="+",
        metavar="KEY",
        help="the key of an adapter, such as civitai:12345; see `search`",
    )
    parser.add_argument(
        "--lora-dir",
        action="append",
        default=[],
        metavar="DIR",
        help=("the folder to fetch into; given again, further folders of the same WebUI"),
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="only list what would be fetched; nothing is sent",
    )


def _payload(arguments: Namespace) -> dict[str, Any]:
    folders = [str(Path(folder).expanduser().absolute()) for folder in arguments.lora_dir]
    return {"keys": arguments.keys, "lora_dirs": folders, "dry_run": arguments.dry_run}


def fetch_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    for one in answer["would"]:
        verdict = (
            f"no: {one['why_not']}"
            if one["why_not"]
            else f"yes, {_size(one['size'])} from {one['file']}"
        )
        yield f"{one['name']} ({one['key']}): {verdict}"
    for one in answer["fetched"]:
        how = f"fetched, {_size(one['size'])}" if one["new"] else "was there already"
        yield f"{one['stem']}: {how}, at {one['path']}"
    for one in answer["failed"]:
        yield one["text"]
    yield (
        f"Fetched files take {_size(answer['used'])} in all; {_size(answer['left'])} more are"
        " allowed."
    )
    yield from notes_lines(answer["notes"])


def _discard_flags(parser: ArgumentParser) -> None:
    parser.add_argument("keys", nargs="*", metavar="KEY", help="only these adapters")
    parser.add_argument(
        "--days",
        type=int,
        default=30,
        metavar="NUMBER",
        help="only files that no plan has picked for this many days (default: 30)",
    )
    parser.add_argument("--dry-run", action="store_true", help="only list what would be deleted")


def discard_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    for one in answer["discarded"]:
        yield f"{one['path']}: {_size(one['size'])}"
    for one in answer["kept"]:
        yield f"{one['path']} stays: {one['why_not']}"
    count, size = len(answer["discarded"]), _size(sum(one["size"] for one in answer["discarded"]))
    yield (
        f"{count:,} {'file' if count == 1 else 'files'}, {size}. Their side files stay."
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
