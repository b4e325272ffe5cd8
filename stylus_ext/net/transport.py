"""The httpx transports: proxies and certificates of the environment, waits that a check can end.

httpx's own timeouts bound one connect and one silence. A total deadline, a stop by the user and
the address behind a name need a hook at the socket, which httpx does not offer and httpcore does:
its pool takes a network backend. Hence a transport of our own over httpcore's public pool.
"""

from __future__ import annotations

import os
import ssl
import threading
import time
import urllib.request
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

import httpcore
import httpx

from stylus_ext.core.errors import InvalidInput
from stylus_ext.net.keys import (
    Key,
    is_home_network,
    is_loopback,
    is_number,
    is_private_number,
    origin_of,
)
from stylus_ext.net.waiting import ThreadCheck, in_thread

_CA_FILES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_CA_FOLDER = "SSL_CERT_DIR"
_POLL_S = 0.1


class Transport(httpx.BaseTransport):
    """Sends directly, or through the proxy that the environment names for the host.

    With `public`, a name that leads to a private address is refused; a proxy looks names up
    itself, so there the check cannot be made.
    """

    def __init__(self, watch: ThreadCheck, *, public: bool = False) -> None:
        self._watch, self._public = watch, public
        self._pools: dict[str, httpcore.ConnectionPool] = {}
        self._guard = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        proxy = proxy_for(str(request.url))
        with self._guard:
            if proxy not in self._pools:
                self._pools[proxy] = self._pool(proxy)
            pool = self._pools[proxy]
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        with _httpx_errors():
            response = pool.handle_request(
                httpcore.Request(
                    request.method,
                    url,
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,
        )

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()

    def _pool(self, proxy: str) -> httpcore.ConnectionPool:
        return httpcore.ConnectionPool(
            ssl_context=certificates(),
            proxy=_proxy(proxy) if proxy else None,
            max_connections=100,
            max_keepalive_connections=64,
            keepalive_expiry=15.0,
            network_backend=_Network(self._watch, public=self._public and not proxy),
        )


def authorize(request: httpx.Request, key: Key | None) -> None:
    """Set the Authorization header for the key's own origin, and remove it for any other."""
    request.headers.pop("Authorization", None)
    if key is not None and origin_of(str(request.url)) == key.origin:
        request.headers["Authorization"] = f"{key.scheme} {key.secret}"


class KeyAuth(httpx.Auth):
    """Sends the key to its own origin alone.

    httpx runs an `Auth` once for all hops of a redirect that it follows itself, so its clients
    here follow none.
    """

    def __init__(self, key: Key | None) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        authorize(request, self._key)
        yield request


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        with _httpx_errors():
            yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


@contextmanager
def _httpx_errors() -> Iterator[None]:
    """Each error of httpcore has its twin of the same name in httpx."""
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.ProxyError,
        httpcore.UnsupportedProtocol,
    ) as error:
        raise getattr(httpx, type(error).__name__)(str(error)) from error


def proxy_for(url: str) -> str:
    """The proxy that the environment or the system names for this address; empty for none.

    This machine is reached directly, and so is a plain-http address in the home network, since a
    key may be sent there.
    """
    parts = httpx.URL(url)
    if is_loopback(url) or (parts.scheme == "http" and is_home_network(url)):
        return ""
    named = urllib.request.getproxies()
    proxy = named.get(parts.scheme) or named.get("all", "")
    if not proxy or urllib.request.proxy_bypass(parts.host):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _proxy(address: str) -> httpcore.Proxy:
    try:
        url = httpx.URL(address)
        if url.scheme in ("http", "https") and url.host:
            auth = (url.username.encode(), url.password.encode()) if url.userinfo else None
            return httpcore.Proxy(
                httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=b"/"),
                auth=auth,
            )
    except httpx.InvalidURL:
        pass
    raise InvalidInput(
        "The proxy that the environment names cannot be used. Set HTTPS_PROXY to http://host:port."
    )


def certificates() -> ssl.SSLContext:
    """The authorities that the environment names; else the system's and certifi's."""
    file = next((os.environ[name] for name in _CA_FILES if os.environ.get(name)), None)
    return _certificates(file, os.environ.get(_CA_FOLDER) or None)


@lru_cache(maxsize=4)
def _certificates(file: str | None, folder: str | None) -> ssl.SSLContext:
    """Cached: reading a few hundred takes longer than a request to a server nearby."""
    try:
        if file or folder:
            return ssl.create_default_context(cafile=file, capath=folder)
        context = ssl.create_default_context()
        import certifi

        context.load_verify_locations(certifi.where())
    except OSError as error:
        raise InvalidInput(
            f"The certificates named by {', '.join(_CA_FILES)} or {_CA_FOLDER} cannot be read:"
            f" {error}."
        ) from error
    return context


class _Network(httpcore.NetworkBackend):
    """httpcore's sockets, which also call the check of the thread while they wait."""

    def __init__(self, watch: ThreadCheck, *, public: bool) -> None:
        self._watch, self._public = watch, public
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        connect = partial(
            self._plain.connect_tcp, host, port, timeout, local_address, socket_options
        )
        stream = in_thread(connect, self._watch.check, httpcore.NetworkStream.close)
        address = stream.get_extra_info("server_addr")
        if self._public and not is_number(host) and address and is_private_number(str(address[0])):
            stream.close()
            raise httpcore.ConnectError("its name leads to a private address")
        return _Stream(stream, self._watch)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, watch: ThreadCheck) -> None:
        self._inner = inner
        self._watch = watch

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Wait in short steps; a read that timed out can be repeated, with TLS too."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            self._watch.check()
            try:
                return self._inner.read(max_bytes, _POLL_S)
            except httpcore.ReadTimeout:
                if until is not None and time.monotonic() >= until:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        shake = partial(self._inner.start_tls, ssl_context, server_hostname, timeout)
        stream = in_thread(shake, self._watch.check, httpcore.NetworkStream.close)
        return _Stream(stream, self._watch)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
