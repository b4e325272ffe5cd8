"""A JSON client for a running engine."""

from __future__ import annotations

import contextlib
import hmac
import http.client
import ipaddress
import json
import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stylus_ext.core.errors import EngineGone, EngineRefusal, SetupProblem, StylusError, reason_of
from stylus_ext.environment import engine_address

PROOF_PATH = "/v1/proof"
CHECK_EVERY_S, LONGEST_SILENCE_S = 10.0, 30.0
_LARGEST_ANSWER = 64 * 1024 * 1024
_LARGEST_PROOF = 4096


def proof_of(token: str, nonce: str, port: int) -> str:
    """What shows that an engine on a port knows the token, without the token.

    The port is in it, so that another program cannot pass on an engine's answer as its own.
    """
    text = f"stylus engine {port} {nonce}".encode()
    return hmac.new(token.encode(), text, "sha256").hexdigest()


class EngineLink:
    """An engine's address and token; the token is sent to that origin only, without a proxy.

    On loopback any program may listen at the address of an engine that has ended: there each
    connection proves first that the engine is at its other end. With `forwarded` the engine may
    have another port than the address, as behind a tunnel.
    """

    def __init__(self, url: str, token: str, *, forwarded: bool = False) -> None:
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
        self._forwarded = forwarded

    def call(
        self, method: str, path: str, payload: object | None = None, timeout_s: float = 30.0
    ) -> dict[str, Any]:
        """Make one request; raise EngineGone without an answer, EngineRefusal for an error."""
        body = None if payload is None else json.dumps(payload).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        with self._connected(path, timeout_s) as connection:
            connection.request(method, self._base + path, body=body, headers=headers)
            answer = connection.getresponse()
            text = answer.read(_LARGEST_ANSWER + 1)
        return self._read(answer.status, text)

    def call_while_alive(self, path: str, payload: object, timeout_s: float) -> dict[str, Any]:
        """Post a request, and wait only while the engine proves now and then that it is alive."""
        asked: Future[dict[str, Any]] = Future()

        def ask() -> None:
            try:
                asked.set_result(self.call("POST", path, payload, timeout_s))
            except Exception as error:  # noqa: BLE001  # it is raised below
                asked.set_exception(error)

        threading.Thread(target=ask, name="stylus-answer", daemon=True).start()
        while not wait([asked], CHECK_EVERY_S).done:
            self.check(LONGEST_SILENCE_S)
        return asked.result()

    def check(self, timeout_s: float) -> None:
        """Raise EngineGone unless the engine answers on loopback, and is the one with the token."""
        with self._connected(PROOF_PATH, timeout_s):
            pass

    @contextlib.contextmanager
    def _connected(self, path: str, timeout_s: float) -> Iterator[http.client.HTTPConnection]:
        # http.client reads no proxy settings and follows no redirect: the token stays on this
        # connection.
        maker = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = maker(self._host, self._port, timeout=timeout_s)
        try:
            if is_loopback(self._host):
                self._let_prove(connection)
            yield connection
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

    def _let_prove(self, connection: http.client.HTTPConnection) -> None:
        """Raise unless the other end knows the token; afterwards it is the only end."""
        nonce = secrets.token_hex(32)
        connection.request("GET", f"{self._base}{PROOF_PATH}?nonce={nonce}")
        answer = connection.getresponse()
        text = answer.read(_LARGEST_PROOF)
        connection.auto_open = 0
        try:
            stated = json.loads(text)
            proof, port = str(stated["proof"]), int(stated["port"])
        except (ValueError, KeyError, TypeError, RecursionError):
            proof, port = "", 0
        expected = proof_of(self._token, nonce, port)
        is_there = self._forwarded or port == self._port
        if not (is_there and hmac.compare_digest(proof.encode(), expected.encode())):
            raise ImpostorEngine(
                f"The program at {self.url} did not prove that it is the Stylus engine, so it was"
                " sent nothing. End that program, or use the engine's own token and version."
            )

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


class ImpostorEngine(EngineGone):
    """Another program answers at the engine's address."""


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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
