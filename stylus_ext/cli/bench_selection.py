"""`bench`: the benchmarks of selection over a catalogue and prompts with known adapters."""

from __future__ import annotations

import argparse

from stylus_ext.cli.bench_parts import (
    Benchmark,
    Report,
    check_files,
    check_number,
    file_flag,
    query_flags,
)
from stylus_ext.cli.flags import add_flags, add_number
from stylus_ext.cli.session import ProgressLine
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.settings import POLICIES

_REFINERS = ("rules", "none")
"""Those that need no more than a card; `evaluate` has arms for the others."""


def _selection_flags(parser: argparse.ArgumentParser) -> None:
    query_flags(parser)
    file_flag(parser, "--out", "the ranking to write, one JSON object per line")
    file_flag(parser, "--picks", "the picks by name to write, for `bench composer`", required=False)
    parser.add_argument(
        "--policy",
        choices=POLICIES,
        default="hybrid",
        help="how candidates are found (default: hybrid)",
    )
    parser.add_argument(
        "--refiner",
        choices=_REFINERS,
        default="rules",
        help="what describes the cards; none leaves their names alone (default: rules)",
    )
    file_flag(
        parser,
        "--descriptions",
        "descriptions by another refiner, one JSON object with id and text per line",
        required=False,
    )


def _selection(arguments: argparse.Namespace, line: ProgressLine) -> Report:
    check_files([arguments.catalogue, *arguments.queries], arguments.out)
    check_files([arguments.descriptions] if arguments.descriptions else [], arguments.picks)
    from stylus_ext.evaluation import selection

    report = selection.run_selection(
        arguments.catalogue,
        arguments.queries,
        arguments.out,
        line,
        selection.SelectionWay(arguments.policy, arguments.refiner, arguments.descriptions),
        arguments.picks,
    )
    return report, selection.lines(report)


def _ranker_flags(parser: argparse.ArgumentParser) -> None:
    query_flags(parser)
    file_flag(
        parser,
        "--out",
        "the weights to write; those in use are stylus_ext/data/ranker.json",
        required=False,
    )
    file_flag(
        parser,
        "--ranking",
        "the out-of-fold ranking to write, one JSON object per line",
        required=False,
    )
    add_flags(
        parser,
        leave_out_kind="measure each kind of prompt with a ranker trained on the other kinds, and"
        " write nothing",
    )
    add_number(parser, "--prompts", "with --leave-out-kind: size of the sample, spread over kinds")


def _ranker(arguments: argparse.Namespace, line: ProgressLine) -> Report:
    check_files([arguments.catalogue, *arguments.queries], arguments.out)
    if arguments.leave_out_kind:
        from stylus_ext.evaluation import leave_out_kind

        report = leave_out_kind.run_left_out(
            arguments.catalogue, arguments.queries, line, arguments.prompts
        )
        return report, leave_out_kind.lines(report)
    if arguments.out is None:
        raise InvalidInput("Name the weights to write with --out, or use --leave-out-kind.")
    if arguments.ranking is not None:
        check_files([], arguments.ranking)
    from stylus_ext.evaluation import out_of_fold, selection

    report = out_of_fold.run_training(
        arguments.catalogue, arguments.queries, arguments.out, line, arguments.ranking
    )
    return report, selection.lines(report)


def _robustness_flags(parser: argparse.ArgumentParser) -> None:
    query_flags(parser)
    add_number(parser, "--prompts", "size of the sample, spread over the kinds of prompts", 150)
    add_flags(parser, all="use all prompts")
    file_flag(
        parser,
        "--out",
        "the prompts whose picks change, to write, one JSON object per line",
        required=False,
    )


def _robustness(arguments: argparse.Namespace, line: ProgressLine) -> Report:
    check_files([arguments.catalogue, *arguments.queries], arguments.out)
    from stylus_ext.evaluation import robustness

    number = None if arguments.all else arguments.prompts
    report = robustness.run_robustness(
        arguments.catalogue, arguments.queries, line, number, arguments.out
    )
    return report, robustness.lines(report)


def _small_flags(parser: argparse.ArgumentParser) -> None:
    query_flags(parser)
    add_number(parser, "--prompts", "least number of prompts for each size of library", 120)


def _small(arguments: argparse.Namespace, line: ProgressLine) -> Report:
    check_files([arguments.catalogue, *arguments.queries])
    check_number("--prompts", arguments.prompts)
    from stylus_ext.evaluation import small

    report = small.run_small(arguments.catalogue, arguments.queries, line, arguments.prompts)
    return report, small.lines(report)


def _harm_flags(parser: argparse.ArgumentParser) -> None:
    file_flag(parser, "--catalogue", "the adapters, one JSON object per line")
    file_flag(parser, "--out", "the picks to write, one JSON object per line")
    add_number(parser, "--prompts", "number of everyday words", 300)


def _harm(arguments: argparse.Namespace, line: ProgressLine) -> Report:
    check_files([arguments.catalogue], arguments.out)
    from stylus_ext.evaluation import harm

    report = harm.run_harm(arguments.catalogue, arguments.out, line, arguments.prompts)
    return report, harm.lines(report)


def _distractors_flags(parser: argparse.ArgumentParser) -> None:
    query_flags(parser)
    add_number(parser, "--every", "use every n-th prompt; 1 uses all", 1)


def _distractors(arguments: argparse.Namespace, line: ProgressLine) -> Report:
    check_files([arguments.catalogue, *arguments.queries])
    if arguments.every < 1:
        raise InvalidInput("--every is 1 for all prompts, 2 for every second, and so on.")
    from stylus_ext.evaluation import distractors

    report = distractors.run_distractors(
        arguments.catalogue, arguments.queries, line, arguments.every
    )
    return report, distractors.lines(report)


def _tasks_flags(parser: argparse.ArgumentParser) -> None:
    file_flag(parser, "--tasks", "captions with their tasks, one JSON object per line")
    file_flag(parser, "--out", "the found tasks to write, one JSON object per line")


def _tasks(arguments: argparse.Namespace, line: ProgressLine) -> Report:  # noqa: ARG001
    check_files([arguments.tasks], arguments.out)
    from stylus_ext.evaluation import tasks
    from stylus_ext.selection.retrieve.query import caption_segmenter

    report = tasks.run_tasks(arguments.tasks, arguments.out, caption_segmenter())
    return report, tasks.lines(report)


def _segmenter_flags(parser: argparse.ArgumentParser) -> None:
    file_flag(parser, "--tasks", "captions with their tasks, one JSON object per line")
    file_flag(
        parser,
        "--out",
        "the weights to write; those in use are stylus_ext/data/caption_segmenter.json",
    )


def _segmenter(arguments: argparse.Namespace, line: ProgressLine) -> Report:
    check_files([arguments.tasks], arguments.out)
    from stylus_ext.evaluation import captions, tasks

    report = captions.run_segmenter(arguments.tasks, arguments.out, line)
    return report, tasks.lines(report)


SELECTION_BENCHMARKS = (
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
        "robustness",
        "compare the picks for a prompt with those for the same prompt written differently",
        _robustness_flags,
        _robustness,
    ),
    Benchmark(
        "small", "select from small libraries drawn from the catalogue", _small_flags, _small
    ),
    Benchmark(
        "harm",
        "list the picks for prompts with everyday words that are names or triggers",
        _harm_flags,
        _harm,
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
)
