"""`bench`: how well Stylus selects on real prompts, how it splits them into tasks, and how fast it is."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stylus_ext.cli_session import Line
from stylus_ext.core.errors import InvalidInput
from stylus_ext.environment import child


def add(commands: Any) -> None:
    parser = commands.add_parser("bench", help="measure selection, tasks and speed")
    benches = parser.add_subparsers(required=True, metavar="WHAT")
    for add_one in (_add_selection, _add_tasks, _add_speed):
        bench = add_one(benches)
        bench.add_argument("--json", action="store_true", help="print JSON and nothing else on standard output")
        bench.set_defaults(verbose=False, data_dir=None)


def _add_selection(benches: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = benches.add_parser("selection", help="rank and select for prompts whose adapters are known")
    parser.add_argument("--catalogue", type=Path, required=True, metavar="FILE")
    parser.add_argument("--queries", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the ranking goes, a JSON object a line")
    parser.add_argument("--policy", default="hybrid", help="how candidates are found")

    def run(arguments: argparse.Namespace) -> int:
        from stylus_ext.evaluation import selection

        _exist([arguments.catalogue, *arguments.queries])
        line = Line()
        report = selection.run_selection(arguments.catalogue, arguments.queries, arguments.out, line, policy=arguments.policy)
        line.clear()
        return _print(arguments, report, selection.lines(report))

    parser.set_defaults(run=run)
    return parser


def _add_tasks(benches: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = benches.add_parser("tasks", help="split captions whose tasks are known")
    parser.add_argument("--tasks", type=Path, required=True, metavar="FILE")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where our tasks go, a JSON object a line")

    def run(arguments: argparse.Namespace) -> int:
        from stylus_ext.evaluation import tasks

        _exist([arguments.tasks])
        report = tasks.run_tasks(arguments.tasks, arguments.out)
        return _print(arguments, report, tasks.lines(report))

    parser.set_defaults(run=run)
    return parser


def _add_speed(benches: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = benches.add_parser("speed", help="plan over an invented catalogue of a given size")
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--real", type=int, default=10_000, help="how many of the vectors are made from real text")
    parser.add_argument("--plans", type=int, default=100, help="how many prompts are planned")

    def run(arguments: argparse.Namespace) -> int:
        from stylus_ext.evaluation import speed

        if min(arguments.entries, arguments.real, arguments.plans) < 10:  # noqa: PLR2004 - fewer measure nothing
            raise InvalidInput("At least 10 entries, 10 real embeddings and 10 plans are needed to measure anything.")
        line = Line()
        with tempfile.TemporaryDirectory(prefix="stylus-bench-", ignore_cleanup_errors=True) as folder:
            found = speed.measure(Path(folder), arguments.entries, arguments.real, arguments.plans, child.command, line)
        line.clear()
        return _print(arguments, found, speed.lines(found))

    parser.set_defaults(run=run)
    return parser


def _exist(files: Iterable[Path]) -> None:
    for file in files:
        if not file.is_file():
            raise InvalidInput(f"There is no file {file}.")


def _print(arguments: argparse.Namespace, report: dict[str, Any], lines: Iterable[str]) -> int:
    sys.stdout.write((json.dumps(report) if arguments.json else "\n".join(lines)) + "\n")
    return 0
