"""The command line: words go in, text or JSON on standard output and an exit code come out. Thin: the engine's operations do it."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stylus_ext import cli_bench, cli_serve, cli_text
from stylus_ext.cli_flags import ENGINE_SECTIONS, PLAN_SECTIONS, add_settings, settings_of
from stylus_ext.cli_session import session
from stylus_ext.core.description import KINDS, STATES
from stylus_ext.core.errors import Cancelled, InvalidInput, StylusError
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.engine.operations import REACHES
from stylus_ext.environment.data_folder import data_folder
from stylus_ext.environment.problems import SetupProblem

SETTINGS_FILE = "settings.json"
_WAIT_S = 30.0
_STOPPED = 130

Lines = Callable[[Mapping[str, Any]], Iterator[str]]


def main(words: Sequence[str]) -> int:
    arguments = _parser().parse_args(words)
    logging.basicConfig(level=logging.INFO if arguments.verbose else logging.WARNING, format="%(name)s: %(message)s")
    try:
        return int(arguments.run(arguments))
    except (StylusError, SetupProblem) as error:
        sys.stderr.write(f"{error}\n")
        return _STOPPED if isinstance(error, Cancelled) else 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped; what was finished stays.\n")
        return _STOPPED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone; there is nobody to tell
        return 1


def settings_for(folder: Path, arguments: argparse.Namespace) -> Settings:
    """The defaults, then `settings.json` of the data folder, then the flags."""
    settings = Settings()
    file = folder / SETTINGS_FILE
    if file.exists():
        try:
            settings = with_values(settings, json.loads(file.read_text("utf-8")))
        except (ValueError, InvalidInput) as error:
            raise InvalidInput(f"{file} cannot be used: {error}") from error
    return with_values(settings, settings_of(arguments, ENGINE_SECTIONS))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python install.py", description="Stylus finds and composes the LoRAs that fit a prompt.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--data-dir", help="where Stylus keeps its catalogue (default: STYLUS_DATA_DIR, else your user's data folder)")
    common.add_argument("--wait", type=float, default=_WAIT_S, metavar="SECONDS", help="how long to wait for whoever has the data folder")
    common.add_argument("--verbose", action="store_true", help="log every step to standard error")
    add_settings(common, ENGINE_SECTIONS)
    for add in (_add_plan, _add_index, _add_search, _add_show, _add_edit, _add_doctor):
        command = add(commands, common)
        command.add_argument("--json", action="store_true", help="print JSON and nothing else on standard output")
    cli_bench.add(commands)
    cli_serve.add(commands, common, settings_for)
    return parser


def _add_plan(commands: Any, common: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser("plan", parents=[common], help="choose adapters for a prompt")
    parser.add_argument("prompt", help="the prompt; - reads it from standard input")
    parser.add_argument("--negative", default="", help="the negative prompt: a veto")
    parser.add_argument("--lora-dir", action="append", default=[], metavar="DIR", help="a folder of LoRAs; may be given again")
    parser.add_argument("--batches", type=int, default=1, help="how many batches; each after the first gets another combination")
    parser.add_argument("--batch-size", type=int, default=1, help="pictures in a batch")
    parser.add_argument("--seed", type=int, default=0, help="image seed of the first picture")
    parser.add_argument("--reach", choices=REACHES, default="auto", help="pick from what is on disk, or from the whole catalogue")
    add_settings(parser, PLAN_SECTIONS)
    parser.set_defaults(run=lambda arguments: _carry_out("plan", _plan_payload(arguments), arguments, cli_text.plan_lines))
    return parser


def _plan_payload(arguments: argparse.Namespace) -> dict[str, Any]:
    prompt = sys.stdin.read().removesuffix("\n") if arguments.prompt == "-" else arguments.prompt
    return {
        "prompt": prompt,
        "negative_prompt": arguments.negative,
        "seed": arguments.seed,
        "batches": arguments.batches,
        "batch_size": arguments.batch_size,
        "lora_dirs": _absolute(arguments.lora_dir),
        "reach": arguments.reach,
        "settings": settings_of(arguments, PLAN_SECTIONS),
    }


def _add_index(commands: Any, common: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser("index", parents=[common], help="read folders of LoRAs into the catalogue")
    parser.add_argument("folders", nargs="*", metavar="DIR", help="folders of LoRAs")
    parser.add_argument("--lora-dir", action="append", default=[], metavar="DIR", help="the same")
    parser.add_argument("--learn", action="append", default=[], metavar="DIR", help="learn from your own pictures in this folder")
    parser.add_argument("--hash", action=argparse.BooleanOptionalAction, default=True, help="hash files whose SHA256 no sidecar states")

    def run(arguments: argparse.Namespace) -> int:
        folders = _absolute([*arguments.folders, *arguments.lora_dir])
        payload = {"lora_dirs": folders, "learn": _absolute(arguments.learn), "hash": arguments.hash}
        return _carry_out("index", payload, arguments, cli_text.index_lines)

    parser.set_defaults(run=run)
    return parser


def _add_search(commands: Any, common: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser("search", parents=[common], help="search the catalogue")
    parser.add_argument("text", nargs="?", default="")
    parser.add_argument("--family", default=None)
    parser.add_argument("--kind", choices=KINDS)
    parser.add_argument("--state", choices=STATES)
    parser.add_argument("--on-disk", action=argparse.BooleanOptionalAction, default=None)
    parser.add_argument("--offset", type=int, default=0)
    parser.add_argument("--limit", type=int, default=20)
    names = ("text", "family", "kind", "state", "on_disk", "offset", "limit")
    parser.set_defaults(run=lambda arguments: _carry_out("search", _picked(arguments, names), arguments, cli_text.entries_lines))
    return parser


def _add_show(commands: Any, common: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser("show", parents=[common], help="show one entry")
    parser.add_argument("key", help="its key, or the name of its file")
    parser.set_defaults(run=lambda arguments: _carry_out("show", _picked(arguments, ("key",)), arguments, cli_text.entry_lines))
    return parser


def _add_edit(commands: Any, common: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser("edit", parents=[common], help="correct an entry; your word stays for ever")
    parser.add_argument("key", help="its key, or the name of its file")
    parser.add_argument("--state", choices=STATES, help="auto, always pick it, or never")
    parser.add_argument("--text", help="what it draws")
    parser.add_argument("--trigger", dest="triggers", action="append", help="a group of trigger words; may be given again")
    parser.add_argument("--weight", type=float)
    parser.add_argument("--kind", choices=KINDS)
    parser.add_argument("--undo", action="store_true", help="forget your earlier edits of it first")
    names = ("key", "state", "text", "triggers", "weight", "kind", "undo")
    parser.set_defaults(run=lambda arguments: _carry_out("edit", _picked(arguments, names), arguments, cli_text.entry_lines))
    return parser


def _add_doctor(commands: Any, common: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser("doctor", parents=[common], help="what is installed, and what is wrong")
    parser.set_defaults(run=lambda arguments: _carry_out("status", {}, arguments, cli_text.status_lines))
    return parser


def _carry_out(operation: str, payload: Mapping[str, Any], arguments: argparse.Namespace, lines: Lines) -> int:
    folder = data_folder(arguments.data_dir)
    with session(folder, settings_for(folder, arguments), f"Stylus {operation}", arguments.wait) as here:
        answer = here.call(operation, payload)
    shown = {**answer.pop("plan"), **answer} if "plan" in answer and arguments.json else answer
    text = json.dumps(shown, indent=2) if arguments.json else "\n".join(lines(answer))
    sys.stdout.write(text.encode("utf-8", "replace").decode("utf-8") + "\n")
    return 0


def _picked(arguments: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(arguments, name) for name in names}


def _absolute(folders: Sequence[str]) -> list[str]:
    """The engine has a working folder of its own."""
    return [str(Path(folder).expanduser().absolute()) for folder in folders]
