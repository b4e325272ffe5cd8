"""The official client over a real child process."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.environment.run_in_env import main_command
from tests.engine_process import ROOT, environment

mcp = pytest.importorskip("mcp", reason="needs the optional packages: run with `--with mcp`")

PATIENCE_S = 90.0


def server_words(*flags: str) -> list[str]:
    return main_command("stylus_ext.cli.main", "mcp", *flags)


def parameters(folder: Path, *flags: str, words: list[str] | None = None) -> Any:
    command, *arguments = words or server_words(*flags)
    return mcp.StdioServerParameters(
        command=command, args=arguments, env=environment(folder), cwd=ROOT
    )


@asynccontextmanager
async def client(folder: Path, *flags: str, words: list[str] | None = None) -> AsyncIterator[Any]:
    """An initialised client of `python install.py mcp` on this data folder."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        transport = mcp.stdio_client(parameters(folder, *flags, words=words), errlog=nowhere)
        async with mcp.Client(transport, read_timeout_seconds=PATIENCE_S) as connected:
            yield connected


async def answer(connected: Any, tool: str, **arguments: Any) -> dict[str, Any]:
    """The structured answer of a tool, which must be no error."""
    result = await connected.call_tool(tool, arguments)
    assert not result.is_error, result.content
    content: dict[str, Any] = result.structured_content
    return content


async def refusal(connected: Any, tool: str, arguments: dict[str, Any]) -> str:
    """The sentence of a tool's error: one line, no traceback."""
    result = await connected.call_tool(tool, arguments)
    assert result.is_error
    assert result.structured_content is None
    text: str = result.content[0].text
    assert "Traceback" not in text
    assert "\n" not in text
    assert len(text) < 2500
    return text


if sys.platform == "win32":
    raise ImportError("These helpers send signals that Windows does not know.")
