"""A small real server on 127.0.0.1 that ranks by shared words, in the way of Cohere, Jina and vLLM
or in that of TEI; and misbehaves.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.local_server import serve

Step = None | int | float | bytes | Callable[[dict[str, Any]], Any]


@dataclass
class RerankServer:
    """`speaks` is "cohere" or "tei". `script`: a whole number is a status, a fraction a delay,
    bytes or a function are the answer.
    """

    url: str = ""
    speaks: str = "cohere"
    script: list[Step] = field(default_factory=list)
    seen: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)

    def answer(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        self.seen.append((path, headers, body))
        step = self.script.pop(0) if self.script else None
        if isinstance(step, float):
            time.sleep(step)
        elif isinstance(step, int):
            return step, {"error": f"as the test wants it {headers.get('authorization', '')}"}
        elif isinstance(step, bytes):
            return 200, step
        elif step is not None:
            return 200, step(body)
        if self.speaks == "tei":
            return (
                (200, self.tei(body))
                if path == "/rerank" and "texts" in body
                else (404 if path != "/rerank" else 422, {"error": "no"})
            )
        return (
            (200, self.cohere(body))
            if path == "/v1/rerank" and "documents" in body
            else (404, {"detail": "Not Found"})
        )

    def cohere(self, body: dict[str, Any]) -> dict[str, Any]:
        scores = _scores(body["query"], body["documents"])
        rows = [{"index": place, "relevance_score": score} for place, score in enumerate(scores)]
        return {
            "id": "1",
            "results": sorted(rows, key=lambda row: -row["relevance_score"])[: body["top_n"]],
        }

    def tei(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {"index": place, "score": score}
            for place, score in enumerate(_scores(body["query"], body["texts"]))
        ]


def _scores(query: str, texts: list[str]) -> list[float]:
    asked = set(query.lower().replace(",", " ").split())
    return [
        len(asked & set(text.lower().replace(".", " ").replace(",", " ").split()))
        / (len(asked) or 1)
        for text in texts
    ]


@contextmanager
def serving(speaks: str = "cohere") -> Iterator[RerankServer]:
    told = RerankServer(speaks=speaks)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = told.answer(
                self.path, {name.lower(): value for name, value in self.headers.items()}, body
            )
            sent = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    with serve(Handler) as told.url:
        yield told
