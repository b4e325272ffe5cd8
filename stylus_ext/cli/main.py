"""The command line: parse the arguments, carry out an operation, print text or JSON."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stylus_ext.cli import (
    bench,
    catalogue,
    downloads,
    evaluate,
    mcp,
    operations,
    probe,
    serve,
    train,
)
from stylus_ext.cli.flags import Help, add_settings, parse_duration, settings_of
from stylus_ext.cli.session import session
from stylus_ext.core.errors import Cancelled, InvalidInput, StylusError, reason_of
from stylus_ext.core.settings import ENGINE_SECTIONS, Settings, with_values
from stylus_ext.environment import doctor, engine_address
from stylus_ext.environment.launch import replace_unencodable
from stylus_ext.environment.machine import data_folder

logger = logging.getLogger(__name__)


SETTINGS_FILE = "settings.json"
_WAIT_S = 30.0
_LONGEST_WAIT_S = 86_400
_STOPPED = 130
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

Lines = Callable[[Mapping[str, Any]], Iterator[str]]


def main(words: Sequence[str]) -> int:
    replace_unencodable()
    arguments = command_parser().parse_args(words)
    logging.basicConfig(
        level=logging.INFO if arguments.verbose else logging.WARNING, format="%(name)s: %(message)s"
    )
    try:
        return int(arguments.run(arguments))
    except StylusError as error:
        sys.stderr.write(f"{error}\n")
        return _STOPPED if isinstance(error, Cancelled) else 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. Finished work is kept.\n")
        return _STOPPED
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter must not try to tell them again when it
        # ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        logger.info("traceback of the unexpected error", exc_info=True)
        sys.stderr.write(f"{_unexpected(error, arguments)}\n")
        return 1


def _unexpected(error: Exception, arguments: Namespace) -> str:
    """Return the message for an unexpected error; a full disk can happen at any write."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return (
            "The disk is full, so Stylus cannot keep anything in"
            f" {data_folder(getattr(arguments, 'data_dir', None))}. Make room, then try again."
        )
    return (
        f"Stylus failed unexpectedly ({type(error).__name__}: {error}). Run it again with"
        " --verbose for the details."
    )


def settings_for(folder: Path, arguments: Namespace) -> Settings:
    """Return the defaults, changed by `settings.json` and then by the flags."""
    settings = Settings()
    file = folder / SETTINGS_FILE
    try:
        if file.exists():
            settings = with_values(settings, _object(file.read_text("utf-8-sig")))
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError, InvalidInput) as error:
        raise InvalidInput(
            f"{file} cannot be used: {reason_of(error)}. Correct it, or move it away to have"
            " the defaults."
        ) from error
    return with_values(settings, settings_of(arguments, ENGINE_SECTIONS))


def carry_out(
    operation: str, payload: Mapping[str, Any], arguments: Namespace, lines: Lines
) -> int:
    """Run an operation and print its answer; other output goes to standard error."""
    folder = data_folder(arguments.data_dir)
    with contextlib.redirect_stdout(sys.stderr):
        settings = settings_for(folder, arguments)
        with session(folder, settings, f"Stylus {operation}", arguments.wait) as here:
            if here.attached and settings_of(arguments, ENGINE_SECTIONS):
                sys.stderr.write(
                    "A running engine has its own settings: your flags for encoder, vectors,"
                    " Civitai, Hugging Face, downloads and chat are ignored.\n"
                )
            answer = here.call(operation, payload)
            if operation == "plan":
                answer = downloads.with_missing_fetched(here, payload, answer)
    is_doctor = operation == "status" and "files" not in answer
    if is_doctor:
        running = engine_address.read(folder)
        answer["engine"] = {"url": running.url, "pid": running.pid} if running else None
    if arguments.json:
        if is_doctor:
            # As text, install.py has printed them before this process started.
            answer["environment"] = doctor.facts()
        _print(
            json.dumps({**answer.pop("plan"), **answer} if "plan" in answer else answer, indent=2)
        )
    else:
        _print("\n".join(lines(answer)))
    return 1 if operation == "fetch" and answer["failed"] else 0


def command_parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python install.py",
        description="Stylus finds and composes the LoRAs that fit a prompt.",
        formatter_class=Help,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    operations.add(commands, _add_common, carry_out)
    downloads.add(commands, _add_common, carry_out)
    catalogue.add(commands, _add_common, carry_out, settings_for)
    catalogue.add_import(commands, _add_common, carry_out)
    bench.add(commands)
    train.add(commands)
    evaluate.add(commands, _add_common, settings_for)
    probe.add(commands, _add_common, settings_for)
    serve.add(commands, _add_common, settings_for)
    mcp.add(commands, _add_common)
    return parser


def _add_common(parser: ArgumentParser) -> None:
    where = parser.add_argument_group("where and how")
    where.add_argument(
        "--data-dir",
        metavar="DIR",
        help=(
            "where Stylus keeps its catalogue (default: STYLUS_DATA_DIR, else your user's data"
            " folder)"
        ),
    )
    where.add_argument(
        "--wait",
        type=_seconds,
        default=_WAIT_S,
        metavar="SECONDS",
        help="how long to wait for another process that uses the data folder (default: 30)",
    )
    where.add_argument("--verbose", action="store_true", help="log every step to standard error")
    add_settings(parser, ENGINE_SECTIONS)


def _seconds(text: str) -> float:
    return parse_duration(text, "seconds", _LONGEST_WAIT_S)


def _object(text: str) -> dict[str, Any]:
    values = json.loads(text)
    if not isinstance(values, dict):
        raise InvalidInput("It must be a JSON object with groups of settings.")
    return values


def _print(text: str) -> None:
    """Print text without control characters, since cards come from strangers."""
    encoding = sys.stdout.encoding or "utf-8"
    plain = _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)
    sys.stdout.write(plain.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()
