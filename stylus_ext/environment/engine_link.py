"""A JSON client for a running engine."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stylus_ext.core.errors import EngineGone, EngineRefusal, SetupProblem, StylusError, reason_of
from stylus_ext.environment import engine_address

_LARGEST_ANSWER = 64 * 1024 * 1024


class EngineLink:
    """An engine's address and token; the token is sent to that origin only, without a proxy."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise EngineGone(
                f"{url} is not the address of an engine. Use one like http://127.0.0.1:7870."
            )
        self.url = url
        self._token = token
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._base = parts.path.rstrip("/")

    def call(
        self, method: str, path: str, payload: object | None = None, timeout_s: float = 30.0
    ) -> dict[str, Any]:
        """Make one request; raise EngineGone without an answer, EngineRefusal for an error."""
        body = None if payload is None else json.dumps(payload).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        # http.client reads no proxy settings and follows no redirect: the token stays on this
        # connection.
        maker = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = maker(self._host, self._port, timeout=timeout_s)
        try:
            connection.request(method, self._base + path, body=body, headers=headers)
            answer = connection.getresponse()
            text = answer.read(_LARGEST_ANSWER + 1)
        except TimeoutError as error:
            raise EngineGone(
                f"The engine at {self.url} did not answer {path} within {timeout_s:g} s."
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise EngineGone(
                f"The engine at {self.url} cannot be reached ({reason_of(error)}). Is it running?"
            ) from error
        finally:
            connection.close()
        return self._read(answer.status, text)

    def _read(self, status: int, text: bytes) -> dict[str, Any]:
        if len(text) > _LARGEST_ANSWER:
            raise EngineRefusal(
                "too_large", f"The answer of the engine at {self.url} is too large.", status
            )
        try:
            content = json.loads(text) if text else {}
        except ValueError as error:
            raise EngineGone(
                f"The server at {self.url} is not a Stylus engine (status {status}, no JSON)."
            ) from error
        if not isinstance(content, dict):
            raise EngineGone(f"The server at {self.url} is not a Stylus engine (status {status}).")
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            detail = content.get("error")
            detail = detail if isinstance(detail, dict) else {}
            message = str(
                detail.get("message") or f"The engine at {self.url} answered with status {status}."
            )
            raise EngineRefusal(str(detail.get("code") or "refused"), message, status)
        return content


def attach(data_dir: Path) -> EngineLink | None:
    """Return a link to the engine that runs on this data folder, if any."""
    address = engine_address.read(data_dir)
    return None if address is None else EngineLink(address.url, address.token)


def stop(data_dir: Path, wait_s: float = 10.0) -> bool:
    """Shut the engine of this data folder down, by force if needed; False if none runs."""
    address = engine_address.read(data_dir)
    if address is None:
        return False
    with contextlib.suppress(StylusError):
        EngineLink(address.url, address.token).call(
            "POST", "/v1/shutdown", {}, timeout_s=min(5.0, wait_s)
        )
    if _ended(address.pid, wait_s):
        return True
    # The process id may have been reused: end only the process that still holds the folder.
    holder = engine_address.engine_holder(data_dir)
    if holder is not None and holder.pid == address.pid:
        with contextlib.suppress(OSError):  # it has just gone, or is another user's
            os.kill(address.pid, signal.SIGTERM)
        if _ended(address.pid, wait_s):
            return True
    raise SetupProblem(
        f"The engine (process {address.pid}) does not stop. End that process and start again."
    )


def _ended(pid: int, wait_s: float) -> bool:
    until = time.monotonic() + wait_s
    while engine_address.process_lives(pid):
        _reap(pid)
        if time.monotonic() >= until:
            return False
        time.sleep(0.05)
    return True


def _reap(pid: int) -> None:
    """Collect an engine that this process started, which otherwise stays a zombie."""
    if hasattr(os, "waitpid") and hasattr(os, "WNOHANG"):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
