"""The link to an engine, against a real server on loopback: token, errors, silence, and the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.errors import EngineGone, EngineRefusal, SetupProblem
from stylus_ext.environment import engine_address
from stylus_ext.environment.engine_link import (
    PROOF_PATH,
    EngineLink,
    ImpostorEngine,
    attach,
    proof_of,
    stop,
)
from stylus_ext.environment.layout import ROOT
from tests.environment.wheels import closed_port


class Door(BaseHTTPRequestHandler):
    """A small engine's door: what it was asked is kept on the server."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Silent."""

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        path, _, nonce = self.path.partition("?nonce=")
        status, text, headers = ANSWERS.get(self.path, (200, b'{"ok": true}', {}))
        if path == PROOF_PATH:
            text = self.server.proof(nonce)  # type: ignore[attr-defined]
        asked: list[dict[str, Any]] = self.server.asked  # type: ignore[attr-defined]
        if path != PROOF_PATH or "Authorization" in self.headers or body:
            said = {"path": path, "token": self.headers["Authorization"], "body": body.decode()}
            asked.append(said)
        if self.path == "/v1/slow":
            time.sleep(1.0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


ANSWERS: dict[str, tuple[int, bytes, dict[str, str]]] = {
    "/v1/refused": (
        422,
        b'{"error": {"code": "bad_prompt", "message": "The prompt is too long."}}',
        {},
    ),
    "/v1/plain": (500, b"{}", {}),
    "/v1/page": (200, b"<html>", {}),
    "/v1/list": (200, b"[1]", {}),
    "/v1/empty": (204, b"", {}),
    "/v1/moved": (302, b'{"error": {"message": "elsewhere"}}', {"Location": "http://127.0.0.1:1/"}),
}


@pytest.fixture
def door() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.asked = []  # type: ignore[attr-defined]
    port = server.server_address[1]
    server.proof = lambda nonce: json.dumps(  # type: ignore[attr-defined]
        {"port": port, "proof": proof_of("secret", nonce, port)}
    ).encode()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def link_to(door: ThreadingHTTPServer) -> EngineLink:
    return EngineLink(f"http://127.0.0.1:{door.server_address[1]}", "secret")


def test_a_call_brings_the_token_and_the_payload(door: ThreadingHTTPServer) -> None:
    assert link_to(door).call("POST", "/v1/plan", {"prompt": "a corgi\n"}) == {"ok": True}
    assert link_to(door).call("GET", "/v1/empty") == {}
    first, second = door.asked  # type: ignore[attr-defined]
    assert first == {
        "path": "/v1/plan",
        "token": "Bearer secret",
        "body": json.dumps({"prompt": "a corgi\n"}),
    }
    assert second["body"] == ""


def test_no_proxy_is_asked(door: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    assert link_to(door).call("GET", "/v1/state") == {"ok": True}


def test_a_refusal_brings_the_engines_sentence(door: ThreadingHTTPServer) -> None:
    with pytest.raises(EngineRefusal, match="The prompt is too long") as caught:
        link_to(door).call("POST", "/v1/refused", {})
    assert (caught.value.code, caught.value.status) == ("bad_prompt", 422)
    with pytest.raises(EngineRefusal, match="500"):
        link_to(door).call("GET", "/v1/plain")


def test_a_redirect_is_not_followed(door: ThreadingHTTPServer) -> None:
    with pytest.raises(EngineRefusal, match="elsewhere"):
        link_to(door).call("GET", "/v1/moved")
    assert len(door.asked) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["/v1/page", "/v1/list"])
def test_something_else_on_the_port_is_said(door: ThreadingHTTPServer, path: str) -> None:
    with pytest.raises(EngineGone):
        link_to(door).call("GET", path)


def test_silence_has_an_end(door: ThreadingHTTPServer) -> None:
    with pytest.raises(EngineGone, match=r"/v1/slow.*0\.2 s"):
        link_to(door).call("GET", "/v1/slow", timeout_s=0.2)


IMPOSTORS: dict[str, Callable[[str, int], bytes]] = {
    "says yes": lambda nonce, port: b'{"ok": true}',
    "a page": lambda nonce, port: b"<html>",
    "nothing": lambda nonce, port: b"",
    "a list": lambda nonce, port: b"[" * 5000,
    "an echo": lambda nonce, port: json.dumps({"port": port, "proof": nonce}).encode(),
    "no ASCII": lambda nonce, port: json.dumps({"port": port, "proof": "\u00e9"}).encode(),
    "another token": lambda nonce, port: json.dumps(
        {"port": port, "proof": proof_of("other", nonce, port)}
    ).encode(),
    "an old proof": lambda nonce, port: json.dumps(
        {"port": port, "proof": proof_of("secret", "0" * 64, port)}
    ).encode(),
    "the proof of an engine at another port": lambda nonce, port: json.dumps(
        {"port": port + 1, "proof": proof_of("secret", nonce, port + 1)}
    ).encode(),
}


@pytest.mark.parametrize("kind", IMPOSTORS)
def test_an_impostor_gets_neither_token_nor_prompt(door: ThreadingHTTPServer, kind: str) -> None:
    port = door.server_address[1]
    door.proof = lambda nonce: IMPOSTORS[kind](nonce, port)  # type: ignore[attr-defined]
    with pytest.raises(ImpostorEngine):
        link_to(door).call("POST", "/v1/plan", {"prompt": "a secret corgi"})
    with pytest.raises(ImpostorEngine):
        link_to(door).check(5.0)
    assert door.asked == []  # type: ignore[attr-defined]


def test_an_end_that_hangs_up_after_its_proof_gets_no_token(
    door: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next to answer at the port could be any program."""
    monkeypatch.setattr(Door, "protocol_version", "HTTP/1.0")
    with pytest.raises(EngineGone):
        link_to(door).call("POST", "/v1/plan", {"prompt": "a secret corgi"})
    assert door.asked == []  # type: ignore[attr-defined]


def test_a_forwarded_engine_may_have_another_port(door: ThreadingHTTPServer) -> None:
    door.proof = lambda nonce: json.dumps(  # type: ignore[attr-defined]
        {"port": 1, "proof": proof_of("secret", nonce, 1)}
    ).encode()
    url = f"http://127.0.0.1:{door.server_address[1]}"
    assert EngineLink(url, "secret", forwarded=True).call("GET", "/v1/state") == {"ok": True}
    with pytest.raises(ImpostorEngine):
        EngineLink(url, "other", forwarded=True).call("GET", "/v1/state")


def test_nobody_there_and_no_address() -> None:
    with pytest.raises(EngineGone):
        EngineLink(f"http://127.0.0.1:{closed_port()}", "t").call("GET", "/v1/state")
    for url in ("nonsense", "ftp://127.0.0.1", "http://"):
        with pytest.raises(EngineGone):
            EngineLink(url, "t")


ENGINE = """
import json, os, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from stylus_ext.environment import engine_address as rendezvous
from stylus_ext.environment.engine_link import proof_of
from stylus_ext.environment.files import hold

class Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        port = server.server_address[1]
        text = json.dumps({"port": port, "proof": proof_of("word", self.path.partition("=")[2], port)}).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(text))); self.end_headers(); self.wfile.write(text)
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"{}")
        if sys.argv[2] == "obedient" and self.headers["Authorization"] == "Bearer word":
            threading.Thread(target=server.shutdown).start()
    def log_message(self, *_): pass

