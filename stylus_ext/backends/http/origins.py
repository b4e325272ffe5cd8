"""Origins of addresses, the unit to which a key is bound, and addresses as they may be shown:
without query and name.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from stylus_ext.core.errors import InvalidInput

_PORTS = {"http": 80, "https": 443}
_HOME = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
"""Numbers that no router of the world's net passes on."""


@lru_cache(maxsize=1024)
def split(url: str) -> SplitResult:
    """An address of the web without a name or a password in it; anything else is refused."""
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if (
        not usable
        or parts.username is not None
        or parts.password is not None
        or any(ord(sign) <= ord(" ") for sign in url.strip())
    ):
        raise InvalidInput(
            "An address must look like https://host, without a name, a password or a space in it."
        )
    return parts


def origin_of(url: str) -> str:
    """Scheme, host and port, in one spelling: "https://civitai.com", "http://127.0.0.1:8000"."""
    parts = split(url)
    host = (parts.hostname or "").rstrip(".").lower()
    host = f"[{host}]" if ":" in host else host
    port = parts.port or _PORTS[parts.scheme]
    return f"{parts.scheme}://{host}" + ("" if port == _PORTS[parts.scheme] else f":{port}")


def shown(url: str) -> str:
    """What may be said in a message or a log: a query may be a signature, a path may be
    anything.
    """
    try:
        parts = split(url)
    except InvalidInput:
        return "an address that cannot be used"
    return origin_of(url) + parts.path[:120]


def is_loopback(url: str) -> bool:
    host = split(url).hostname or ""
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def is_private(url: str) -> bool:
    """An address inside somebody's network, stated as a number; what a name leads to is the
    resolver's.
    """
    host = split(url).hostname or ""
    return host == "localhost" or host.endswith(".localhost") or is_inside(host)


def is_at_home(url: str) -> bool:
    """A number that only one's own network can have; no name, since whoever answers for names may
    lead one anywhere.
    """
    address = _address(split(url).hostname or "")
    return address is not None and any(address in ipaddress.ip_network(one) for one in _HOME)


def is_inside(host: str) -> bool:
    """Whether a number is that of a machine in somebody's own network."""
    address = _address(host)
    return address is not None and not address.is_global


def is_number(host: str) -> bool:
    return _address(host) is not None


@lru_cache(maxsize=1024)
def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
