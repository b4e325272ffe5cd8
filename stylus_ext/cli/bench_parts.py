"""`bench`: what the benchmarks of the command line share."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylus_ext.cli.session import ProgressLine
from stylus_ext.core.errors import InvalidInput

FEWEST = 10

Report = tuple[Mapping[str, Any], Iterable[str]]
"""A report as JSON, and as lines of text."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark: its name and help, its flags, and the function that runs it."""

    name: str
    help: str
    flags: Callable[[argparse.ArgumentParser], None]
    measure: Callable[[argparse.Namespace, ProgressLine], Report]


def query_flags(parser: argparse.ArgumentParser) -> None:
    file_flag(parser, "--catalogue", "the adapters, one JSON object per line")
    parser.add_argument(
        "--queries",
        type=Path,
        nargs="+",
        required=True,
        metavar="FILE",
        help="prompts with their right adapters",
    )


def file_flag(
    parser: argparse.ArgumentParser, flag: str, about: str, *, required: bool = True
) -> None:
    parser.add_argument(flag, type=Path, required=required, metavar="FILE", help=about)


def check_number(flag: str, number: int) -> None:
    if number < FEWEST:
        raise InvalidInput(f"{flag} must be at least {FEWEST} to measure anything.")


def check_files(read: Iterable[Path], written: Path | None = None) -> None:
    for file in read:
        if not file.is_file():
            raise InvalidInput(f"There is no file {file}.")
    if written is not None and (written.is_dir() or not written.absolute().parent.is_dir()):
        raise InvalidInput(
            f"{written} cannot be written: it is a folder, or its folder does not exist."
        )


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="stylus-bench-", ignore_cleanup_errors=True)