data = Path(sys.argv[1])
server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
with hold(data, rendezvous.ENGINE_LOCK, "the engine"):
    rendezvous.write(data, f"http://127.0.0.1:{server.server_address[1]}", "word", "0")
    print("ready", flush=True)
    server.serve_forever(0.02)
    rendezvous.remove(data)
"""  # noqa: E501


def engine(folder: Path, temper: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", ENGINE, str(folder), temper]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.stdout.close()
    return process


def test_an_engine_ends_when_asked(tmp_path: Path) -> None:
    process = engine(tmp_path, "obedient")
    link = attach(tmp_path)
    assert link is not None
    assert stop(tmp_path)
    assert not (tmp_path / "engine.json").exists(), "it ended in order"
    assert not engine_address.process_lives(process.pid)
    process.wait()
    assert attach(tmp_path) is None
    assert not stop(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_an_engine_that_will_not_end_is_ended(tmp_path: Path) -> None:
    process = engine(tmp_path, "stubborn")
    assert stop(tmp_path, wait_s=0.5)
    process.wait()
    assert not engine_address.process_lives(process.pid)


def test_a_stranger_with_the_engines_number_is_not_ended(
    tmp_path: Path, door: ThreadingHTTPServer
) -> None:
    """The file names a living process that does not hold the folder: nobody is killed."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        url = f"http://127.0.0.1:{door.server_address[1]}"
        output = {"url": url, "token": "t", "pid": stranger.pid, "version": "0", "started": 1.0}
        (tmp_path / "engine.json").write_text(json.dumps(output))
        with pytest.raises(SetupProblem):
            stop(tmp_path, wait_s=0.3)
        assert stranger.poll() is None
        stranger.kill()
