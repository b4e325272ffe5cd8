"""`evaluate judge`: have people, or a language model that sees, judge the pictures."""

from __future__ import annotations

import argparse
import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stylus_ext.cli.evaluate_report import out_folder
from stylus_ext.cli.flags import Help, add_settings
from stylus_ext.cli.refine import expense_text
from stylus_ext.cli.session import ProgressLine
from stylus_ext.core.counted import counted
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.refining import MOST_AT_ONCE, RefineLimits
from stylus_ext.core.settings import Settings
from stylus_ext.environment.files import hold
from stylus_ext.environment.machine import data_folder
from stylus_ext.evaluation.pictures.judging.asking import JudgingJob, estimate
from stylus_ext.evaluation.pictures.judging.pairs import different, picture_pairs
from stylus_ext.evaluation.pictures.judging.questions import (
    JudgeQuestion,
    pair_questions,
    task_questions,
)
from stylus_ext.evaluation.pictures.judging.rubrics import COMPOSITION, CRITERIA, PAIR_CRITERIA
from stylus_ext.evaluation.pictures.judging.tasks import (
    TaskVerdictFile,
    planned_tasks,
    tasks_of_file,
)
from stylus_ext.evaluation.pictures.judging.verdicts import (
    HUMAN_FILE,
    TASK_FILE,
    VLM_FILE,
    VerdictFile,
)
from stylus_ext.evaluation.pictures.manifest import PictureFolder
from stylus_ext.evaluation.pictures.metrics import PictureSet
from stylus_ext.evaluation.pictures.report import complete_set
from stylus_ext.llm import LlmClient
from stylus_ext.net import Pace

SettingsFor = Callable[[Path, Namespace], Settings]

_REPEATED = 0.1
_LOCK, _MODEL_LOCK = "judge", "judge-vlm"
_MINUTE_S = 60.0
_MOST_REASONS = 5


def add(commands: Any, settings_for: SettingsFor) -> None:
    command = commands.add_parser(
        "judge",
        usage="python install.py evaluate judge --out DIR [--vlm --chat-url URL] [--FLAG ...]",
        help="have people, or with --vlm a language model, judge the pictures",
        formatter_class=Help,
        allow_abbrev=False,
        description=(
            "Serves a page on this machine on which people choose the better of two pictures,"
            " without\nknowing the arms. With --vlm the pictures and prompts go to the server of"
            " --chat-url alone.\nEvery verdict is on disk at once; run it again to go on."
        ),
    )
    command.add_argument(
        "--out", type=Path, default=argparse.SUPPRESS, metavar="DIR", help="folder of the pictures"
    )
    command.add_argument(
        "--data-dir", metavar="DIR", help="where Stylus keeps your key and settings"
    )
    command.add_argument("--verbose", action="store_true", help="log every step to standard error")
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
    _add_model_flags(command)
    add_settings(command, ("chat",))
    command.set_defaults(
        run=lambda arguments: _ask(arguments, settings_for) if arguments.vlm else _serve(arguments)
    )


def _add_model_flags(command: ArgumentParser) -> None:
    model = command.add_argument_group("a language model that sees")
    for name, text in (
        ("--vlm", "have the model of the chat settings judge"),
        ("--dry-run", "only show the number of questions and their cost"),
        ("--again", "ask once more what had no usable answer"),
    ):
        model.add_argument(name, action="store_true", help=text)
    model.add_argument(
        "--criteria",
        default=",".join(PAIR_CRITERIA),
        metavar="NAMES",
        help=f"of {', '.join(CRITERIA)} (default: {','.join(PAIR_CRITERIA)})",
    )
    numbers: tuple[tuple[str, type, float | None, str], ...] = (
        ("--budget", float, None, "most US dollars to spend"),
        ("--token-budget", int, None, "most tokens, read and written"),
        ("--parallel", int, 4, "parallel requests (default: 4)"),
        ("--per-minute", float, 0.0, "most requests per minute; 0 is no limit (default: 0)"),
    )
    for name, kind, default, text in numbers:
        model.add_argument(name, type=kind, default=default, metavar="NUMBER", help=text)
    model.add_argument(
        "--tasks",
        type=Path,
        metavar="FILE",
        help="tasks for the criterion composition (default: those of the plans)",
    )
    model.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,
        help="print JSON and nothing else on standard output",
    )


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


def _ask(arguments: Namespace, settings_for: SettingsFor) -> int:
    from stylus_ext.engine.language_model import LanguageModel

    folder = out_folder(arguments)
    pictures = complete_set(folder, folder.read_settings())
    data = data_folder(arguments.data_dir)
    model = LanguageModel(data, settings_for(data, arguments).chat)
    try:
        client = model.client()
        with hold(folder.folder, _MODEL_LOCK, "evaluate judge --vlm"):
            questions = _questions(arguments, folder, pictures, client)
            job = JudgingJob(client, questions, _limits(arguments), _pace(arguments))
            expected = asdict(estimate(client, questions))
            sys.stderr.write(
                f"{counted(len(questions), 'question')} for {client.name}, for about"
                f" {expense_text(expected)}.\n"
            )
            if arguments.dry_run:
                facts = {"questions": len(questions), "estimate": expected}
                return _finish(arguments, facts, "Nothing was sent.")
            return _run(arguments, job)
    finally:
        model.close()


def _run(arguments: Namespace, job: JudgingJob) -> int:
    line = ProgressLine()
    try:
        job.run(line)
    finally:
        line.clear()
        job.client.release()
    facts = {**job.to_json(), "spent": asdict(job.spent)}
    return _finish(arguments, facts, "\n".join(_job_lines(job, facts)))


def _questions(
    arguments: Namespace, folder: PictureFolder, pictures: PictureSet, client: LlmClient
) -> list[JudgeQuestion]:
    criteria = dict.fromkeys(name.strip() for name in arguments.criteria.split(","))
    if not criteria.keys() <= set(CRITERIA):
        raise InvalidInput(f"--criteria has names of {', '.join(CRITERIA)}.")
    of_pairs = [name for name in criteria if name != COMPOSITION]
    file = VerdictFile(folder.folder / VLM_FILE)
    found = pair_questions(client, pictures, of_pairs, file, arguments.again)
    if COMPOSITION in criteria:
        own = arguments.tasks
        tasks = tasks_of_file(own) if own else planned_tasks(folder, pictures)
        of_tasks = TaskVerdictFile(folder.folder / TASK_FILE)
        found += task_questions(client, pictures, tasks, of_tasks, arguments.again)
    return found


def _limits(arguments: Namespace) -> RefineLimits:
    if not 1 <= arguments.parallel <= MOST_AT_ONCE:
        raise InvalidInput(f"--parallel is from 1 to {MOST_AT_ONCE}.")
    return RefineLimits(
        at_once=arguments.parallel, dollars=arguments.budget, tokens=arguments.token_budget
    )


def _pace(arguments: Namespace) -> Pace:
    return Pace(_MINUTE_S / arguments.per_minute if arguments.per_minute > 0 else 0.0)


def _finish(arguments: Namespace, facts: Mapping[str, Any], text: str) -> int:
    sys.stdout.write((json.dumps(facts) if arguments.json else text) + "\n")
    return 0


def _job_lines(job: JudgingJob, facts: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"{counted(job.answered, 'answer')} for {expense_text(facts['spent'])};"
        f" {facts['left']:,} left, {job.unusable:,} unusable."
    )
    for reason, count in job.reasons.most_common(_MOST_REASONS):
        yield f"  {reason} ({count:,})"
    if job.stopped:
        yield f"Stopped: {job.stopped}"
    yield "See the result with `evaluate report`."
