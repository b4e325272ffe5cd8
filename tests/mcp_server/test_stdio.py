"""`install.py mcp` with the official client, over the standard input and output of a process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio

from stylus_ext.environment import engine_address
from stylus_ext.environment.layout import ROOT
from tests.embedding_server import EmbeddingServer
from tests.engine_process import PATIENCE_S, engine_process, environment, make_folder
from tests.mcp_server.client import answer, client, refusal, server_words
from tests.mcp_server.test_tool_engine import pid_of, wait_until_gone

TOOLS = ["plan_prompt", "search_loras", "show_lora", "catalogue_status"]
LOUD = """
import os, subprocess, sys, time
from stylus_ext.cli.main import main
from stylus_ext.mcp_server.tool_engine import ToolEngine

call = ToolEngine.call

def loud(self, operation, payload):
    print("a library prints")
    os.write(1, b"a library writes\\n")
    subprocess.run([sys.executable, "-c", "print('a child prints')"], check=True)
    if payload.get("text") == "slow":
        time.sleep(600)
    if payload.get("text") == "broken":
        raise ValueError("a fault of ours")
    return call(self, operation, payload)

ToolEngine.call = loud
sys.exit(main(["mcp"]))
"""


def test_the_tools_answer_an_official_client(folder: Path) -> None:
    async def steps() -> None:
        words = [sys.executable, str(ROOT / "install.py"), "mcp"]
        async with client(folder, words=words) as connected:
            listed = (await connected.list_tools()).tools
            assert [tool.name for tool in listed] == TOOLS
            for tool in listed:
                assert tool.annotations.read_only_hint is True
                assert tool.annotations.destructive_hint is False
                assert tool.output_schema is not None
            asks_others = [tool.name for tool in listed if tool.annotations.open_world_hint]
            assert asks_others == ["plan_prompt"]
            assert connected.instructions

            status = await answer(connected, "catalogue_status")
            assert status["entries"] > 100
            plan = await answer(connected, "plan_prompt", prompt="a corgi, pixel art")
            key = plan["picks"][0]["id"]
            assert f"<lora:{plan['picks'][0]['file']}:" in plan["prompts"][0]
            assert plan["missing"][0]["id"] == key
            found = await answer(connected, "search_loras", text="pixel art", limit=1)
            assert (found["total"] > 1, len(found["loras"])) == (True, 1)
            shown = await answer(connected, "show_lora", id=key)
            assert shown["id"] == key

    asyncio.run(steps())


def test_a_mistake_is_one_sentence_and_the_next_call_works(folder: Path) -> None:
    async def steps() -> None:
        async with client(folder) as connected:
            for tool, arguments in (
                ("plan_prompt", {"prompt": "a", "composer": "chat"}),
                ("plan_prompt", {"prompt": "a" * 1_000_000}),
                ("plan_prompt", {"prompt": "a", "family": "no such family"}),
                ("show_lora", {"id": "no such key"}),
                ("no_such_tool", {}),
            ):
                await refusal(connected, tool, arguments)
            assert (await answer(connected, "plan_prompt", prompt=""))["outcome"] == "done"

    asyncio.run(steps())


def test_an_empty_catalogue_is_no_error(tmp_path: Path, vectors: EmbeddingServer) -> None:
    folder = make_folder(tmp_path / "data", vectors.url)

    async def steps() -> None:
        async with client(folder) as connected:
            plan = await answer(connected, "plan_prompt", prompt="a fox", reach="disk")
            assert plan["picks"] == []
            assert plan["prompts"] == ["a fox"]
            found = await answer(connected, "search_loras", on_disk=True)
            assert found == {"total": 0, "loras": []}

    asyncio.run(steps())


def test_a_running_engine_is_shared(folder: Path) -> None:
    async def steps(pid: int) -> None:
        async with client(folder) as connected, client(folder) as other:
            first = await answer(connected, "plan_prompt", prompt="pixel art")
            assert await answer(other, "plan_prompt", prompt="pixel art") == first
            assert pid_of(folder) == pid

    with engine_process(folder) as process:
        asyncio.run(steps(process.pid))
        assert process.poll() is None


def test_a_killed_engine_is_started_again_and_ends_with_the_client(folder: Path) -> None:
    async def steps() -> int:
        async with client(folder) as connected:
            await answer(connected, "catalogue_status")
            os.kill(pid_of(folder), signal.SIGKILL)
            await answer(connected, "catalogue_status")
            return pid_of(folder)

    wait_until_gone(asyncio.run(steps()))


def test_a_cancelled_call_does_not_hold_up_the_next(folder: Path) -> None:
    async def steps() -> None:
        words = [sys.executable, "-c", LOUD]
        async with client(folder, words=words) as connected:
            with anyio.move_on_after(2) as cancelled:
                await connected.call_tool("search_loras", {"text": "slow"})
            assert cancelled.cancelled_caught
            assert (await answer(connected, "search_loras", text="pixel"))["total"]

    asyncio.run(steps())


@contextmanager
def bare_server(folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        words,
        cwd=ROOT,
        env=environment(folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


def ask(process: subprocess.Popen[bytes], number: int, method: str, **params: Any) -> Any:
    """One request and the next line of standard output, which must be its answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    process.stdin.write(json.dumps(request).encode() + b"\n")
    process.stdin.flush()
    found = json.loads(process.stdout.readline())
    assert found["id"] == number
    return found


def initialise(process: subprocess.Popen[bytes]) -> None:
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    assert ask(process, 1, "initialize", **hello)["result"]["serverInfo"]["name"] == "stylus"
    assert process.stdin is not None
    process.stdin.write(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')
    process.stdin.flush()


def test_standard_output_has_nothing_but_the_protocol(folder: Path) -> None:
    with bare_server(folder, sys.executable, "-c", LOUD) as process:
        initialise(process)
        call = {"name": "search_loras", "arguments": {"text": "pixel"}}
        assert not ask(process, 2, "tools/call", **call)["result"]["isError"]
        call["arguments"] = {"text": "broken"}
        failed = ask(process, 3, "tools/call", **call)["result"]
        assert failed["isError"]
        assert "Traceback" not in json.dumps(failed)
        assert process.stdin is not None
        for junk in (b"not json\n", b"[]\n", b'{"jsonrpc": "2.0"}\n', b"\xff\xfe\n"):
            process.stdin.write(junk)
        call["arguments"] = {"text": "pixel"}
        assert process.stdin is not None
        request = {"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": call}
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.close()
        assert process.stdout is not None
        rest = [json.loads(line) for line in process.stdout.read().splitlines()]
        assert all(line["jsonrpc"] == "2.0" for line in rest)
        assert process.wait(PATIENCE_S) == 0


def test_a_kill_leaves_no_engine_behind(folder: Path) -> None:
    with bare_server(folder, *server_words()) as process:
        initialise(process)
        call = {"name": "catalogue_status", "arguments": {}}
        assert not ask(process, 2, "tools/call", **call)["result"]["isError"]
        pid = pid_of(folder)
        process.kill()
    wait_until_gone(pid)
    assert engine_address.engine_holder(folder) is None


def test_a_signal_ends_it(folder: Path) -> None:
    with bare_server(folder, *server_words()) as process:
        initialise(process)
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)
