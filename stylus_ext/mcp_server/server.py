"""The tools as a server of the Model Context Protocol, over standard input and output."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from stylus_ext import __version__
from stylus_ext.core.errors import InvalidInput, StylusError
from stylus_ext.mcp_server.tools import INSTRUCTIONS, CallEngine, Tool

logger = logging.getLogger(__name__)

_SHOWN = 60
_Result = TypeVar("_Result")


def mcp_server(tools: Mapping[str, Tool], engine: CallEngine) -> Server[Any]:
    """A server of these tools, which call `engine`."""

    async def list_tools(_context: Any, _request: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_described(tool) for tool in tools.values()])

    async def call_tool(_context: Any, request: types.CallToolRequestParams) -> Any:
        try:
            answer = await _in_thread(partial(_answer, tools, engine, request))
        except StylusError as error:
            return _error(str(error))
        except Exception as error:
            logger.exception("the tool %s failed", request.name)
            return _error(
                f"The tool failed unexpectedly ({type(error).__name__}). Try again; the log of"
                " the server has details."
            )
        text = types.TextContent(type="text", text=json.dumps(answer, ensure_ascii=False))
        return types.CallToolResult(content=[text], structured_content=answer)

    return Server(
        "stylus",
        version=__version__,
        title="Stylus",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def serve_stdio(server: Server[Any]) -> None:
    """Serve until standard input ends; all else that is printed goes to standard error."""
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def _described(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.input.model_json_schema(),
        output_schema=tool.output.model_json_schema(),
        annotations=types.ToolAnnotations(
            title=tool.title,
            read_only_hint=True,
            destructive_hint=False,
            idempotent_hint=True,
            open_world_hint=tool.asks_others,
        ),
    )


def _answer(
    tools: Mapping[str, Tool], engine: CallEngine, request: types.CallToolRequestParams
) -> dict[str, Any]:
    tool = tools.get(request.name)
    if tool is None:
        raise InvalidInput(
            f"There is no tool {request.name[:_SHOWN]!r}. The tools are: {', '.join(tools)}."
        )
    answer = tool.run(engine, tool.input.model_validate(request.arguments or {}))
    return _encodable(answer.model_dump(mode="json"))


def _encodable(answer: dict[str, Any]) -> dict[str, Any]:
    """Replace lone surrogates, which file names may have and UTF-8 has not."""
    text = json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace").decode("utf-8")
    encoded: dict[str, Any] = json.loads(text)
    return encoded


def _error(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)


async def _in_thread(work: Callable[[], _Result]) -> _Result:
    """Run in a daemon thread, which neither a cancelled request nor the end waits for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_Result] = loop.create_future()

    def finish(result: _Result | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as problem:  # noqa: BLE001  # it is raised by the waiting coroutine
            error = problem
        try:
            loop.call_soon_threadsafe(finish, result, error)
        except RuntimeError:  # the loop has ended
            logger.debug("an answer came after the end")

    threading.Thread(target=run, name="stylus-tool", daemon=True).start()
    return await done
