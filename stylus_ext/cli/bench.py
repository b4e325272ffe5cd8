"""`bench`: the benches of quality, how fast Stylus is, and what it costs the WebUI."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stylus_ext.cli.flags import Help, name_them
from stylus_ext.cli.quality import QUALITY, Measured
from stylus_ext.cli.session import ProgressLine
from stylus_ext.core.errors import InvalidInput
from stylus_ext.environment import run_in_env

_FEWEST = 10


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "bench",
        usage="python install.py bench WHAT [--FLAG ...]",
        help="measure selection, tasks and speed",
        formatter_class=Help,
        allow_abbrev=False,
    )
    benches = parser.add_subparsers(required=True, metavar="WHAT", prog="python install.py bench")
    for name, text, flags, measure in (
        *QUALITY,
        ("speed", "plan over an invented catalogue of a given size", _speed_flags, _speed),
        (
            "sync",
            "read a catalogue on loopback into an empty one, beside the encoder alone",
            _sync_flags,
            _sync,
        ),
        (
            "download",
            "fetch a file from loopback, beside curl and sha256sum",
            _download_flags,
            _download,
        ),
        ("host", "time what Stylus costs the WebUI itself", _host_flags, _host),
        (
            "composer",
            (
                "time a composition by a language model beside the model's own time, and count its"
                " tokens"
            ),
            _composer_flags,
            _composer,
        ),
        ("ui", "time what somebody in front of the Stylus tab waits for", _ui_flags, _ui),
    ):
        bench = benches.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            formatter_class=Help,
            allow_abbrev=False,
        )
        bench.add_argument(
            "--json", action="store_true", help="print JSON and nothing else on standard output"
        )
        bench.add_argument(
            "--verbose", action="store_true", help="log every step to standard error"
        )
        flags(bench)
        bench.set_defaults(run=_runner(measure))
    name_them(benches)


def _runner(
    measure: Callable[[argparse.Namespace, ProgressLine], Measured],
) -> Callable[[argparse.Namespace], int]:
    """Whatever a library prints meanwhile goes to standard error."""

    def run(arguments: argparse.Namespace) -> int:
        line = ProgressLine()
        try:
            with contextlib.redirect_stdout(sys.stderr):
                report, lines = measure(arguments, line)
        finally:
            line.clear()
        sys.stdout.write((json.dumps(report) if arguments.json else "\n".join(lines)) + "\n")
        return 0

    return run


def _speed_flags(parser: argparse.ArgumentParser) -> None:
    _number(parser, "--entries", 100_000, "how many adapters")
    _number(parser, "--real", 10_000, "how many of the vectors are made from text")
    _number(parser, "--plans", 100, "how many prompts are planned")


def _speed(arguments: argparse.Namespace, line: ProgressLine) -> Measured:
    if min(arguments.entries, arguments.real, arguments.plans) < _FEWEST:
        raise InvalidInput(
            "At least 10 entries, 10 real embeddings and 10 plans are needed to measure anything."
        )
    from stylus_ext.evaluation import speed

    with _scratch() as folder:
        found = speed.measure(
            Path(folder),
            arguments.entries,
            arguments.real,
            arguments.plans,
            run_in_env.command,
            line,
        )
    return found, speed.lines(found)


def _sync_flags(parser: argparse.ArgumentParser) -> None:
    _number(parser, "--cards", 10_000, "how many cards")


def _sync(arguments: argparse.Namespace, line: ProgressLine) -> Measured:
    if arguments.cards < _FEWEST:
        raise InvalidInput("At least 10 cards are needed to measure anything.")
    from stylus_ext.evaluation import sync

    with _scratch() as folder:
        found = sync.measure(Path(folder), arguments.cards, run_in_env.main_command, line)
    return found, sync.lines(found)


def _download_flags(parser: argparse.ArgumentParser) -> None:
    _number(parser, "--size-mb", 1024, "how large the file is")


def _download(arguments: argparse.Namespace, line: ProgressLine) -> Measured:
    if arguments.size_mb < _FEWEST:
        raise InvalidInput("A file of at least 10 MB is needed to measure anything.")
    from stylus_ext.evaluation import download

    with _scratch() as folder:
        found = download.measure(Path(folder), arguments.size_mb, run_in_env.main_command, line)
    return found, download.lines(found)


def _host_flags(parser: argparse.ArgumentParser) -> None:
    _number(parser, "--plans", 50, "how many pictures are planned")
    parser.add_argument(
        "--trace",
        action="store_true",
        help="list the files that one warm generation touches, and time nothing",
    )


def _host(arguments: argparse.Namespace, line: ProgressLine) -> Measured:
    if arguments.plans < _FEWEST:
        raise InvalidInput("At least 10 plans are needed to measure anything.")
    from stylus_ext.evaluation import host

    if arguments.trace:
        with _scratch() as folder:
            files = host.trace_files(Path(folder), run_in_env.main_command, line)
        return files, host.trace_lines(files)
    with _scratch() as folder:
        found = host.measure(Path(folder), arguments.plans, run_in_env.main_command, line)
    return found, host.lines(found)


def _ui_flags(parser: argparse.ArgumentParser) -> None:
    _number(parser, "--entries", 100_000, "how many adapters")
    _number(parser, "--keys", 400, "how many keys are typed")


def _ui(arguments: argparse.Namespace, line: ProgressLine) -> Measured:
    if min(arguments.entries, arguments.keys) < _FEWEST:
        raise InvalidInput("At least 10 entries and 10 keys are needed to measure anything.")
    from stylus_ext.evaluation import ui

    with _scratch() as folder:
        found = ui.measure(
            Path(folder), arguments.entries, arguments.keys, run_in_env.main_command, line
        )
    return found, ui.lines(found)


def _composer_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--catalogue",
        type=Path,
        metavar="FILE",
        help="the adapters, a JSON object a line; else those of the starter catalogue",
    )
    _number(parser, "--compositions", 60, "how many are measured")


def _composer(arguments: argparse.Namespace, line: ProgressLine) -> Measured:
    if arguments.compositions < _FEWEST:
        raise InvalidInput("At least 10 compositions are needed to measure anything.")
    if arguments.catalogue is not None and not arguments.catalogue.is_file():
        raise InvalidInput(f"There is no file {arguments.catalogue}.")
    from stylus_ext.evaluation import llm

    with _scratch() as folder:
        found = llm.measure_composer(
            Path(folder) / "composer", arguments.catalogue, line, arguments.compositions
        )
        found |= llm.measure_refiner(Path(folder) / "refiner", line)
    return found, llm.lines(found)


def _number(parser: argparse.ArgumentParser, flag: str, default: int, about: str) -> None:
    parser.add_argument(
        flag, type=int, default=default, metavar="NUMBER", help=f"{about} (default: {default})"
    )


def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="stylus-bench-", ignore_cleanup_errors=True)
