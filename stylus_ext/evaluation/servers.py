"""Loopback servers for the benchmarks: a file, the pages of a catalogue, a chat model.

Each runs as a script of its own, with the standard library only, since it stands for a server on
another machine and must share nothing with what is measured. It prints its port first and ends
when its standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

_PIECE = 4 * 1024 * 1024
_DESCRIPTION = {
    "shared": "",
    "kind": "background",
    "text": "Wet city streets at night with red paper lanterns.",
    "weight": 0.7,
    "slider": False,
    "utility": False,
    "speed": False,
}
_CHAT = b"/chat/completions "
_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def serving(kind: str, *arguments: object) -> Iterator[str]:
    """Run a server and yield its address.

    `file PATH` serves that file; `pages PATH` a JSON object of page lists by tag; `chat SECONDS
    [TEXT]` answers every question with the same text after that time.
    """
    from stylus_ext.core.errors import Unavailable

    script = str(Path(__file__).resolve())
    process = subprocess.Popen(
        [sys.executable, "-S", "-s", script, kind, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        port = process.stdout.readline().strip() if process.stdout else ""
        if not port:
            raise Unavailable(f"The local {kind} server of the benchmark did not start.")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.communicate()


class LocalServer(socketserver.ThreadingTCPServer):
    """A threading server on a free port of this machine."""

    daemon_threads = True
    allow_reuse_address = True
    file = Path()
    pages: dict[str, list[str]]


class FileHandler(BaseHTTPRequestHandler):
    """Serves one file for every path, with ranges."""

    server: LocalServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        size = self.server.file.stat().st_size
        range_header = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = min(int(range_header[1]), size) if range_header else 0
        self.send_response(206 if range_header else 200)
        self.send_header("Content-Length", str(size - start))
        self.send_header("ETag", f'"{size}"')
        if range_header:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.end_headers()
        with self.server.file.open("rb") as file:
            try:
                self._send(file.fileno(), start, size)
            except (ConnectionError, TimeoutError):
                self.close_connection = True

    def _send(self, file: int, start: int, size: int) -> None:
        if hasattr(os, "sendfile"):
            while start < size:
                start += os.sendfile(
                    self.connection.fileno(), file, start, min(_PIECE, size - start)
                )
            return
        os.lseek(file, start, os.SEEK_SET)
        while piece := os.read(file, _PIECE):
            self.connection.sendall(piece)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


class PagesHandler(BaseHTTPRequestHandler):
    """Serves prepared pages by the parameters `tag` and `cursor`."""

    server: LocalServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        pages = self.server.pages.get(query.get("tag", ""), [])
        cursor = query.get("cursor", "0")
        found = cursor.isdecimal() and int(cursor) < len(pages)
        body = pages[int(cursor)].encode() if found else b'{"error": "Not found"}'
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def _announce(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


def _serve_threads(handler: type[BaseHTTPRequestHandler], path: Path) -> None:
    with LocalServer(("127.0.0.1", 0), handler) as server:
        server.file = path
        if handler is PagesHandler:
            server.pages = json.loads(path.read_text("utf-8"))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        _announce(server.server_address[1])
        sys.stdin.read()
        server.shutdown()


def _chat_answer(text: str) -> bytes:
    """Return the bytes of a chat completion with this text."""
    completion = {
        "id": "measured",
        "object": "chat.completion",
        "created": 0,
        "model": "measured",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        ],
        "usage": {"prompt_tokens": 600, "completion_tokens": 60, "total_tokens": 660},
    }
    body = json.dumps(completion).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


async def _chat_connection(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, latency_s: float, answer: bytes
) -> None:
    """Answer one connection; the latency counts from the last byte of a request."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lengths = re.findall(rb"(?im)^content-length:\s*(\d+)", head)
            await reader.readexactly(int(lengths[0]) if lengths else 0)
            if _CHAT in head.split(b"\r\n")[0]:
                await asyncio.sleep(latency_s)
                writer.write(answer)
            else:  # for example a request to free memory, which most servers do not know
                writer.write(_NOT_FOUND)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _serve_chat(latency_s: float, text: str) -> None:
    answer = _chat_answer(text)
    server = await asyncio.start_server(
        lambda reader, writer: _chat_connection(reader, writer, latency_s, answer),
        "127.0.0.1",
        0,
        backlog=256,
    )
    _announce(server.sockets[0].getsockname()[1])
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


def main(words: list[str]) -> None:
    """Run the server that the words name; see `serving`."""
    kind, argument, *rest = words
    if kind == "chat":
        asyncio.run(_serve_chat(float(argument), rest[0] if rest else json.dumps(_DESCRIPTION)))
    else:
        _serve_threads({"file": FileHandler, "pages": PagesHandler}[kind], Path(argument))


if __name__ == "__main__":
    main(sys.argv[1:])
