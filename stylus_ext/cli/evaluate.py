"""`evaluate`: make pictures with and without Stylus, and compare them."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stylus_ext.cli import evaluate_judge, evaluate_report
from stylus_ext.cli.flags import (
    PLAN_SECTIONS,
    Help,
    absolute_paths,
    add_folders,
    add_number,
    add_settings,
    name_choices,
    settings_of,
)
from stylus_ext.cli.session import ProgressLine, session
from stylus_ext.core.counted import counted
from stylus_ext.core.errors import Cancelled, InvalidInput, StylusError
from stylus_ext.core.settings import Settings
from stylus_ext.environment.machine import data_folder
from stylus_ext.evaluation.pictures.arms import ARMS, AskPlan, TextWriter, needs_engine, parse_arms
from stylus_ext.evaluation.pictures.diffusers_maker import DiffusersMaker, DiffusersModel
from stylus_ext.evaluation.pictures.maker import PictureMaker
from stylus_ext.evaluation.pictures.manifest import DEFAULT_CFG, RUN, PictureFolder
from stylus_ext.evaluation.pictures.prompts import (
    EvaluationPrompt,
    prompts_of_file,
    prompts_of_pictures,
)
from stylus_ext.evaluation.pictures.refiners import REFINER_ARMS, refiner_catalogue
from stylus_ext.evaluation.pictures.run import EvaluationRun, make_pictures
from stylus_ext.evaluation.pictures.starts import RANDOM_MASKS
from stylus_ext.evaluation.pictures.statistics import sample_size
from stylus_ext.evaluation.pictures.webui import LOGIN_VARIABLE, LoginNeeded, WebUi

SettingsFor = Callable[[Path, Namespace], Settings]

_ARMS = "base,stylus"
_PROMPTS = 50
_MOST_SEEDS = 100
_FIRST_SEED = 1000
_LOWEST_CFG, _HIGHEST_CFG = 0, 100
_FIRST_PLAN = {"prompt": "a photo of a cat"}
"""Planned before the first picture, so that no arm's time has the loading of the models."""
_PICTURE_NUMBERS = {"steps": 20, "width": 512, "height": 512}
_PICTURE_TEXTS = {"sampler": "sampler_name", "scheduler": "scheduler"}


def add(
    commands: Any, add_common: Callable[[ArgumentParser], None], settings_for: SettingsFor
) -> None:
    command = commands.add_parser(
        "evaluate",
        usage=(
            "python install.py evaluate --out DIR --webui URL --prompts FILE [--FLAG ...]\n"
            "       python install.py evaluate judge --out DIR [--FLAG ...]\n"
            "       python install.py evaluate report --out DIR [--FLAG ...]"
        ),
        help="make pictures with and without Stylus, and compare them",
        formatter_class=Help,
        allow_abbrev=False,
        description=(
            "Makes pictures of the same prompts and seeds in several arms by a running WebUI, and"
            " compares them.\n--debias adds its text in every arm. Run it again to resume."
        ),
    )
    others = command.add_subparsers(title="with the pictures of a run")
    evaluate_judge.add(others, settings_for)
    evaluate_report.add(others)
    name_choices(others)
    evaluate_report.add_report_flags(command)
    _add_run_flags(command)
    _add_picture_flags(command)
    add_settings(command, PLAN_SECTIONS)
    add_common(command)
    command.set_defaults(run=lambda arguments: _run(arguments, settings_for))


def _add_run_flags(command: ArgumentParser) -> None:
    group = command.add_argument_group("the run")
    for flag, metavar, text in (
        ("--out", "DIR", "folder of the pictures and the report"),
        ("--prompts", "FILE", "prompts, one per line"),
        ("--pictures", "DIR", "take the prompts of your newest pictures in this folder"),
    ):
        group.add_argument(flag, type=Path, metavar=metavar, help=text)
    group.add_argument("--webui", metavar="URL", help="a running WebUI that was started with --api")
    for flag, metavar, text in (
        ("--diffusers", "MODEL", "make the pictures by diffusers: a folder or a safetensors file"),
        ("--diffusers-config", "DIR", "folder of a model of the same family, for a single file"),
    ):
        group.add_argument(flag, type=Path, metavar=metavar, help=text)
    group.add_argument(
        "--diffusers-device",
        default="",
        metavar="NAME",
        help="device of diffusers, such as cuda or cpu (default: the GPU where there is one)",
    )
    group.add_argument(
        "--arms",
        default=_ARMS,
        metavar="NAMES",
        help=f"of {', '.join(ARMS)}, plan:FILE; the first is the reference (default: {_ARMS})",
    )
    group.add_argument("--negative", metavar="TEXT", help="negative prompt of every picture")
    group.add_argument(
        "--power",
        type=float,
        metavar="EFFECT",
        help="say how many prompts show a difference of this many standard deviations, and stop",
    )
    add_number(command, "--count", "most prompts", _PROMPTS)
    add_number(command, "--seeds", "pictures per prompt and arm", 1)
    add_number(command, "--first-seed", "seed of the first picture of a prompt", _FIRST_SEED)
    add_folders(command, "--lora-dir", "a folder of LoRAs; may be repeated")


