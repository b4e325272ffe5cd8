"""The benches of quality: how well Stylus selects on real prompts, how it splits them, and what its
learned parts are worth.

Files of prompts whose adapters or tasks are known go in; a report comes out, for programs and as
lines for people.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from stylus_ext.cli.session import ProgressLine
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.settings import POLICIES

Measured = tuple[Mapping[str, Any], Iterable[str]]
"""A report for programs, and the same as lines for people."""

Bench = tuple[
    str,
    str,
    Callable[[argparse.ArgumentParser], None],
    Callable[[argparse.Namespace, ProgressLine], Measured],
]


def _selection_flags(parser: argparse.ArgumentParser) -> None:
    _asked_over(parser)
    _file(parser, "--out", "where the ranking goes, a JSON object a line")
    parser.add_argument(
        "--policy",
        choices=POLICIES,
        default="hybrid",
        help="how candidates are found (default: hybrid)",
    )


def _selection(arguments: argparse.Namespace, line: ProgressLine) -> Measured:
    _check([arguments.catalogue, *arguments.queries], arguments.out)
    from stylus_ext.evaluation import selection

    report = selection.run_selection(
        arguments.catalogue, arguments.queries, arguments.out, line, policy=arguments.policy
    )
    return report, selection.lines(report)


def _ranker_flags(parser: argparse.ArgumentParser) -> None:
    _asked_over(parser)
    _file(parser, "--out", "where the weights go; those in use are stylus_ext/data/ranker.json")
    parser.add_argument(
        "--ranking",
        type=Path,
        metavar="FILE",
        help="where the ranking out of fold goes, a JSON object a line",
    )


def _ranker(arguments: argparse.Namespace, line: ProgressLine) -> Measured:
    _check([arguments.catalogue, *arguments.queries], arguments.out)
    if arguments.ranking is not None:
        _check([], arguments.ranking)
    from stylus_ext.evaluation import out_of_fold, selection

    report = out_of_fold.run_training(
        arguments.catalogue, arguments.queries, arguments.out, line, arguments.ranking
    )
    return report, selection.lines(report)


def _distractors_flags(parser: argparse.ArgumentParser) -> None:
    _asked_over(parser)
    parser.add_argument(
        "--every",
        type=int,
        default=1,
        metavar="NUMBER",
        help="ask only every second or third prompt (default: 1, all)",
    )


def _distractors(arguments: argparse.Namespace, line: ProgressLine) -> Measured:
    _check([arguments.catalogue, *arguments.queries])
    if arguments.every < 1:
        raise InvalidInput("--every is 1 for all prompts, 2 for every second, and so on.")
    from stylus_ext.evaluation import distractors

    report = distractors.run_distractors(
        arguments.catalogue, arguments.queries, line, arguments.every
    )
    return report, distractors.lines(report)


def _tasks_flags(parser: argparse.ArgumentParser) -> None:
    _file(parser, "--tasks", "captions with their tasks, a JSON object a line")
    _file(parser, "--out", "where our tasks go, a JSON object a line")


def _tasks(arguments: argparse.Namespace, line: ProgressLine) -> Measured:  # noqa: ARG001
    _check([arguments.tasks], arguments.out)
    from stylus_ext.evaluation import tasks
    from stylus_ext.selection.ranker import cutter

    report = tasks.run_tasks(arguments.tasks, arguments.out, cutter())
    return report, tasks.lines(report)


def _cutter_flags(parser: argparse.ArgumentParser) -> None:
    _file(parser, "--tasks", "captions with their tasks, a JSON object a line")
    _file(parser, "--out", "where the weights go; those in use are stylus_ext/data/cutter.json")


def _cutter(arguments: argparse.Namespace, line: ProgressLine) -> Measured:
    _check([arguments.tasks], arguments.out)
    from stylus_ext.evaluation import captions, tasks

    report = captions.run_cutter(arguments.tasks, arguments.out, line)
    return report, tasks.lines(report)


def _asked_over(parser: argparse.ArgumentParser) -> None:
    _file(parser, "--catalogue", "the adapters, a JSON object a line")
    parser.add_argument(
        "--queries",
        type=Path,
        nargs="+",
        required=True,
        metavar="FILE",
        help="prompts with the adapters that belong to them",
    )


def _file(parser: argparse.ArgumentParser, flag: str, about: str) -> None:
    parser.add_argument(flag, type=Path, required=True, metavar="FILE", help=about)


def _check(read: Iterable[Path], written: Path | None = None) -> None:
    for file in read:
        if not file.is_file():
            raise InvalidInput(f"There is no file {file}.")
    if written is not None and (written.is_dir() or not written.absolute().parent.is_dir()):
        raise InvalidInput(
            f"{written} cannot be written: it is a folder, or its folder does not exist."
        )


QUALITY: tuple[Bench, ...] = (
    (
        "selection",
        "rank and select for prompts whose adapters are known",
        _selection_flags,
        _selection,
    ),
    (
        "ranker",
        "train the ranker, and show what it is worth for adapters that it has not seen",
        _ranker_flags,
        _ranker,
    ),
    (
        "distractors",
        "see what ten times as many adapters do to a threshold",
        _distractors_flags,
        _distractors,
    ),
    ("tasks", "split captions whose tasks are known", _tasks_flags, _tasks),
    (
        "cutter",
        (
            "train what cuts captions into tasks, and show what it is worth for captions that it"
            " has not seen"
        ),
        _cutter_flags,
        _cutter,
    ),
)
