"""A file on loopback, at full speed or at a given one, ranges included: run as a script; its port
is its first line of output.

It ends with its standard input. Only the standard library: it stands for a server elsewhere, so it
shares nothing with what it measures.
"""

from __future__ import annotations

import os
import re
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

_PIECE = 4 * 1024 * 1024


class FileServer(socketserver.ThreadingTCPServer):
    """Serves one file, whatever is asked for."""

    daemon_threads = True
    allow_reuse_address = True
    file = Path()


class FileHandler(BaseHTTPRequestHandler):
    server: FileServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        size = self.server.file.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = min(int(asked[1]), size) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(size - start))
        self.send_header("ETag", f'"{size}"')
        if asked:
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
        """Silent."""


def main() -> None:
    with FileServer(("127.0.0.1", 0), FileHandler) as server:
        server.file = Path(sys.argv[1])
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
