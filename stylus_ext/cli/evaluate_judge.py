"""`evaluate judge`: have people judge pairs of pictures."""

from __future__ import annotations

import argparse
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stylus_ext.cli.evaluate_report import out_folder
from stylus_ext.cli.flags import Help
from stylus_ext.core.counted import counted
from stylus_ext.core.errors import InvalidInput
from stylus_ext.environment.files import hold
from stylus_ext.evaluation.pictures.judging.pairs import different, picture_pairs
from stylus_ext.evaluation.pictures.judging.verdicts import HUMAN_FILE, VerdictFile
from stylus_ext.evaluation.pictures.report import complete_set

_REPEATED = 0.1
_LOCK = "judge"


def add(commands: Any, add_common: Callable[[ArgumentParser], None]) -> None:
    command = commands.add_parser(
        "judge",
        usage="python install.py evaluate judge --out DIR [--FLAG ...]",
        help="have people compare pairs of pictures",
        formatter_class=Help,
        allow_abbrev=False,
        description=(
            "Serves a page on this machine on which people choose the better of two pictures,"
            " without\nknowing the arms. Every verdict is on disk at once; run it again to go on."
        ),
    )
    command.add_argument(
        "--out", type=Path, default=argparse.SUPPRESS, metavar="DIR", help="folder of the pictures"
    )
    people = command.add_argument_group("people")
    people.add_argument(
        "--port", type=int, default=0, help="the port of the page (default: a free one)"
    )
    people.add_argument(
        "--repeated",
        type=float,
        default=_REPEATED,
        metavar="SHARE",
        help=f"share of pairs shown again with swapped sides (default: {_REPEATED:g})",
    )
    add_common(command)
    command.set_defaults(run=_serve)


def _serve(arguments: Namespace) -> int:
    from stylus_ext.engine.serve import listening
    from stylus_ext.evaluation.pictures.judging.server import JudgingPage, serve_page

    if not 0 <= arguments.repeated <= 1:
        raise InvalidInput("--repeated is a share from 0 to 1.")
    folder = out_folder(arguments)
    every = picture_pairs(complete_set(folder, folder.read_settings()))
    pairs = different(every)
    if not pairs:
        raise InvalidInput("The pictures of all arms are the same, so there is nothing to judge.")

    def ready(url: str) -> None:
        same = len(every) - len(pairs)
        left_out = f" {same:,} more have the same picture in both arms." if same else ""
        sys.stdout.write(
            f"{counted(len(pairs), 'pair')} to judge.{left_out}\nOpen {url} in a browser. Ctrl+C"
            " ends; verdicts are kept.\n"
        )
        sys.stdout.flush()

    with hold(folder.folder, _LOCK, "evaluate judge"), listening(arguments.port) as listener:
        file = VerdictFile(folder.folder / HUMAN_FILE)
        page = JudgingPage(folder.folder, pairs, file, arguments.repeated)
        try:
            serve_page(page, listener, ready)
        except KeyboardInterrupt:
            sys.stdout.write("Stopped. See the result with `evaluate report`.\n")
    return 0
