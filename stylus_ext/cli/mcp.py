"""`mcp`: a server of the Model Context Protocol, for chat programs."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylus_ext.cli.flags import (
    PLAN_SECTIONS,
    Help,
    absolute_paths,
    add_folders,
    add_settings,
    settings_of,
    words_of,
)
from stylus_ext.cli.session import make_folder
from stylus_ext.core.settings import ENGINE_SECTIONS
from stylus_ext.environment.machine import data_folder

if TYPE_CHECKING:
    from stylus_ext.mcp_server.tool_engine import ToolEngine


def add(commands: Any, add_common: Callable[[argparse.ArgumentParser], None]) -> None:
    parser = commands.add_parser(
        "mcp",
        usage="python install.py mcp [--http] [--FLAG ...]",
        help="let chat programs plan prompts and search LoRAs (Model Context Protocol)",
        formatter_class=Help,
        allow_abbrev=False,
        description=(
            "Serves the Model Context Protocol on standard input and output, for a chat program"
            " that starts it. It uses the engine that runs, or starts one. It only reads: nothing"
            " is downloaded, and a paid server is asked only if your settings name one for plans."
        ),
    )
    parser.add_argument(
        "--http", action="store_true", help="serve streamable HTTP on this machine instead"
    )
    parser.add_argument(
        "--port", type=int, default=0, help="the port for --http (default: a free one)"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="also accept this name in Host and Origin, for a proxy with TLS; may be repeated",
    )
    add_folders(parser, "--lora-dir", "a folder of LoRAs for plans; may be repeated")
    add_settings(parser, PLAN_SECTIONS)
    add_common(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    with contextlib.redirect_stdout(sys.stderr):  # standard output is the protocol's
        from stylus_ext.mcp_server.server import mcp_server
        from stylus_ext.mcp_server.tool_engine import ToolEngine
        from stylus_ext.mcp_server.tools import PlanDefaults, tools

        folder = data_folder(arguments.data_dir)
        make_folder(folder)
        defaults = PlanDefaults(
            settings_of(arguments, PLAN_SECTIONS), absolute_paths(arguments.lora_dir)
        )
        flags = [*words_of(arguments, ENGINE_SECTIONS), f"--wait={arguments.wait:g}"]
        engine = ToolEngine(folder, flags)
        server = mcp_server(tools(defaults), engine.call)
    try:
        if arguments.http:
            _serve_http(server, folder, arguments)
        else:
            _serve_stdio(server, engine)
    finally:
        engine.close()
    return 0


def _serve_stdio(server: Any, engine: ToolEngine) -> None:
    import asyncio

    from stylus_ext.mcp_server.server import serve_stdio

    try:
        asyncio.run(serve_stdio(server))
    except KeyboardInterrupt:
        engine.close()
        # A thread still waits for standard input, which the interpreter would wait for.
        sys.stderr.flush()
        os._exit(0)


def _serve_http(server: Any, folder: Path, arguments: argparse.Namespace) -> None:
    from stylus_ext.engine.serve import listening
    from stylus_ext.mcp_server import http

    token = http.token_of(folder)
    with listening(arguments.port) as listener:
        http.serve_http(
            http.application(server, token, [name.casefold() for name in arguments.allow_host]),
            listener,
            _announce,
        )


def _announce(url: str) -> None:
    sys.stderr.write(f"Stylus listens at {url} for MCP clients.\n")
    sys.stderr.flush()
