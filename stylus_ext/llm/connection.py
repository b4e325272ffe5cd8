"""A connection to one OpenAI-compatible server, through the openai package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from stylus_ext.net import Key
from stylus_ext.net.transport import BoundedTransport, Transport, authorize
from stylus_ext.net.waiting import Check, ThreadCheck

AGENT = "sd-webui-stylus"
LARGEST_RESPONSE = 4 * 1024 * 1024
_CONNECT_S = 5.0
_SENT_HEADERS = frozenset(
    ("host", "accept", "connection", "content-type", "content-length", "transfer-encoding")
)


class Connection:
    """The key goes to its own origin only; responses of more than `most` bytes are refused.

    Several threads may share it; each call has its own check. A call returns the body of the
    response and raises what openai raises, or what `check` raises. The body stays bytes, since
    openai would parse JSON of any depth.
    """

    def __init__(self, base: str, key: Key | None, most: int = LARGEST_RESPONSE) -> None:
        from openai import OpenAI

        self._watch = ThreadCheck()
        # openai takes a client of httpx as well as of httpx2, and declares the second one only.
        client: Any = httpx.Client(
            transport=_PlainRequests(BoundedTransport(Transport(self._watch), most), key),
            trust_env=False,
            follow_redirects=False,
        )
        self._openai = OpenAI(base_url=base, api_key="none", http_client=client, max_retries=0)

    def chat(self, body: Mapping[str, Any], seconds: float, check: Check) -> bytes:
        with self._watch.using(check):
            # `extra_body` overrides the arguments; openai walks through each of those recursively,
            # which takes longer than all else here.
            return self._openai.chat.completions.with_raw_response.create(
                model=body["model"], messages=(), extra_body=body, timeout=_timeout(seconds)
            ).content

    def embeddings(self, body: Mapping[str, Any], seconds: float, check: Check) -> bytes:
        with self._watch.using(check):
            return self._openai.embeddings.with_raw_response.create(
                **body, timeout=_timeout(seconds)
            ).content

    def close(self) -> None:
        self._openai.close()


def _timeout(seconds: float) -> Any:
    seconds = max(seconds, 0.01)
    return httpx.Timeout(seconds, connect=min(seconds, _CONNECT_S))


class _PlainRequests(httpx.BaseTransport):
    """Sends a copy of each request, with its key and without needless headers.

    openai adds facts about the machine, and headers that the environment names; it never sees the
    key.
    """

    def __init__(self, inner: httpx.BaseTransport, key: Key | None) -> None:
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
        return self._inner.handle_request(copy)

    def close(self) -> None:
        self._inner.close()
