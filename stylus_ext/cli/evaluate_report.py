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
from stylus_ext.evaluation.pictures.manifest import PictureFolder
from stylus_ext.evaluation.pictures.markdown import markdown
from stylus_ext.evaluation.pictures.metrics.available import MetricSources, all_metrics
from stylus_ext.evaluation.pictures.metrics.clip import PAPER_MODEL, PICK_MODEL
from stylus_ext.evaluation.pictures.page import html_page
from stylus_ext.evaluation.pictures.report import complete_sets, make_report
from stylus_ext.evaluation.pictures.tables import lines


def add(commands: Any) -> None:
    command = commands.add_parser(
        "report",
        usage="python install.py evaluate report --out DIR [--FLAG ...]",
        help="compare the pictures that are there",
        formatter_class=Help,
        allow_abbrev=False,
        description=(
            "Compares the pictures of a folder and writes its report.json, report.md and"
            " report.html."
        ),
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
    for flag, model, metavar, text in (
        ("--clip-model", PAPER_MODEL, "MODEL", "CLIP model for CLIPScore and CMMD"),
        ("--pick-model", PICK_MODEL, "MODEL", "model of PickScore"),
    ):
        command.add_argument(
            flag,
            default=default or model,
            metavar=metavar,
            help=f"{text}, on this machine (default: {model})",
        )
    for flag, metavar, text in (
        ("--inception", "FILE", "weights of Inception for FID, KID and dFID"),
        ("--reference-pictures", "DIR", "real pictures for FID, KID and CMMD"),
    ):
        command.add_argument(flag, type=Path, default=default, metavar=metavar, help=text)


def _sources(arguments: Namespace) -> MetricSources:
    return MetricSources(
        arguments.clip_model,
        arguments.pick_model,
        arguments.inception,
        arguments.reference_pictures,
    )


def out_folder(arguments: Namespace) -> PictureFolder:
    if arguments.out is None:
        raise InvalidInput("Name a folder for the pictures with --out.")
    return PictureFolder(arguments.out)


def write_report(arguments: Namespace, line: ProgressLine) -> int:
    """Write report.json, report.md and report.html, and print the tables."""
    folder = out_folder(arguments)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            report = make_report(folder, all_metrics(_sources(arguments)), line)
            page = html_page(report, complete_sets(folder, folder.settings))
    finally:
        line.clear()
    write_file(arguments.out / "report.json", json.dumps(report, indent=1))
    write_file(arguments.out / "report.md", markdown(report))
    write_file(arguments.out / "report.html", page)
    if arguments.json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        sys.stdout.write("\n".join([*lines(report), "", f"{arguments.out / 'report.html'}"]) + "\n")
    return 0
