"""`install.py mcp --http` with the official client, and what its gate refuses."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.engine_process import PATIENCE_S, ROOT, environment
from tests.mcp_server.client import answer, mcp, refusal, server_words
from tests.mcp_server.test_tool_engine import pid_of, wait_until_gone

PROXY = "stylus.example"
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


@dataclass(frozen=True)
class Served:
    url: str
    token: str
    process: subprocess.Popen[str]

    def post(self, body: object = None, **changed: str | None) -> tuple[int, str]:
        """The status and text for a first request with other headers; None leaves one out."""
        parts = urlsplit(self.url)
        headers = {
            "Host": parts.netloc,
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
        }
        named = {name.replace("_", "-").title(): value for name, value in changed.items()}
        connection = http.client.HTTPConnection(parts.netloc, timeout=PATIENCE_S)
        connection.putrequest("POST", parts.path, skip_host=True, skip_accept_encoding=True)
        data = body if isinstance(body, bytes) else json.dumps(body or HELLO).encode()
        for name, value in {**headers, "Content-Length": str(len(data)), **named}.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(data)
        try:
            found = connection.getresponse()
            return found.status, found.read().decode()
        finally:
            connection.close()


@contextmanager
def served(folder: Path, *flags: str, **variables: str) -> Iterator[Served]:
    process = subprocess.Popen(
        server_words("--http", *flags),
        cwd=ROOT,
        env=environment(folder, variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        url = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
        file = folder / "mcp-token"
        token = variables.get("STYLUS_MCP_TOKEN") or file.read_text()
        yield Served(url, token, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=PATIENCE_S)
    assert out == ""


@asynccontextmanager
async def client(url: str, token: str) -> AsyncIterator[Any]:
    httpx2 = pytest.importorskip("httpx2")
    from mcp.client.streamable_http import streamable_http_client

    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=PATIENCE_S) as session:
        transport = streamable_http_client(url, http_client=session)
        async with mcp.Client(transport, read_timeout_seconds=PATIENCE_S) as connected:
            yield connected


def test_the_tools_answer_with_the_token_and_the_end_is_clean(folder: Path) -> None:
    async def steps(one: Served) -> int:
        async with client(one.url, one.token) as connected:
            plan = await answer(connected, "plan_prompt", prompt="a corgi, pixel art")
            assert plan["picks"]
            await refusal(connected, "plan_prompt", {"prompt": "a", "family": "none such"})
            return pid_of(folder)

    with served(folder) as one:
        file = folder / "mcp-token"
        assert file.stat().st_mode & 0o777 == 0o600
        pid = asyncio.run(steps(one))
        again = asyncio.run(steps(one))
        assert pid == again
    wait_until_gone(pid)
    assert file.read_text() == one.token, "clients keep it"


def test_the_gate_refuses_all_others(folder: Path) -> None:
    with served(folder, "--allow-host", PROXY.upper()) as one:
        assert one.post()[0] == 200
        for token in (None, "", "Bearer", "Bearer wrong", f"Basic {one.token}"):
            status, text = one.post(authorization=token)
            assert (status, json.loads(text)["error"]["code"]) == (401, "token")
            assert one.token not in text
        for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "", None):
            assert one.post(host=host)[0] in (400, 403), host
        for origin in ("https://evil.example", "null", "file://", "https://localhost.evil.example"):
            status, text = one.post(origin=origin)
            assert (status, json.loads(text)["error"]["code"]) == (403, "origin")
        for origin in ("http://localhost:3000", "http://127.0.0.1", f"https://{PROXY}"):
            assert one.post(origin=origin)[0] == 200
        assert one.post(host=PROXY)[0] == 200
        assert one.post(b"{")[0] == 400
        assert one.post(content_length=str(2**40))[0] == 413
        assert one.post()[0] == 200


def test_the_token_may_be_set_and_a_weak_one_is_refused(folder: Path) -> None:
    with served(folder, STYLUS_MCP_TOKEN="0123456789abcdef-set") as one:
        assert one.post()[0] == 200
        assert not (folder / "mcp-token").exists()
    for words, variables in (((), {"STYLUS_MCP_TOKEN": "short"}), (("--port", "99999"), {})):
        done = subprocess.run(
            server_words("--http", *words),
            cwd=ROOT,
            env=environment(folder, variables),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert len(done.stderr.splitlines()) == 1
