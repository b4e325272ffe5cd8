"""Sockets that ask a check while they wait; proxies and certificates as the environment has them.

httpx leaves the choice of sockets to httpcore, which takes a network back end; the transport hands
ours down.
"""

from __future__ import annotations

import os
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import httpcore
import httpx

from stylus_ext.core.errors import InvalidInput
from stylus_ext.net.keys import is_at_home, is_inside, is_loopback, is_number
from stylus_ext.net.waiting import Watch, in_thread

_CA_FILES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_CA_FOLDER = "SSL_CERT_DIR"
_POLL_S = 0.1


class Transport(httpx.BaseTransport):
    """Direct, or through the proxy that the environment names for this host; never through one to
    this machine itself, nor, where nothing is encrypted, to another in one's own network: a key may
    go there.

    With `public` a name that leads to a private address is not talked to; a proxy looks names up
    itself.
    """

    def __init__(self, watch: Watch, *, public: bool = False) -> None:
        self._watch, self._public = watch, public
        self._ways: dict[str, httpx.BaseTransport] = {}
        self._context: ssl.SSLContext | None = None
        self._guard = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        proxy = proxy_for(str(request.url))
        with self._guard:  # of two threads that come first, one makes it
            if proxy not in self._ways:
                self._ways[proxy] = self._way(proxy)
            way = self._ways[proxy]
        return way.handle_request(request)

    def close(self) -> None:
        for way in self._ways.values():
            way.close()

    def _way(self, proxy: str) -> httpx.BaseTransport:
        self._context = self._context or certificates()
        limits = httpx.Limits(
            max_connections=100, max_keepalive_connections=64, keepalive_expiry=15.0
        )
        try:
            way = httpx.HTTPTransport(
                verify=self._context, proxy=proxy or None, limits=limits, trust_env=False
            )
        except ImportError as error:
            raise InvalidInput(
                "The environment names a SOCKS proxy, and the part for it is not installed. Name an"
                " HTTP proxy in HTTPS_PROXY instead."
            ) from error
        except ValueError as error:
            raise InvalidInput(
                "The proxy that the environment names cannot be used; it looks like"
                " http://host:port."
            ) from error
        way._pool._network_backend = _Sockets(self._watch, public=self._public and not proxy)
        return way


def proxy_for(url: str) -> str:
    """What HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY (or the system's settings) say of this
    address; empty is none.
    """
    parts = httpx.URL(url)
    if is_loopback(url) or (parts.scheme == "http" and is_at_home(url)):
        return ""
    named = urllib.request.getproxies()
    proxy = named.get(parts.scheme) or named.get("all", "")
    if not proxy or urllib.request.proxy_bypass(parts.host):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def certificates() -> ssl.SSLContext:
    """The environment's authorities where it names any; else the system's and those that come with
    Python packages.
    """
    file = next((os.environ[name] for name in _CA_FILES if os.environ.get(name)), None)
    return _certificates(file, os.environ.get(_CA_FOLDER) or None)


@lru_cache(maxsize=4)
def _certificates(file: str | None, folder: str | None) -> ssl.SSLContext:
    """Reading a few hundred of them takes longer than a question to a server nearby."""
    try:
        if file or folder:
            return ssl.create_default_context(cafile=file, capath=folder)
        context = ssl.create_default_context()
        import certifi

        context.load_verify_locations(certifi.where())
    except OSError as error:
        raise InvalidInput(
            f"The certificates that the environment names ({', '.join(_CA_FILES)}, {_CA_FOLDER})"
            f" cannot be read: {error}."
        ) from error
    return context


class _Sockets(httpcore.NetworkBackend):
    def __init__(self, watch: Watch, *, public: bool) -> None:
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
        connect = _bound(
            self._plain.connect_tcp, host, port, timeout, local_address, socket_options
        )
        stream = in_thread(connect, self._watch.check, _close)
        if self._public and _led_astray(host, stream):
            stream.close()
            raise httpcore.ConnectError("its name leads to a private address")
        return _Stream(stream, self._watch)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, watch: Watch) -> None:
        self._inner = inner
        self._watch = watch

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """In short waits: a socket whose wait ran out can be waited for again, with TLS too."""
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
        shake = _bound(self._inner.start_tls, ssl_context, server_hostname, timeout)
        return _Stream(in_thread(shake, self._watch.check, _close), self._watch)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _led_astray(host: str, stream: httpcore.NetworkStream) -> bool:
    """A number is what somebody meant; a name is what a resolver makes of it."""
    if is_number(host):
        return False
    there = stream.get_extra_info("server_addr")
    return bool(there) and is_inside(str(there[0]))


def _bound(
    work: Callable[..., httpcore.NetworkStream], *arguments: Any
) -> Callable[[], httpcore.NetworkStream]:
    return lambda: work(*arguments)


def _close(stream: httpcore.NetworkStream) -> None:
    stream.close()
