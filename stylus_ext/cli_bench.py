"""`bench`: how well Stylus selects on real prompts, how it splits them into tasks, how fast it is,
and what it costs the WebUI."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from stylus_ext.cli_flags import Help, name_them
from stylus_ext.cli_session import Line
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.settings import POLICIES
from stylus_ext.environment import child

Measured = tuple[Mapping[str, Any], Iterable[str]]
"""A report for programs, and the same as lines for people."""

_FEWEST = 10


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "bench", usage="python install.py bench WHAT [--FLAG ...]", help="measure selection, tasks and speed", formatter_class=Help, allow_abbrev=False,
    )
    benches = parser.add_subparsers(required=True, metavar="WHAT", prog="python install.py bench")
    for name, text, flags, measure in (
        ("selection", "rank and select for prompts whose adapters are known", _selection_flags, _selection),
        ("ranker", "train the ranker, and show what it is worth for adapters that it has not seen", _ranker_flags, _ranker),
        ("distractors", "see what ten times as many adapters do to a threshold", _distractors_flags, _distractors),
        ("tasks", "split captions whose tasks are known", _tasks_flags, _tasks),
        ("cutter", "train what cuts captions into tasks, and show what it is worth for captions that it has not seen", _cutter_flags, _cutter),
        ("speed", "plan over an invented catalogue of a given size", _speed_flags, _speed),
        ("sync", "read a catalogue on loopback into an empty one, beside the encoder alone", _sync_flags, _sync),
        ("download", "fetch a file from loopback, beside curl and sha256sum", _download_flags, _download),
        ("host", "time what Stylus costs the WebUI itself", _host_flags, _host),
        ("composer", "time a composition by a language model beside the model's own time, and count its tokens", _composer_flags, _composer),
        ("ui", "time what somebody in front of the Stylus tab waits for", _ui_flags, _ui),
    ):
        bench = benches.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", formatter_class=Help, allow_abbrev=False)
        bench.add_argument("--json", action="store_true", help="print JSON and nothing else on standard output")
        bench.add_argument("--verbose", action="store_true", help="log every step to standard error")
        flags(bench)
        bench.set_defaults(run=_runner(measure))
    name_them(benches)


def _runner(measure: Callable[[argparse.Namespace, Line], Measured]) -> Callable[[argparse.Namespace], int]:
    """Whatever a library prints meanwhile goes to standard error."""

    def run(arguments: argparse.Namespace) -> int:
        line = Line()
        try:
            with contextlib.redirect_stdout(sys.stderr):
                report, lines = measure(arguments, line)
        finally:
            line.clear()
        sys.stdout.write((json.dumps(report) if arguments.json else "\n".join(lines)) + "\n")
        return 0

    return run


def _selection_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--catalogue", type=Path, required=True, metavar="FILE", help="the adapters, a JSON object a line")
    parser.add_argument("--queries", type=Path, nargs="+", required=True, metavar="FILE", help="prompts with the adapters that belong to them")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the ranking goes, a JSON object a line")
    parser.add_argument("--policy", choices=POLICIES, default="hybrid", help="how candidates are found (default: hybrid)")


def _selection(arguments: argparse.Namespace, line: Line) -> Measured:
    _check([arguments.catalogue, *arguments.queries], arguments.out)
    from stylus_ext.evaluation import selection

    report = selection.run_selection(arguments.catalogue, arguments.queries, arguments.out, line, policy=arguments.policy)
    return report, selection.lines(report)


def _ranker_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--catalogue", type=Path, required=True, metavar="FILE", help="the adapters, a JSON object a line")
    parser.add_argument("--queries", type=Path, nargs="+", required=True, metavar="FILE", help="prompts with the adapters that belong to them")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the weights go; those in use are stylus_ext/data/ranker.json")
    parser.add_argument("--ranking", type=Path, metavar="FILE", help="where the ranking out of fold goes, a JSON object a line")


def _ranker(arguments: argparse.Namespace, line: Line) -> Measured:
    _check([arguments.catalogue, *arguments.queries], arguments.out)
    if arguments.ranking is not None:
        _check([], arguments.ranking)
    from stylus_ext.evaluation import selection, training

    report = training.run_training(arguments.catalogue, arguments.queries, arguments.out, line, arguments.ranking)
    return report, selection.lines(report)


def _distractors_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--catalogue", type=Path, required=True, metavar="FILE", help="the adapters, a JSON object a line")
    parser.add_argument("--queries", type=Path, nargs="+", required=True, metavar="FILE", help="prompts with the adapters that belong to them")
    parser.add_argument("--every", type=int, default=1, metavar="NUMBER", help="ask only every second or third prompt (default: 1, all)")


def _distractors(arguments: argparse.Namespace, line: Line) -> Measured:
    _check([arguments.catalogue, *arguments.queries])
    if arguments.every < 1:
        raise InvalidInput("--every is 1 for all prompts, 2 for every second, and so on.")
    from stylus_ext.evaluation import distractors

    report = distractors.run_distractors(arguments.catalogue, arguments.queries, line, arguments.every)
    return report, distractors.lines(report)


def _tasks_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tasks", type=Path, required=True, metavar="FILE", help="captions with their tasks, a JSON object a line")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where our tasks go, a JSON object a line")


def _tasks(arguments: argparse.Namespace, line: Line) -> Measured:  # noqa: ARG001 - is quick
    _check([arguments.tasks], arguments.out)
    from stylus_ext.app.wiring_weights import caption_cutter
    from stylus_ext.evaluation import tasks

    report = tasks.run_tasks(arguments.tasks, arguments.out, caption_cutter())
    return report, tasks.lines(report)


def _cutter_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tasks", type=Path, required=True, metavar="FILE", help="captions with their tasks, a JSON object a line")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the weights go; those in use are stylus_ext/data/cutter.json")


def _cutter(arguments: argparse.Namespace, line: Line) -> Measured:
    _check([arguments.tasks], arguments.out)
    from stylus_ext.evaluation import cutter_bench, tasks

    report = cutter_bench.run_cutter(arguments.tasks, arguments.out, line)
    return report, tasks.lines(report)


def _speed_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--entries", type=int, default=100_000, metavar="NUMBER", help="how many adapters (default: 100000)")
    parser.add_argument("--real", type=int, default=10_000, metavar="NUMBER", help="how many of the vectors are made from text (default: 10000)")
    parser.add_argument("--plans", type=int, default=100, metavar="NUMBER", help="how many prompts are planned (default: 100)")


def _speed(arguments: argparse.Namespace, line: Line) -> Measured:
    if min(arguments.entries, arguments.real, arguments.plans) < _FEWEST:
        raise InvalidInput("At least 10 entries, 10 real embeddings and 10 plans are needed to measure anything.")
    from stylus_ext.evaluation import speed

    with tempfile.TemporaryDirectory(prefix="stylus-bench-", ignore_cleanup_errors=True) as folder:
        found = speed.measure(Path(folder), arguments.entries, arguments.real, arguments.plans, child.command, line)
    return found, speed.lines(found)


def _sync_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cards", type=int, default=10_000, metavar="NUMBER", help="how many cards (default: 10000)")


def _sync(arguments: argparse.Namespace, line: Line) -> Measured:
    if arguments.cards < _FEWEST:
        raise InvalidInput("At least 10 cards are needed to measure anything.")
    from stylus_ext.evaluation import bench_sync

    with tempfile.TemporaryDirectory(prefix="stylus-bench-", ignore_cleanup_errors=True) as folder:
        found = bench_sync.measure(Path(folder), arguments.cards, child.main_command, line)
    return found, bench_sync.lines(found)


def _download_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size-mb", type=int, default=1024, metavar="NUMBER", help="how large the file is (default: 1024)")


def _download(arguments: argparse.Namespace, line: Line) -> Measured:
    if arguments.size_mb < _FEWEST:
        raise InvalidInput("A file of at least 10 MB is needed to measure anything.")
    from stylus_ext.evaluation import bench_download

    with tempfile.TemporaryDirectory(prefix="stylus-bench-", ignore_cleanup_errors=True) as folder:
        found = bench_download.measure(Path(folder), arguments.size_mb, child.main_command, line)
    return found, bench_download.lines(found)


def _host_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plans", type=int, default=50, metavar="NUMBER", help="how many pictures are planned (default: 50)")


def _host(arguments: argparse.Namespace, line: Line) -> Measured:
    if arguments.plans < _FEWEST:
        raise InvalidInput("At least 10 plans are needed to measure anything.")
    from stylus_ext.evaluation import host_side

    with tempfile.TemporaryDirectory(prefix="stylus-bench-", ignore_cleanup_errors=True) as folder:
        found = host_side.measure(Path(folder), arguments.plans, child.main_command, line)
    return found, host_side.lines(found)


def _ui_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--entries", type=int, default=100_000, metavar="NUMBER", help="how many adapters (default: 100000)")
    parser.add_argument("--keys", type=int, default=400, metavar="NUMBER", help="how many keys are typed (default: 400)")


def _ui(arguments: argparse.Namespace, line: Line) -> Measured:
    if min(arguments.entries, arguments.keys) < _FEWEST:
        raise InvalidInput("At least 10 entries and 10 keys are needed to measure anything.")
    from stylus_ext.evaluation import ui_speed

    with tempfile.TemporaryDirectory(prefix="stylus-bench-", ignore_cleanup_errors=True) as folder:
        found = ui_speed.measure(Path(folder), arguments.entries, arguments.keys, child.main_command, line)
    return found, ui_speed.lines(found)


def _composer_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--catalogue", type=Path, metavar="FILE", help="the adapters, a JSON object a line; else those of the starter catalogue")
    parser.add_argument("--compositions", type=int, default=60, metavar="NUMBER", help="how many are measured (default: 60)")


def _composer(arguments: argparse.Namespace, line: Line) -> Measured:
    if arguments.compositions < _FEWEST:
        raise InvalidInput("At least 10 compositions are needed to measure anything.")
    if arguments.catalogue is not None and not arguments.catalogue.is_file():
        raise InvalidInput(f"There is no file {arguments.catalogue}.")
    from stylus_ext.evaluation import composer, refiner_speed

    with tempfile.TemporaryDirectory(prefix="stylus-bench-", ignore_cleanup_errors=True) as folder:
        found = composer.measure(Path(folder) / "composer", arguments.catalogue, line, arguments.compositions)
        found |= refiner_speed.measure(Path(folder) / "refiner", line)
    return found, composer.lines(found)


def _check(read: Iterable[Path], written: Path | None = None) -> None:
    for file in read:
        if not file.is_file():
            raise InvalidInput(f"There is no file {file}.")
    if written is not None and (written.is_dir() or not written.absolute().parent.is_dir()):
        raise InvalidInput(f"{written} cannot be written: it is a folder, or its folder does not exist.")
