"""Addresses and their origins, and the API keys that are bound to one origin.

A key comes from the environment or from a file of the data folder that only its user can read.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import logging
import os
import stat
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from stylus_ext.core.errors import InvalidInput, StoreProblem
from stylus_ext.core.files import write_file

logger = logging.getLogger(__name__)


_PORTS = {"http": 80, "https": 443}
_HOME_NETWORKS = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
)
"""Private IP ranges."""


@lru_cache(maxsize=1024)
def split(url: str) -> SplitResult:
    """Parse an http(s) address; one with a user name, password or space is refused."""
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if (
        not usable
        or parts.username is not None
        or parts.password is not None
        or any(ord(character) <= ord(" ") for character in url.strip())
    ):
        raise InvalidInput(
            "An address must look like https://host, without a user name, password or space."
        )
    return parts


def origin_of(url: str) -> str:
    """Scheme, host and port in one spelling: "https://civitai.com", "http://127.0.0.1:8000"."""
    parts = split(url)
    host = (parts.hostname or "").rstrip(".").lower()
    host = f"[{host}]" if ":" in host else host
    port = parts.port or _PORTS[parts.scheme]
    return f"{parts.scheme}://{host}" + ("" if port == _PORTS[parts.scheme] else f":{port}")


def safe_url(url: str) -> str:
    """The address for messages and logs: without the query, which may be a signature."""
    try:
        parts = split(url)
    except InvalidInput:
        return "an unusable address"
    return origin_of(url) + parts.path[:120]


def api_base(url: str, route: str, server: str) -> str:
    """The base of an OpenAI-compatible API: a bare origin gets /v1, the `route` is removed."""
    try:
        split(url)
    except InvalidInput as error:
        raise InvalidInput(
            f"The address of the {server} is invalid. Use one like https://host/v1, without user"
            " name or key."
        ) from error
    parts = urlsplit(url.strip())
    if parts.query or parts.fragment:
        raise InvalidInput(
            f"The address of the {server} has a query. Use one like https://host/v1."
        )
    path = parts.path.rstrip("/").removesuffix(route).rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path or '/v1'}"


def is_loopback(url: str) -> bool:
    host = split(url).hostname or ""
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def is_private(url: str) -> bool:
    """Whether the address is localhost or a private IP; what a name resolves to is not known."""
    host = split(url).hostname or ""
    return host == "localhost" or host.endswith(".localhost") or is_private_number(host)


def is_home_network(url: str) -> bool:
    """Whether the address is an IP of a home network; no name is, since it may resolve anywhere."""
    address = _address(split(url).hostname or "")
    return address is not None and any(
        address in ipaddress.ip_network(network) for network in _HOME_NETWORKS
    )


def is_private_number(host: str) -> bool:
    """Whether the host is an IP that the public internet does not route."""
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


_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class KeyName:
    """Where a service's key is found.

    The key in the environment variable is for `origin`, unless `variable`_ORIGIN names another.
    """

    service: str
    variable: str
    origin: str

    @property
    def file(self) -> str:
        return f"{self.service.lower().replace(' ', '')}.key"


@dataclass(frozen=True, slots=True)
class Key:
    """Sent in the Authorization header to `origin` and to no other; never shown."""

    origin: str
    secret: str = field(repr=False)
    scheme: str = "Bearer"

    def __post_init__(self) -> None:
        if (
            not self.secret
            or len(self.secret) > _LONGEST
            or not self.secret.isascii()
            or not self.secret.isprintable()
            or " " in self.secret
        ):
            raise InvalidInput(
                "The key is invalid. A key is one word of printable ASCII characters."
            )
        if self.origin.startswith("http:") and not (
            is_loopback(self.origin) or is_home_network(self.origin)
        ):
            raise InvalidInput(
                f"A key for {self.origin} needs https. Plain http is allowed for this machine and"
                " for an IP of your own network, such as http://192.168.1.20:8000."
            )


def key_for(folder: Path, url: str, name: KeyName) -> Key | None:
    """The key for the origin of `url`; None if there is none, or one for another origin."""
    origin = origin_of(url)
    secret = os.environ.get(name.variable, "").strip()
    if secret:
        key = Key(origin_of(os.environ.get(f"{name.variable}_ORIGIN") or name.origin), secret)
    else:
        saved = _read_key(folder / name.file)
        if saved is None:
            return None
        key = saved
    if key.origin != origin:
        hint = f" Set {name.variable}_ORIGIN to the address it is for." if secret else ""
        logger.warning(
            "The key for %s is for %s and is not sent to %s.%s",
            name.service,
            key.origin,
            origin,
            hint,
        )
        return None
    return key


def login_key(url: str, login: str) -> Key:
    """The key for a server that asks for a name and a password; `login` is name:password."""
    login = login.strip()
    if not all(login.partition(":")):
        raise InvalidInput("A login has the form name:password.")
    return Key(origin_of(url), base64.b64encode(login.encode()).decode(), "Basic")


def save_key(folder: Path, name: KeyName, key: Key) -> Path:
    """Write the key to a file that only its user can read, replacing the old one atomically."""
    path = folder / name.file
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_file(path, json.dumps({"origin": key.origin, "key": key.secret}), 0o600)
    except OSError as error:
        raise StoreProblem(
            f"{path} cannot be written: {error.strerror or error}. Check the data folder."
        ) from error
    return path


def delete_key(folder: Path, name: KeyName) -> bool:
    """Delete the saved key; False if there was none."""
    path = folder / name.file
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreProblem(f"{path} cannot be deleted: {error.strerror or error}.") from error
    return True


def _read_key(path: Path) -> Key | None:
    try:
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o600)
        saved = json.loads(path.read_text("utf-8"))
        return Key(origin_of(saved["origin"]), saved["key"])
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreProblem(
            f"{path} cannot be read: {error.strerror or error}. Check the data folder."
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError, InvalidInput) as error:
        raise InvalidInput(f"{path} holds no valid key. Enter the key again.") from error
