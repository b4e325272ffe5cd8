"""`serve`: the engine in the foreground, found by others through the data folder."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stylus_ext import __version__
from stylus_ext.cli_session import make_folder
from stylus_ext.core.settings import Settings
from stylus_ext.engine.serve import Door, serve
from stylus_ext.environment import rendezvous
from stylus_ext.environment.data_folder import data_folder

TOKEN_VARIABLE = "STYLUS_ENGINE_TOKEN"  # noqa: S105 - the name of a variable


def add(commands: Any, common: argparse.ArgumentParser, settings_for: Callable[[Path, argparse.Namespace], Settings]) -> None:
    parser = commands.add_parser("serve", parents=[common], help="run the engine alone, for one or many WebUIs")
    parser.add_argument("--port", type=int, default=0, help="a port of this machine (default: a free one)")

    def run(arguments: argparse.Namespace) -> int:
        return _run(data_folder(arguments.data_dir), arguments, settings_for)

    parser.set_defaults(run=run)


def _run(folder: Path, arguments: argparse.Namespace, settings_for: Callable[[Path, argparse.Namespace], Settings]) -> int:
    make_folder(folder)
    running = rendezvous.read(folder)
    if running is not None:
        sys.stdout.write(f"An engine (process {running.pid}) serves {folder} already at {running.url}\n")
        return 0

    def ready(door: Door) -> None:
        rendezvous.write(folder, door.url, door.token, __version__)
        sys.stdout.write(f"Stylus engine {__version__} listens at {door.url} for {folder}\n")
        sys.stdout.flush()

    with rendezvous.hold(folder, rendezvous.ENGINE_LOCK, "the Stylus engine", arguments.wait):
        try:
            serve(folder, settings_for(folder, arguments), arguments.port, os.environ.get(TOKEN_VARIABLE, ""), ready)
        finally:
            rendezvous.remove(folder)
    return 0
