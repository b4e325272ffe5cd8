"""`serve`: run the engine in the foreground."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylus_ext import __version__
from stylus_ext.cli.flags import Help, parse_duration
from stylus_ext.cli.session import attach_or_hold
from stylus_ext.core.settings import Settings
from stylus_ext.environment import engine_address
from stylus_ext.environment.engine_address import TOKEN_VARIABLE
from stylus_ext.environment.machine import data_folder
from stylus_ext.environment.parent_watch import wait_for_parent_end

if TYPE_CHECKING:
    from stylus_ext.engine.serve import Lifecycle


_MOST_MINUTES = 1_000_000


SettingsFor = Callable[[Path, argparse.Namespace], Settings]


def add(
    commands: Any, add_common: Callable[[argparse.ArgumentParser], None], settings_for: SettingsFor
) -> None:
    parser = commands.add_parser(
        "serve",
        usage="python install.py serve [--FLAG ...]",
        help="run the engine alone, for one or many WebUIs",
        formatter_class=Help,
        allow_abbrev=False,
        description=(
            "Runs the engine until Ctrl+C. It listens on this machine only. Clients need its token:"
            f" from engine.json in the data folder, or the variable {TOKEN_VARIABLE}."
        ),
    )
    parser.add_argument(
        "--port", type=int, default=0, help="the port to listen on (default: a free one)"
    )
    parser.add_argument(
        "--idle-minutes",
        type=_minutes,
        default=0.0,
        metavar="MINUTES",
        help="end after this time without a request (default: never)",
    )
    parser.add_argument(
        "--bound",
        action="store_true",
        help="end when standard input ends, together with the parent program",
    )
    add_common(parser)
    parser.set_defaults(
        run=lambda arguments: _run(data_folder(arguments.data_dir), arguments, settings_for)
    )


def _run(folder: Path, arguments: argparse.Namespace, settings_for: SettingsFor) -> int:
    from stylus_ext.engine.serve import Lifecycle, logged_to

    wait_for_parent = wait_for_parent_end if arguments.bound else None
    lifecycle = Lifecycle(wait_for_parent, arguments.idle_minutes * 60)
    _end_on_signals()
    lifecycle.watch()
    try:
        with contextlib.ExitStack() as stack:
            link = attach_or_hold(folder, "the Stylus engine", arguments.wait, stack)
            if link is not None:
                holder = engine_address.engine_holder(folder)
                who = f" (process {holder.pid})" if holder else ""
                _print_line(f"An engine{who} serves {folder} already at {link.url}")
                return 0
            stack.enter_context(logged_to(folder))
            stack.callback(engine_address.remove, folder)
            ended = _serve(folder, settings_for(folder, arguments), arguments.port, lifecycle)
    except KeyboardInterrupt:
        _print_line("The engine has ended.")
        return _exit_code(lifecycle)
    return _exit(ended, _exit_code(lifecycle))


def _serve(folder: Path, settings: Settings, port: int, lifecycle: Lifecycle) -> bool:
    from stylus_ext.engine.serve import EngineAddress, serve

    def ready(address: EngineAddress) -> None:
        engine_address.write(folder, address.url, address.token, __version__)
        _print_line(f"Stylus engine {__version__} listens at {address.url} for {folder}")

    return serve(folder, settings, port, os.environ.pop(TOKEN_VARIABLE, ""), ready, lifecycle)


def _exit_code(lifecycle: Lifecycle) -> int:
    """Return the exit code; the parent of a bound engine wants 0 after a signal."""
    return 1 if lifecycle.bound and not lifecycle.reason else 0


def _exit(ended: bool, code: int) -> int:
    """Exit without cleanup: a thread that is still busy could crash the interpreter."""
    if not ended:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _minutes(text: str) -> float:
    return parse_duration(text, "minutes", _MOST_MINUTES)


def _end_on_signals() -> None:
    """Shut the server down on a signal; it raises the signal again when closed."""

    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.default_int_handler)


def _print_line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