def _add_picture_flags(command: ArgumentParser) -> None:
    for name, default in _PICTURE_NUMBERS.items():
        add_number(command, f"--{name}", f"{name} of the pictures", default)
    command.add_argument(
        "--cfg",
        default=f"{DEFAULT_CFG:g}",
        metavar="NUMBERS",
        help=f"CFG scale, or several, such as 3,6,9 (default: {DEFAULT_CFG:g})",
    )
    for name in _PICTURE_TEXTS:
        command.add_argument(f"--{name}", default="", metavar="NAME", help=f"{name} of the WebUI")
    command.add_argument(
        "--start-from",
        type=Path,
        metavar="DIR",
        help="pictures to change by img2img; prompt number n starts from picture number n",
    )
    command.add_argument(
        "--masks",
        metavar="DIR",
        help=(
            "inpainting with --start-from: masks, white where to paint, number n for prompt number"
            f" n; or `{RANDOM_MASKS}` for random boxes"
        ),
    )
    command.add_argument(
        "--denoising",
        type=float,
        default=0.6,
        metavar="NUMBER",
        help="denoising strength with --start-from (default: 0.6)",
    )


def _run(arguments: Namespace, settings_for: SettingsFor) -> int:
    if arguments.power is not None:
        return _print_power(arguments)
    folder = evaluate_report.out_folder(arguments)
    line = ProgressLine()
    if arguments.webui and arguments.diffusers:
        raise InvalidInput("Name either --webui or --diffusers.")
    if arguments.webui or arguments.diffusers:
        try:
            with contextlib.redirect_stdout(sys.stderr):
                _make(arguments, settings_for, folder, line)
        finally:
            line.clear()
    return evaluate_report.write_report(arguments, line)


def _print_power(arguments: Namespace) -> int:
    arms = len(parse_arms(arguments.arms)) - 1
    found = sample_size(arguments.power, arms)
    if arguments.json:
        sys.stdout.write(json.dumps(asdict(found)) + "\n")
    else:
        sys.stdout.write(
            f"{found.prompts:,} prompts show a difference of {found.effect:g} standard deviations"
            f" (better in {found.win_share:.0%} of prompts) with {found.power:.0%} power.\n"
        )
    return 0


def _make(
    arguments: Namespace, settings_for: SettingsFor, folder: PictureFolder, line: ProgressLine
) -> None:
    run = _evaluation_run(arguments, line)
    maker = _maker(arguments)
    try:
        if any(arm in REFINER_ARMS for arm in run.arms):
            folder.open(run.settings())  # their catalogues lie in it
        with _planning(run.arms, arguments, settings_for) as (ask, asks):
            payload = dict(run.plan_settings)
            writer = TextWriter(ask, run.seeds, run.debias, payload, maker.loras(), asks)
            make_pictures(run, folder, writer, maker, line)
    except KeyboardInterrupt:
        line.clear()
        made = len(folder.pictures()) if folder.settings else 0
        raise Cancelled(
            f"Stopped. {counted(made, 'picture')} of this run are kept in {arguments.out}; the same"
            " command makes the others."
        ) from None
    finally:
        maker.close()


def _maker(arguments: Namespace) -> PictureMaker:
    if arguments.diffusers is None:
        return _webui(arguments.webui)
    model = DiffusersModel(
        arguments.diffusers, arguments.diffusers_config, arguments.diffusers_device
    )
    maker = DiffusersMaker(model, [Path(folder) for folder in arguments.lora_dir])
    maker.check()
    return maker


