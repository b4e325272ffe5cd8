"""`train`: train adapters on the user's pictures."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

from stylus_ext.cli.flags import Help, add_flags, add_number, add_switch, name_choices
from stylus_ext.cli.session import ProgressLine
from stylus_ext.core.errors import InvalidInput
from stylus_ext.evaluation.train_styleinject import METHODS, TrainingRequest, train

_DEFAULTS = TrainingRequest(Path(), Path(), Path(), "")
_NUMBERS = {
    "branches": "number of down matrices of a layer",
    "rank": "rank of each",
    "steps": "steps to train",
    "batch": "pictures per step",
    "size": "width and height of the pictures, which are cropped to squares",
    "seed": "seed of all random numbers",
    "sample_every": "steps between sample pictures; 0 makes none",
}


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "train",
        usage="python install.py train WHAT --data DIR --base CHECKPOINT [--FLAG ...]",
        help="train adapters on your own pictures",
        formatter_class=Help,
        allow_abbrev=False,
    )
    names = parser.add_subparsers(required=True, metavar="WHAT", prog="python install.py train")
    command = names.add_parser(
        "styleinject",
        help="train a StyleInject adapter, or a LoRA of equal size",
        formatter_class=Help,
        allow_abbrev=False,
        description=(
            "Trains on a folder of pictures, each with a caption in a text file of the same name."
            " Writes the adapter and a plain LoRA baked from it. Run it again to resume."
        ),
    )
    _add_paths(command)
    command.add_argument(
        "--method", choices=METHODS, default=METHODS[0], help="what to train (default: styleinject)"
    )
    for name, text in _NUMBERS.items():
        flag = f"--{name.replace('_', '-')}"
        add_number(command, flag, text, getattr(_DEFAULTS, name))
    command.add_argument(
        "--learning-rate",
        type=float,
        default=_DEFAULTS.learning_rate,
        metavar="NUMBER",
        help=f"step width of the optimiser (default: {_DEFAULTS.learning_rate:g})",
    )
    add_switch(command, "--variance", "adapt the variance of the features", default=True)
    add_flags(
        command,
        json="print JSON and nothing else on standard output",
        verbose="log every step to standard error",
    )
    command.set_defaults(run=_run)
    name_choices(names)


def _add_paths(command: argparse.ArgumentParser) -> None:
    for flag, metavar, text in (
        ("--data", "DIR", "folder of pictures and captions"),
        ("--base", "CHECKPOINT", "checkpoint of SD 1 or SD 2 to train for"),
    ):
        command.add_argument(flag, type=Path, required=True, metavar=metavar, help=text)
    command.add_argument(
        "--distil",
        type=Path,
        metavar="TEACHER",
        help="learn the predictions of this checkpoint instead of the pictures",
    )
    command.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder for the results and the training's state (default: styleinject in --data)",
    )
    command.add_argument(
        "--name", default="style", help="name of the adapter's file (default: style)"
    )


def _run(arguments: argparse.Namespace) -> int:
    for name in _NUMBERS:
        least = 0 if name in {"seed", "sample_every"} else 1
        if getattr(arguments, name) < least:
            raise InvalidInput(f"--{name.replace('_', '-')} is too small.")
    fields = {
        name: getattr(arguments, name)
        for name in (*_NUMBERS, "data", "base", "distil", "method", "name", "learning_rate")
    }
    out = arguments.out or arguments.data / "styleinject"
    request = TrainingRequest(out=out, variance=arguments.variance, **fields)
    line = ProgressLine()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            found = train(request, lambda step, done, total: line.report(step, done, total or None))
    finally:
        line.clear()
    if arguments.json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        sys.stdout.write(
            f"Trained {found['steps']:,} steps; {found['parameters']:,} parameters.\n"
            + "".join(f"{file}\n" for file in found["files"])
        )
    return 0
