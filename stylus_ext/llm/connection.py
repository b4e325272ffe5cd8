"""`ChatClient`: a question goes in, a `Reply` that fits its schema comes out, in the time that was
given and three tries.
"""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Iterator
from threading import Lock
from typing import Any

import httpx

from stylus_ext.llm.client import Asking
from stylus_ext.llm.dialect import ServerDialect
from stylus_ext.llm.server import OPENAI, ChatEndpoint, ChatRequest, Reply
from stylus_ext.net import (
    BadAnswer,
    Http,
    HttpRefusal,
    Key,
    TimeLimits,
    Unreachable,
    origin_of,
    safe_url,
)
from stylus_ext.net.transport import Transport
from stylus_ext.net.waiting import Check, ThreadCheck, no_check

logger = logging.getLogger(__name__)


MOST_BYTES = 4 * 1024 * 1024
AGENT = "sd-webui-stylus"
_CONNECT_S = 5.0
_KEPT_HEADERS = frozenset(
    ("host", "accept", "connection", "content-type", "content-length", "transfer-encoding")
)
_AUTO = zlib.MAX_WBITS | 32  # gzip or zlib, whichever it is


class Connection:
    """To a base address, with the key that was entered for it; answers of more than `most` bytes
    are refused.

    May be used from several threads; each asks its own check while it waits. Both questions raise
    what the package raises, and what `check` raises.
    """

    def __init__(self, base: str, key: Key | None, most: int = MOST_BYTES) -> None:
        from openai import OpenAI

        self._watch = ThreadCheck()
        self._http = httpx.Client(
            transport=_Narrow(Transport(self._watch), key, most),
            trust_env=False,
            follow_redirects=False,
        )
        client: Any = self._http
        self._openai: Any = OpenAI(base_url=base, api_key="none", http_client=client, max_retries=0)

    def chat(self, body: dict[str, Any], seconds: float, check: Check) -> bytes:
        return self._sent("/chat/completions", body, seconds, check)

    def embeddings(self, body: dict[str, Any], seconds: float, check: Check) -> bytes:
        return self._sent("/embeddings", body, seconds, check)

    def _sent(self, route: str, body: dict[str, Any], seconds: float, check: Check) -> bytes:
        """As it is: walking through a question and its schema, as the package's own methods do,
        would take longer than all the rest.
        """
        timeout = httpx.Timeout(max(seconds, 0.01), connect=max(0.01, min(seconds, _CONNECT_S)))
        with self._watch.using(check):
            content: bytes = self._openai.post(
                route, cast_to=httpx.Response, body=body, options={"timeout": timeout}
            ).content
            return content

    def close(self) -> None:
        self._http.close()


class _Narrow(httpx.BaseTransport):
    """Out goes what was entered and nothing else; in comes no more than anybody needs, packed or
    not.
    """

    def __init__(self, inner: httpx.BaseTransport, key: Key | None, most: int) -> None:
        self._inner, self._key, self._most = inner, key, most

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(self._bare(request))
        packed = response.headers.get("content-encoding", "identity").strip().lower()
        if packed not in ("", "identity", "gzip", "deflate"):
            response.close()
            raise BadAnswer(
                f"{safe_url(str(request.url))} packed its answer in a way that was not asked for."
            )
        headers = [
            (name, value)
            for name, value in response.headers.multi_items()
            if name not in ("content-encoding", "content-length")
        ]
        stream = _Measured(
            response, safe_url(str(request.url)), packed in ("gzip", "deflate"), self._most
        )
        return httpx.Response(
            response.status_code, headers=headers, stream=stream, extensions=response.extensions
        )

    def _bare(self, request: httpx.Request) -> httpx.Request:
        """A copy, so that the library never sees the key."""
        headers = {
            name: value for name, value in request.headers.items() if name.lower() in _KEPT_HEADERS
        }
        headers |= {"accept-encoding": "gzip, deflate", "user-agent": AGENT}
        if self._key is not None and origin_of(str(request.url)) == self._key.origin:
            headers["authorization"] = f"Bearer {self._key.secret}"
        return httpx.Request(
            request.method,
            request.url,
            headers=headers,
            stream=request.stream,
            extensions=request.extensions,
        )

    def close(self) -> None:
        self._inner.close()