def _webui(url: str) -> WebUi:
    """The WebUI; the login is from the environment, or is asked for in a terminal."""
    webui = WebUi(url, login=os.environ.get(LOGIN_VARIABLE, ""))
    try:
        webui.check()
    except StylusError as error:
        webui.close()
        if not isinstance(error, LoginNeeded) or not sys.stdin.isatty():
            raise
        webui = WebUi(url, login=getpass.getpass(f"{webui.where} name:password (not shown): "))
        try:
            webui.check()
        except StylusError:
            webui.close()
            raise
    return webui


@contextlib.contextmanager
def _planning(
    arms: Sequence[str], arguments: Namespace, settings_for: SettingsFor
) -> Iterator[tuple[AskPlan, dict[str, AskPlan]]]:
    """The engine's operation `plan` if an arm needs it, and that of each refiner's catalogue."""
    folder = data_folder(arguments.data_dir)
    settings = settings_for(folder, arguments)
    asks: dict[str, AskPlan] = {}
    with contextlib.ExitStack() as stack:
        for arm in arms:
            if arm in REFINER_ARMS:
                loras = absolute_paths(arguments.lora_dir)
                line = ProgressLine()
                own = refiner_catalogue(arm, arguments.out, folder, settings, loras, line)
                asks[arm] = _ask(own, settings, arguments, stack)
        others = [arm for arm in arms if needs_engine(arm) and arm not in asks]
        yield (_ask(folder, settings, arguments, stack) if others else _no_plan), asks


def _ask(
    folder: Path, settings: Settings, arguments: Namespace, stack: contextlib.ExitStack
) -> AskPlan:
    here = stack.enter_context(session(folder, settings, "Stylus evaluate", arguments.wait))
    here.call("plan", _FIRST_PLAN)
    return lambda payload: here.call("plan", payload)


def _no_plan(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    raise InvalidInput(f"No arm needs a plan for {payload['prompt']!r}.")


def _evaluation_run(arguments: Namespace, line: ProgressLine) -> EvaluationRun:
    for name in ("count", "seeds", *_PICTURE_NUMBERS):
        if getattr(arguments, name) < 1:
            raise InvalidInput(f"--{name} is too small.")
    if arguments.seeds > _MOST_SEEDS:
        raise InvalidInput(f"--seeds is at most {_MOST_SEEDS}.")
    fields: dict[str, Any] = {name: getattr(arguments, name) for name in _PICTURE_NUMBERS}
    fields |= {
        field: getattr(arguments, name)
        for name, field in _PICTURE_TEXTS.items()
        if getattr(arguments, name)
    }
    if arguments.start_from is not None:
        fields["denoising_strength"] = arguments.denoising
    first, settings = arguments.first_seed, settings_of(arguments, PLAN_SECTIONS)
    debias = settings.get("text", {}).pop("debias", "")
    return EvaluationRun(
        parse_arms(arguments.arms),
        _prompts(arguments, line),
        tuple(range(first, first + arguments.seeds)),
        debias,
        fields,
        {"settings": settings, "lora_dirs": absolute_paths(arguments.lora_dir)},
        arguments.start_from,
        _scales(arguments.cfg),
        arguments.diffusers,
        _masks(arguments.masks),
    )


def _masks(text: str | None) -> str | None:
    return text if text in (None, RANDOM_MASKS) else str(Path(text).absolute())


def _scales(text: str) -> tuple[float, ...]:
    try:
        found = tuple(dict.fromkeys(float(word) for word in text.split(",")))
    except ValueError as error:
        raise InvalidInput("--cfg is a number, or several, such as 3,6,9.") from error
    if not all(_LOWEST_CFG <= scale <= _HIGHEST_CFG for scale in found):
        raise InvalidInput(f"--cfg is from {_LOWEST_CFG} to {_HIGHEST_CFG}.")
    return found


def _prompts(arguments: Namespace, line: ProgressLine) -> list[EvaluationPrompt]:
    if (arguments.prompts is None) == (arguments.pictures is None):
        raise InvalidInput("Name either a file with --prompts, or a folder with --pictures.")
    if arguments.pictures is not None:
        if (arguments.out / RUN).exists():  # newer pictures may have come since the run began
            known = PictureFolder(arguments.out).read_settings()["prompts"]
            return [EvaluationPrompt(*each) for each in known]
        return prompts_of_pictures(arguments.pictures, arguments.count, arguments.negative, line)
    negative = arguments.negative or ""
    found = prompts_of_file(arguments.prompts)[: arguments.count]
    return [EvaluationPrompt(each.text, negative) for each in found]
