"""A small real server on 127.0.0.1 that speaks OpenAI's embeddings API, and misbehaves when it is
told to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.fakes import BagEmbedder
from tests.local_server import serve

Answer = tuple[int, dict[str, str], Any]


@dataclass
class EmbeddingServer:
    """`script` holds what to do with the next requests: None answers well, a number is a status, a
    function makes it all.
    """

    url: str = ""
    script: list[None | int | Callable[[dict[str, Any]], Answer]] = field(default_factory=list)
    seen: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    bag: BagEmbedder = field(default_factory=BagEmbedder)
    shortens: bool = False
    """As text-embedding-3-large does: by the first numbers of each vector."""

    def answer(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> Answer:
        self.seen.append((path, headers, body))
        step = self.script.pop(0) if self.script else None
        if callable(step):
            return step(body)
        if step is not None:
            return step, {"Retry-After": "0"}, {"error": {"message": "as the test wants it"}}
        return 200, {}, self.good(body)

    def good(self, body: dict[str, Any], stretch: float = 3.0) -> dict[str, Any]:
        """Not of unit length, and in the wrong order, as servers may."""
        vectors = self.bag.embed(body["input"]) * stretch
        if self.shortens and "dimensions" in body:
            vectors = vectors[:, : body["dimensions"]] + 0.01
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": [float(number) for number in vector],
            }
            for index, vector in enumerate(vectors)
        ]
        return {
            "object": "list",
            "model": body["model"],
            "data": data[::-1],
            "usage": {"prompt_tokens": 0, "total_tokens": 0},
        }


@contextmanager
def serving() -> Iterator[EmbeddingServer]:
    told = EmbeddingServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, extra, answer = told.answer(self.path, headers, body)
            sent = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(sent)),
                **extra,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    with serve(Handler) as told.url:
        yield told
