"""`evaluate report`: compare the pictures that are there."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from stylus_ext.cli.flags import Help, add_flags
from stylus_ext.cli.session import ProgressLine
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.files import write_file
from stylus_ext.evaluation.pictures.clip_score import PAPER_MODEL
from stylus_ext.evaluation.pictures.manifest import PictureFolder
from stylus_ext.evaluation.pictures.metrics import all_metrics
from stylus_ext.evaluation.pictures.page import html_page
from stylus_ext.evaluation.pictures.report import complete_set, lines, make_report


def add(commands: Any) -> None:
    command = commands.add_parser(
        "report",
        usage="python install.py evaluate report --out DIR [--FLAG ...]",
        help="compare the pictures that are there",
        formatter_class=Help,
        allow_abbrev=False,
        description="Compares the pictures of a folder and writes its report.json and report.html.",
    )
    # Suppressed defaults keep what stands before the word `report`.
    command.add_argument(
        "--out",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="DIR",
        help="folder of the pictures and the report",
    )
    add_report_flags(command, default=argparse.SUPPRESS)
    add_flags(command, verbose="log every step to standard error")
    command.set_defaults(run=lambda arguments: write_report(arguments, ProgressLine()))


def add_report_flags(command: ArgumentParser, default: str | None = None) -> None:
    """The flags that `evaluate` and `evaluate report` share."""
    command.add_argument(
        "--json",
        action="store_true",
        default=default or False,
        help="print JSON and nothing else on standard output",
    )
    command.add_argument(
        "--clip-model",
        default=default or PAPER_MODEL,
        metavar="MODEL",
        help=f"CLIP model on this machine for CLIPScore (default: {PAPER_MODEL})",
    )


def out_folder(arguments: Namespace) -> PictureFolder:
    if arguments.out is None:
        raise InvalidInput("Name a folder for the pictures with --out.")
    return PictureFolder(arguments.out)


def write_report(arguments: Namespace, line: ProgressLine) -> int:
    """Write report.json and report.html, and print the tables."""
    folder = out_folder(arguments)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            report = make_report(folder, all_metrics(arguments.clip_model), line)
            page = html_page(report, complete_set(folder, folder.settings))
    finally:
        line.clear()
    write_file(arguments.out / "report.json", json.dumps(report, indent=1))
    write_file(arguments.out / "report.html", page)
    if arguments.json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        sys.stdout.write("\n".join([*lines(report), "", f"{arguments.out / 'report.html'}"]) + "\n")
    return 0
