"""`bench`: measure selection, speed, and the cost to the WebUI."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylus_ext.cli.flags import Help, add_flags, add_number, name_choices
from stylus_ext.cli.session import ProgressLine
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.settings import POLICIES
from stylus_ext.environment import run_in_env

_FEWEST = 10

Report = tuple[Mapping[str, Any], Iterable[str]]
"""A report as JSON, and as lines of text."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark: its name and help, its flags, and the function that runs it."""

    name: str
    help: str
    flags: Callable[[argparse.ArgumentParser], None]
    measure: Callable[[argparse.Namespace, ProgressLine], Report]


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
            _check_number(flag, number)
        module = importlib.import_module(f"stylus_ext.evaluation.{name}")
        with _scratch() as folder:
            found = module.measure(
                Path(folder), *numbers, *([command] if command is not None else []), line
            )
        return found, module.lines(found)

    return Benchmark(name, about, add_flags, measure)


def _composer_flags(parser: argparse.ArgumentParser) -> None:
    _file(
        parser,
        "--catalogue",
        "the adapters, one JSON object per line (default: the starter catalogue)",
        required=False,
    )
    add_number(parser, "--compositions", "how many are measured", 60)


def _composer(arguments: argparse.Namespace, line: ProgressLine) -> Report:
    _check_number("--compositions", arguments.compositions)
    if arguments.catalogue is not None:
        _check([arguments.catalogue])
    from stylus_ext.evaluation import llm

    with _scratch() as folder:
        found = llm.measure_composer(
            Path(folder) / "composer", arguments.catalogue, line, arguments.compositions
        )
        found |= llm.measure_refiner(Path(folder) / "refiner", line)
    return found, llm.lines(found)


def _host_flags(parser: argparse.ArgumentParser) -> None:
    add_number(parser, "--plans", "number of planned pictures", 50)
    add_flags(parser, trace="list the files that one warm generation touches, and time nothing")


def _host(arguments: argparse.Namespace, line: ProgressLine) -> Report:
    _check_number("--plans", arguments.plans)
    from stylus_ext.evaluation import host

    with _scratch() as folder:
        if arguments.trace:
            files = host.trace_files(Path(folder), run_in_env.main_command, line)
            return files, host.trace_lines(files)
        found = host.measure(Path(folder), arguments.plans, run_in_env.main_command, line)
    return found, host.lines(found)


def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="stylus-bench-", ignore_cleanup_errors=True)


def _selection_flags(parser: argparse.ArgumentParser) -> None:
    _query_flags(parser)
    _file(parser, "--out", "the ranking to write, one JSON object per line")
    parser.add_argument(
        "--policy",
        choices=POLICIES,
        default="hybrid",
        help="how candidates are found (default: hybrid)",
    )


def _selection(arguments: argparse.Namespace, line: ProgressLine) -> Report:
    _check([arguments.catalogue, *arguments.queries], arguments.out)
    from stylus_ext.evaluation import selection

    report = selection.run_selection(
        arguments.catalogue, arguments.queries, arguments.out, line, policy=arguments.policy
    )
    return report, selection.lines(report)


def _ranker_flags(parser: argparse.ArgumentParser) -> None:
    _query_flags(parser)
    _file(parser, "--out", "the weights to write; those in use are stylus_ext/data/ranker.json")
    _file(
        parser,
        "--ranking",
        "the out-of-fold ranking to write, one JSON object per line",
        required=False,
    )


def _ranker(arguments: argparse.Namespace, line: ProgressLine) -> Report:
    _check([arguments.catalogue, *arguments.queries], arguments.out)
    if arguments.ranking is not None:
        _check([], arguments.ranking)
    from stylus_ext.evaluation import out_of_fold, selection

    report = out_of_fold.run_training(
        arguments.catalogue, arguments.queries, arguments.out, line, arguments.ranking
    )
    return report, selection.lines(report)


def _distractors_flags(parser: argparse.ArgumentParser) -> None:
    _query_flags(parser)
    add_number(parser, "--every", "use every n-th prompt; 1 uses all", 1)


def _distractors(arguments: argparse.Namespace, line: ProgressLine) -> Report:
    _check([arguments.catalogue, *arguments.queries])
    if arguments.every < 1:
        raise InvalidInput("--every is 1 for all prompts, 2 for every second, and so on.")
    from stylus_ext.evaluation import distractors

    report = distractors.run_distractors(
        arguments.catalogue, arguments.queries, line, arguments.every
    )
    return report, distractors.lines(report)


def _tasks_flags(parser: argparse.ArgumentParser) -> None:
    _file(parser, "--tasks", "captions with their tasks, one JSON object per line")
    _file(parser, "--out", "the found tasks to write, one JSON object per line")


def _tasks(arguments: argparse.Namespace, line: ProgressLine) -> Report:  # noqa: ARG001
    _check([arguments.tasks], arguments.out)
    from stylus_ext.evaluation import tasks
    from stylus_ext.selection.retrieve.query import caption_segmenter

    report = tasks.run_tasks(arguments.tasks, arguments.out, caption_segmenter())
    return report, tasks.lines(report)


def _segmenter_flags(parser: argparse.ArgumentParser) -> None:
    _file(parser, "--tasks", "captions with their tasks, one JSON object per line")
    _file(
        parser,
        "--out",
        "the weights to write; those in use are stylus_ext/data/caption_segmenter.json",
    )


def _segmenter(arguments: argparse.Namespace, line: ProgressLine) -> Report:
    _check([arguments.tasks], arguments.out)
    from stylus_ext.evaluation import captions, tasks

    report = captions.run_segmenter(arguments.tasks, arguments.out, line)
    return report, tasks.lines(report)


def _query_flags(parser: argparse.ArgumentParser) -> None:
    _file(parser, "--catalogue", "the adapters, one JSON object per line")
    parser.add_argument(
        "--queries",
        type=Path,
        nargs="+",
        required=True,
        metavar="FILE",
        help="prompts with their right adapters",
    )


def _file(parser: argparse.ArgumentParser, flag: str, about: str, *, required: bool = True) -> None:
    parser.add_argument(flag, type=Path, required=required, metavar="FILE", help=about)


def _check_number(flag: str, number: int) -> None:
    if number < _FEWEST:
        raise InvalidInput(f"{flag} must be at least {_FEWEST} to measure anything.")


def _check(read: Iterable[Path], written: Path | None = None) -> None:
    for file in read:
        if not file.is_file():
            raise InvalidInput(f"There is no file {file}.")
    if written is not None and (written.is_dir() or not written.absolute().parent.is_dir()):
        raise InvalidInput(
            f"{written} cannot be written: it is a folder, or its folder does not exist."
        )


BENCHMARKS = (
    Benchmark(
        "selection", "rank and select for prompts with known adapters", _selection_flags, _selection
    ),
    Benchmark(
        "ranker",
        "train the ranker, and score it on adapters it has not seen",
        _ranker_flags,
        _ranker,
    ),
    Benchmark(
        "distractors",
        "measure a threshold while the catalogue grows tenfold",
        _distractors_flags,
        _distractors,
    ),
    Benchmark("tasks", "split captions with known tasks", _tasks_flags, _tasks),
    Benchmark(
        "segmenter",
        "train the caption segmenter, and score it on captions it has not seen",
        _segmenter_flags,
        _segmenter,
    ),
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
        "time compositions without the language model's own time, and count their tokens",
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
