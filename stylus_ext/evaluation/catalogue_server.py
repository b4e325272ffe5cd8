"""A catalogue on loopback in Civitai's shape, of invented cards: `main` of this module in another
process; its port is its first line of output.

Its pages are made before anybody asks, since it stands for a server elsewhere. It ends with its
standard input.
"""

from __future__ import annotations

import json
import socketserver
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from stylus_ext.core.card import AdapterCard
from stylus_ext.evaluation import invented

ON_A_PAGE = 100


def part(number: int) -> str:
    """The tag by which one of the server's parts is asked for."""
    return f"part{number}"


def as_model(place: int, card: AdapterCard) -> dict[str, Any]:
    """As Civitai lists it, with pictures and HTML."""
    version_id, remote = 20_000_000 + place, card.remote
    sha256 = (remote.sha256 or "").upper() if remote else ""
    about = "".join(f"<p>{sentence}</p>" for sentence in card.text.split(". "))
    pictures = [
        {
            "id": place * 10 + number,
            "url": f"https://image.civitai.com/x/{place}.jpeg",
            "nsfwLevel": 1,
            "type": "image",
            "meta": {"prompt": one.prompt},
        }
        for number, one in enumerate(card.examples)
    ]
    file = {
        "id": place,
        "name": remote.name if remote else "",
        "type": "Model",
        "sizeKB": (remote.size if remote else 0) / 1024,
        "primary": True,
        "metadata": {"format": "SafeTensor", "fp": "fp16"},
        "pickleScanResult": "Success",
        "virusScanResult": "Success",
        "hashes": {"SHA256": sha256, "AutoV2": sha256[:10], "AutoV3": sha256[20:32]},
    }
    version = {
        "id": version_id,
        "name": "v1.0",
        "baseModel": card.base_model,
        "publishedAt": "2026-01-02T03:04:05.000Z",
        "availability": "Public",
        "nsfwLevel": 1,
        "trainedWords": list(card.triggers),
        "files": [file],
        "images": pictures,
        "stats": {"downloadCount": card.downloads},
    }
    return {
        "id": 10_000_000 + place,
        "name": card.name,
        "type": "LORA",
        "nsfw": False,
        "nsfwLevel": 1,
        "poi": False,
        "minor": False,
        "tags": list(card.tags),
        "description": (
            f'<h2>{card.name}</h2>{about}<p>Support me: <a href="https://ko-fi.com/x">ko-fi</a></p>'
        ),
        "creator": {"username": "somebody"},
        "allowCommercialUse": ["Image"],
        "stats": {"downloadCount": card.downloads, "thumbsUpCount": 40, "thumbsDownCount": 2},
        "modelVersions": [version],
    }


def cards_like(number: int) -> Iterator[AdapterCard]:
    """Others of the same kind, as a crawl would make them."""
    yield from invented.cards(number, seed=22)


def pages(number: int, parts: int) -> Mapping[str, Sequence[bytes]]:
    """All of them, as they are sent, by part."""
    models = [
        as_model(place, card) for place, card in enumerate(invented.cards(number, seed=21), 1)
    ]
    share = -(-number // parts)
    return {
        part(one): list(_pages(models[one * share : (one + 1) * share])) for one in range(parts)
    }


def _pages(models: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
    for start in range(0, len(models), ON_A_PAGE):
        after = start + ON_A_PAGE
        metadata = {"nextCursor": str(after // ON_A_PAGE)} if after < len(models) else {}
        yield json.dumps({"items": models[start:after], "metadata": metadata}).encode()


class CatalogueServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    pages: Mapping[str, Sequence[bytes]]


class CatalogueHandler(BaseHTTPRequestHandler):
    server: CatalogueServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        held = self.server.pages.get(asked.get("tag", ""), ())
        place = asked.get("cursor", "0")
        known = place.isdecimal() and int(place) < len(held)
        body = held[int(place)] if known else b'{"error": "Not found"}'
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


def main(arguments: Sequence[str]) -> int:
    with CatalogueServer(("127.0.0.1", 0), CatalogueHandler) as server:
        server.pages = pages(int(arguments[0]), int(arguments[1]))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        sys.stdin.read()
        server.shutdown()
    return 0
