"""Keys of services: from the environment, or a file of the data folder that its user alone can
read; each bound to one origin.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import stat
import tempfile
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from stylus_ext.core.errors import InvalidInput, StoreProblem

logger = logging.getLogger(__name__)


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


_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class KeyName:
    """Where a service's key is looked for. `origin` is what the variable's key is for, unless
    `variable`_ORIGIN names another.
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

    def __post_init__(self) -> None:
        if (
            not self.secret
            or len(self.secret) > _LONGEST
            or not self.secret.isascii()
            or not self.secret.isprintable()
            or " " in self.secret
        ):
            raise InvalidInput("That is no key: a key is one word of letters, digits and signs.")
        if self.origin.startswith("http:") and not (
            is_loopback(self.origin) or is_at_home(self.origin)
        ):
            raise InvalidInput(
                f"A key is sent over https alone, so it cannot be bound to {self.origin}. Only this"
                " machine, and one in your own network that is named by its number, such as"
                " http://192.168.1.20:8000, get theirs without."
            )


def key_for(folder: Path, url: str, name: KeyName) -> Key | None:
    """The key that was entered for the origin of `url`, wherever it was entered; a key for another
    origin is none.
    """
    origin = origin_of(url)
    stated = os.environ.get(name.variable, "").strip()
    if stated:
        key = Key(origin_of(os.environ.get(f"{name.variable}_ORIGIN") or name.origin), stated)
    else:
        found = _kept(folder / name.file)
        if found is None:
            return None
        key = found
    if key.origin != origin:
        hint = f" {name.variable}_ORIGIN says for which address it is." if stated else ""
        logger.warning(
            "The key for %s was entered for %s and is not sent to %s.%s",
            name.service,
            key.origin,
            origin,
            hint,
        )
        return None
    return key


def keep_key(folder: Path, name: KeyName, key: Key) -> Path:
    """Writes it where its user alone can read it; in place of the one before, whole or not at
    all.
    """
    path = folder / name.file
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(
            prefix=f"{name.file}.", dir=folder
        )  # for its user alone from the start
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"origin": key.origin, "key": key.secret}, file)
        Path(part).replace(path)
    except OSError as error:
        raise StoreProblem(
            f"{path} cannot be written: {error.strerror or error}. Check the data folder."
        ) from error
    return path


def forget_key(folder: Path, name: KeyName) -> bool:
    """Whether there was one."""
    path = folder / name.file
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreProblem(f"{path} cannot be deleted: {error.strerror or error}.") from error
    return True


def _kept(path: Path) -> Key | None:
    try:
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o600)
        said = json.loads(path.read_text("utf-8"))
        return Key(origin_of(said["origin"]), said["key"])
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreProblem(
            f"{path} cannot be read: {error.strerror or error}. Check the data folder."
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError, InvalidInput) as error:
        raise InvalidInput(f"{path} does not hold a key. Enter it again.") from error
