"""`bench`: measure selection, speed, and the cost to the WebUI."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stylus_ext.cli.bench_parts import (
    Benchmark,
    Report,
    check_files,
    check_number,
    file_flag,
    scratch_folder,
)
from stylus_ext.cli.bench_selection import SELECTION_BENCHMARKS
from stylus_ext.cli.flags import Help, add_flags, add_number, name_choices
from stylus_ext.cli.session import ProgressLine
from stylus_ext.core.errors import InvalidInput
from stylus_ext.environment import run_in_env


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "bench",
        usage="python install.py bench WHAT [--FLAG ...]",
        help="measure selection, tasks and speed",
        formatter_class=Help,
        allow_abbrev=False,
    )
    names = parser.add_subparsers(required=True, metavar="WHAT", prog="python install.py bench")
    for benchmark in BENCHMARKS:
        bench = names.add_parser(
            benchmark.name,
            help=benchmark.help,
            description=f"{benchmark.help[0].upper()}{benchmark.help[1:]}.",
            formatter_class=Help,
            allow_abbrev=False,
        )
        add_flags(
            bench,
            json="print JSON and nothing else on standard output",
            verbose="log every step to standard error",
        )
        benchmark.flags(bench)
        bench.set_defaults(run=_runner(benchmark))
    name_choices(names)


def _runner(benchmark: Benchmark) -> Callable[[argparse.Namespace], int]:
    """Return the command; what libraries print meanwhile goes to standard error."""

    def run(arguments: argparse.Namespace) -> int:
        line = ProgressLine()
        try:
            with contextlib.redirect_stdout(sys.stderr):
                report, lines = benchmark.measure(arguments, line)
        finally:
            line.clear()
        sys.stdout.write((json.dumps(report) if arguments.json else "\n".join(lines)) + "\n")
        return 0

    return run


def _timed(
    name: str, about: str, *flags: tuple[str, int, str], command: object = None
) -> Benchmark:
    """Return a benchmark of `evaluation.NAME.measure`, whose flags are numbers of at least 10."""

    def add_flags(parser: argparse.ArgumentParser) -> None:
        for flag, default, help_text in flags:
            add_number(parser, flag, help_text, default)

    def measure(arguments: argparse.Namespace, line: ProgressLine) -> Report:
        names = [flag[2:].replace("-", "_") for flag, _, _ in flags]
        numbers = [getattr(arguments, field) for field in names]
        for (flag, _, _), number in zip(flags, numbers, strict=True):
            check_number(flag, number)
        module = importlib.import_module(f"stylus_ext.evaluation.{name}")
        with scratch_folder() as folder:
            found = module.measure(
                Path(folder), *numbers, *([command] if command is not None else []), line
            )
        return found, module.lines(found)

    return Benchmark(name, about, add_flags, measure)


def _composer_flags(parser: argparse.ArgumentParser) -> None:
    file_flag(
        parser,
        "--catalogue",
        "the adapters, one JSON object per line (default: the starter catalogue)",
        required=False,
    )
    add_number(parser, "--compositions", "how many are measured", 60)
    group = parser.add_argument_group("comparing two files of picks, instead of measuring")
    for flag, about in {
        "--picks": "our picks, as `bench selection --picks` writes them",
        "--against": "other picks for the same prompts",
        "--sheet": "the sheet to write (CSV); the sides are in a random order",
        "--verdicts": "the sheet filled in: left, right or tie",
    }.items():
        group.add_argument(flag, type=Path, metavar="FILE", help=about)
    group.add_argument(
        "--seed", type=int, default=0, metavar="NUMBER", help="order of the sides (default: 0)"
    )


def _compare(arguments: argparse.Namespace) -> Report:
    if arguments.picks is None or (arguments.sheet is None and arguments.verdicts is None):
        raise InvalidInput("--against needs --picks, and --sheet or --verdicts.")
    read = [arguments.picks, arguments.against, arguments.verdicts]
    check_files([file for file in read if file is not None], arguments.sheet)
    from stylus_ext.evaluation import head_to_head

    report = head_to_head.compare_picks(
        arguments.picks, arguments.against, arguments.sheet, arguments.verdicts, arguments.seed
    )
    return report, head_to_head.lines(report)


def _composer(arguments: argparse.Namespace, line: ProgressLine) -> Report:
    if arguments.against is not None:
        return _compare(arguments)
    check_number("--compositions", arguments.compositions)
    if arguments.catalogue is not None:
        check_files([arguments.catalogue])
    from stylus_ext.evaluation import llm

    with scratch_folder() as folder:
        found = llm.measure_composer(
            Path(folder) / "composer", arguments.catalogue, line, arguments.compositions
        )
        found |= llm.measure_refiner(Path(folder) / "refiner", line)
    return found, llm.lines(found)


def _host_flags(parser: argparse.ArgumentParser) -> None:
    add_number(parser, "--plans", "number of planned pictures", 50)
    add_flags(parser, trace="list the files that one warm generation touches, and time nothing")


def _host(arguments: argparse.Namespace, line: ProgressLine) -> Report:
    check_number("--plans", arguments.plans)
    from stylus_ext.evaluation import host

    with scratch_folder() as folder:
        if arguments.trace:
            files = host.trace_files(Path(folder), run_in_env.main_command, line)
            return files, host.trace_lines(files)
        found = host.measure(Path(folder), arguments.plans, run_in_env.main_command, line)
    return found, host.lines(found)


BENCHMARKS = (
    *SELECTION_BENCHMARKS,
    _timed(
        "speed",
        "plan over an invented catalogue of a given size",
        ("--entries", 100_000, "number of adapters"),
        ("--real", 10_000, "number of vectors made from text"),
        ("--plans", 100, "number of prompts"),
        command=run_in_env.command,
    ),
    _timed(
        "sync",
        "read a local catalogue, compared with encoding alone",
        ("--cards", 10_000, "number of cards"),
    ),
    _timed(
        "download",
        "download a local file, compared with curl and sha256sum",
        ("--size-mb", 1024, "size of the file in MB"),
        command=run_in_env.main_command,
    ),
    Benchmark("host", "time what Stylus costs the WebUI", _host_flags, _host),
    Benchmark(
        "composer",
        "time compositions without the language model's own time, or compare two files of picks",
        _composer_flags,
        _composer,
    ),
    _timed(
        "ui",
        "time the waits of a user of the Stylus tab",
        ("--entries", 100_000, "number of adapters"),
        ("--keys", 400, "number of typed keys"),
        command=run_in_env.main_command,
    ),
)
