"""The address file of a running engine, in the data folder, readable by its user only."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from stylus_ext.core.errors import SetupProblem
from stylus_ext.core.files import write_file
from stylus_ext.environment.files import Holder, hold, holder_of, is_locked

__all__ = [
    "ENGINE_LOCK",
    "FILE",
    "TOKEN_VARIABLE",
    "Holder",
    "EngineRecord",
    "engine_holder",
    "hold",
    "process_lives",
    "read",
    "remove",
    "write",
]

FILE = "engine.json"
ENGINE_LOCK = "engine"
TOKEN_VARIABLE = "STYLUS_ENGINE_TOKEN"  # noqa: S105
_CONNECT_S = 1.0
_STILL_ACTIVE, _ACCESS_DENIED = 259, 5  # Windows


@dataclass(frozen=True, slots=True)
class EngineRecord:
    """Address, token and process of an engine."""

    url: str
    token: str
    pid: int
    version: str
    started: float


def write(data_dir: Path, url: str, token: str, version: str) -> EngineRecord:
    """Write the address of this process's engine in one step, with mode 0600."""
    address = EngineRecord(url, token, os.getpid(), version, time.time())
    write_file(data_dir / FILE, json.dumps(asdict(address)), 0o600)
    return address


def read(data_dir: Path) -> EngineRecord | None:
    """Return the running engine; None if no file exists or nothing answers."""
    address = _recorded(data_dir)
    if address is None or not process_lives(address.pid) or not _listens(address.url):
        return None
    return address


def remove(data_dir: Path) -> bool:
    """Delete the file if this process wrote it."""
    address = _recorded(data_dir)
    if address is None or address.pid != os.getpid():
        return False
    with contextlib.suppress(FileNotFoundError):
        (data_dir / FILE).unlink()
    return True


def engine_holder(data_dir: Path) -> Holder | None:
    """Return the process that holds the data folder's engine lock."""
    path = data_dir / f"{ENGINE_LOCK}.lock"
    try:
        return holder_of(path) if is_locked(path) else None
    except OSError as error:
        raise SetupProblem(
            f"{path} cannot be opened ({error.strerror or error}). Please check the rights of"
            " the file, or choose another data folder."
        ) from error


def _recorded(data_dir: Path) -> EngineRecord | None:
    try:
        address = json.loads((data_dir / FILE).read_text(encoding="utf-8"))
        return EngineRecord(
            str(address["url"]),
            str(address["token"]),
            int(address["pid"]),
            str(address["version"]),
            float(address["started"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def process_lives(pid: int) -> bool:
    """Whether a process with this id exists, for any user."""
    if pid <= 0:
        return False
    if sys.platform == "win32":
        import ctypes

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        handle = kernel.OpenProcess(0x1000, False, pid)
        if not handle:
            return ctypes.get_last_error() == _ACCESS_DENIED
        code = ctypes.c_ulong()
        kernel.GetExitCodeProcess(handle, ctypes.byref(code))
        kernel.CloseHandle(handle)
        return code.value == _STILL_ACTIVE
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _listens(url: str) -> bool:
    parts = urlsplit(url)
    try:
        if parts.hostname is None or parts.port is None:
            return False
        with socket.create_connection((parts.hostname, parts.port), timeout=_CONNECT_S):
            return True
    except (OSError, ValueError):
        return False
