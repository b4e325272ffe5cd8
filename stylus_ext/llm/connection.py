"""A connection to one OpenAI-compatible chat server, through the openai package."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from stylus_ext.net import BadAnswer, Key, safe_url
from stylus_ext.net.transport import Transport, authorize
from stylus_ext.net.waiting import Check, ThreadCheck

AGENT = "sd-webui-stylus"
LARGEST_RESPONSE = 4 * 1024 * 1024
_CONNECT_S = 5.0
_SENT_HEADERS = frozenset(
    ("host", "accept", "connection", "content-type", "content-length", "transfer-encoding")
)


def load_openai() -> None:
    """Import the package, which takes a second or more, before the time of a request starts."""
    import openai  # noqa: F401


class Connection:
    """The key goes to its own origin only; large responses are refused.

    Several threads may share it; each call has its own check. A call returns the body of the
    response and raises what openai raises, or what `check` raises. The body stays bytes, since
    openai would parse JSON of any depth.
    """

    def __init__(self, base: str, key: Key | None) -> None:
        from openai import OpenAI

        self._watch = ThreadCheck()
        # openai takes a client of httpx as well as of httpx2, and declares the second one only.
        client: Any = httpx.Client(
            transport=_PlainTransport(Transport(self._watch), key),
            trust_env=False,
            follow_redirects=False,
        )
        self._openai = OpenAI(base_url=base, api_key="none", http_client=client, max_retries=0)

    def complete(self, body: Mapping[str, Any], seconds: float, check: Check) -> bytes:
        seconds = max(seconds, 0.01)
        timeout: Any = httpx.Timeout(seconds, connect=min(seconds, _CONNECT_S))
        with self._watch.using(check):
            # `extra_body` overrides the arguments; openai walks through each of those recursively,
            # which takes longer than all else here.
            return self._openai.chat.completions.with_raw_response.create(
                model=body["model"], messages=(), extra_body=body, timeout=timeout
            ).content

    def close(self) -> None:
        self._openai.close()


class _PlainTransport(httpx.BaseTransport):
    """Sends the key, and no facts about the machine; refuses large responses.

    openai adds such facts, and headers that the environment names, and reads responses whole. It
    never sees the key.
    """

    def __init__(self, inner: Transport, key: Key | None) -> None:
        self._inner, self._key = inner, key

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        headers = {name: value for name, value in request.headers.items() if name in _SENT_HEADERS}
        headers |= {"accept-encoding": "gzip, deflate", "user-agent": AGENT}
        copy = httpx.Request(
            request.method,
            request.url,
            headers=headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        authorize(copy, self._key)
        response = self._inner.handle_request(copy)
        encoding = response.headers.pop("content-encoding", "identity").strip().lower()
        response.headers.pop("content-length", None)
        where = safe_url(str(request.url))
        if encoding not in ("", "identity", "gzip", "deflate"):
            response.close()
            raise BadAnswer(f"{where} used a compression that was not requested.")
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_BoundedBody(response, where, encoding in ("gzip", "deflate")),
            extensions=response.extensions,
        )

    def close(self) -> None:
        self._inner.close()


class _BoundedBody(httpx.SyncByteStream):
    """A decoded body. httpx decodes a chunk of any ratio at once, which could fill the memory."""

    def __init__(self, response: httpx.Response, where: str, packed: bool) -> None:
        self._response, self._where = response, where
        self._decoder = zlib.decompressobj(zlib.MAX_WBITS | 32) if packed else None

    def __iter__(self) -> Iterator[bytes]:
        left = LARGEST_RESPONSE
        for piece in self._response.iter_raw():
            decoded = self._decoded(piece, left + 1)
            left -= len(decoded)
            if left < 0:
                raise BadAnswer(f"{self._where} answered with too much data.")
            yield decoded

    def close(self) -> None:
        self._response.close()

    def _decoded(self, piece: bytes, most: int) -> bytes:
        try:
            return piece if self._decoder is None else self._decoder.decompress(piece, most)
        except zlib.error as error:
            raise BadAnswer(f"The answer of {self._where} cannot be decompressed.") from error
