"""Allowed Host and Origin headers of this WebUI, and the tokens of its open pages."""

from __future__ import annotations

import contextlib
import hmac
import ipaddress
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from stylus_ext.core.lru import LruCache

_LOCAL = ("localhost", "127.0.0.1", "::1")
_TUNNELS = {
    "share": (".gradio.live", ".gradio.app"),
    "ngrok": (".ngrok.io", ".ngrok-free.app", ".ngrok.app", ".ngrok.dev", ".ngrok-free.dev"),
    "cloudflared": (".trycloudflare.com",),
    "remotemoe": (".remote.moe",),
    "localhostrun": (".lhr.life", ".localhost.run"),
}
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """`flags` are the WebUI's command line; `is_open` allows other machines."""

    flags: object
    is_open: bool

    def is_ours(self, host: str) -> bool:
        """True for IP addresses and known names; others may point anywhere (DNS rebinding)."""
        if host in _LOCAL or host.endswith(".localhost") or host in self._named_hosts():
            return True
        if not self.is_open:
            return False
        return is_literal(host) or host in _own_names() or self._is_tunnel(host)

    def same(self, origin: str, host: str) -> bool:
        """True if a page of this origin is ours, or allowed by the user."""
        allowed = str(getattr(self.flags, "cors_allow_origins", None) or "").split(",")
        pattern = getattr(self.flags, "cors_allow_origins_regex", None)
        if origin in allowed or "*" in allowed or (pattern and _matches(str(pattern), origin)):
            return True
        try:
            page = urlsplit(origin)
            port = page.port
        except ValueError:
            return False
        if page.scheme not in _PORTS or not page.hostname:
            return False
        # Behind a tunnel the page may be https while we are called over http: only a stated port
        # must agree.
        return page.hostname == host_of(host) and (port or _PORTS[page.scheme]) in _ports_of(host)

    def _named_hosts(self) -> set[str]:
        """Names from --server-name and the allowed CORS origins."""
        origins = str(getattr(self.flags, "cors_allow_origins", None) or "").split(",")
        name = str(getattr(self.flags, "server_name", None) or "").lower()
        return ({name} | {host_of(origin.split("://")[-1]) for origin in origins}) - {""}

    def _is_tunnel(self, host: str) -> bool:
        return any(
            getattr(self.flags, flag, None) and host.endswith(ends)
            for flag, ends in _TUNNELS.items()
        )


def host_of(header: str) -> str:
    """The Host header in lower case without port; empty if invalid."""
    try:
        return (urlsplit(f"//{header.strip()}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _ports_of(host: str) -> set[int]:
    try:
        port = urlsplit(f"//{host.strip()}").port
    except ValueError:
        return set()
    return set(_PORTS.values()) if port is None else {port}


def _own_names() -> set[str]:
    name = ""
    with contextlib.suppress(OSError):
        name = socket.gethostname().lower()
    short = name.split(".")[0]
    return {name, short, f"{short}.local", f"{short}.lan", f"{short}.home"} if short else set()


def _matches(pattern: str, origin: str) -> bool:
    try:
        return re.fullmatch(pattern, origin) is not None
    except re.error:
        return False


LASTS_S = 12 * 3600.0
MOST = 500


class PageTokens:
    """One token per open page; unused ones expire, and the oldest go when there are too many."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, lasts_s: float = LASTS_S, most: int = MOST
    ) -> None:
        self._now, self._lasts_s = now, lasts_s
        self._used = LruCache[str, float](most)
        self._guard = threading.Lock()

    def issue(self) -> str:
        token = secrets.token_urlsafe(32)
        with self._guard:
            self._drop_old()
            self._used[token] = self._now()
        return token

    def knows(self, token: str) -> bool:
        with self._guard:
            self._drop_old()
            found = ""
            for known in self._used:
                if hmac.compare_digest(known.encode(), token.encode("utf-8", "replace")):
                    found = known
            if found:
                self._used[found] = self._now()
            return bool(found)

    def _drop_old(self) -> None:
        until = self._now() - self._lasts_s
        for token in [token for token, used in self._used.items() if used < until]:
            del self._used[token]


PAGES = PageTokens()
"""Of this WebUI process, also after its UI was reloaded."""