class _Measured(httpx.SyncByteStream):
    def __init__(self, response: httpx.Response, where: str, packed: bool, most: int) -> None:
        self._response, self._where, self._most = response, where, most
        self._unpacker = zlib.decompressobj(_AUTO) if packed else None

    def __iter__(self) -> Iterator[bytes]:
        total = 0
        for piece in self._response.iter_raw():
            unpacked = self._unpacked(piece, self._most + 1 - total)
            total += len(unpacked)
            if total > self._most:
                raise BadAnswer(f"{self._where} answered with more than anybody needs.")
            yield unpacked

    def close(self) -> None:
        self._response.close()

    def _unpacked(self, piece: bytes, most: int) -> bytes:
        if self._unpacker is None:
            return piece
        try:
            return self._unpacker.decompress(piece, most)
        except zlib.error as error:
            raise BadAnswer(
                f"{self._where} answered with packed bytes that cannot be unpacked."
            ) from error


LIMITS = TimeLimits(connect_s=1.0, stall_s=3.0, total_s=3.0, tries=1)


def release(endpoint: ChatEndpoint, http: Http) -> bool | None:
    """Ollama's own route, since it ignores `keep_alive` on /v1. None where the server has no such
    route.
    """
    try:
        http.json(
            f"{endpoint.base.removesuffix('/v1')}/api/generate",
            body={"model": endpoint.model, "keep_alive": 0, "stream": False},
        )
    except HttpRefusal as problem:
        logger.debug("%s does not free memory: %s", endpoint.base, problem)
        return None
    except (Unreachable, BadAnswer) as problem:
        logger.info("%s was not freed: %s", endpoint.model, problem)
        return False
    logger.info("%s left the memory of %s.", endpoint.model, endpoint.origin)
    return True


class ChatClient:
    """May be used from several threads. What a server accepts is learned once and remembered."""

    def __init__(self, endpoint: ChatEndpoint) -> None:
        self.endpoint = endpoint
        self.manners = ServerDialect(
            limit="max_completion_tokens" if endpoint.origin == OPENAI else "max_tokens"
        )
        self._guard = Lock()
        self._connection: Connection | None = None
        self._native: Http | None = None
        self._releases = True

    @property
    def local(self) -> bool:
        return self.endpoint.local

    @property
    def name(self) -> str:
        return f"{self.endpoint.model} at {self.endpoint.base}"

    def ask(self, question: ChatRequest, deadline_s: float, check: Check = no_check) -> Reply:
        """Raises a `ChatProblem`, or what `check` raises."""
        began = time.perf_counter()
        asking = Asking(self, question, deadline_s, check)
        reply = asking.reply()
        logger.info(
            "%s answered after %d tries in %.0f ms: %d tokens in, %d out.",
            self.endpoint.base,
            asking.tries,
            1000 * (time.perf_counter() - began),
            reply.tokens_in,
            reply.tokens_out,
        )
        return reply

    def release(self) -> bool:
        """Has the server free the memory of the picture's card, where it is one of one's own that
        knows how; whether it did.
        """
        if not self.local or not self._releases:
            return False
        with self._guard:
            self._native = self._native or Http(self.endpoint.key, limits=LIMITS)
        freed = release(self.endpoint, self._native)
        self._releases = freed is not None
        return bool(freed)

    def learned(self, manners: ServerDialect) -> None:
        with self._guard:
            self.manners = manners

    def connected(self) -> Connection:
        with self._guard:
            if self._connection is None:
                self._connection = Connection(self.endpoint.base, self.endpoint.key)
            return self._connection

    def close(self) -> None:
        with self._guard:
            connection, self._connection = self._connection, None
            native, self._native = self._native, None
        if native is not None:
            native.close()
        if connection is not None:
            connection.close()
