"""The environment's proxies and certificates, with a real proxy and a real TLS server on
loopback.
"""

from __future__ import annotations

import gc
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from stylus_ext.core.errors import Cancelled, InvalidInput
from stylus_ext.net import BadAnswer, Http, Key, TimeLimits, Unreachable
from stylus_ext.net.transport import Transport, certificates, proxy_for
from stylus_ext.net.waiting import ThreadCheck
from tests.civitai_service.service import CivitaiService
from tests.stops import StopAfter

MakeHttp = Callable[..., Http]
_NAMES = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_DIR",
)


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@contextmanager
def talking(
    answer: Callable[[socket.socket], None], context: ssl.SSLContext | None = None
) -> Iterator[int]:
    """A listener that gives each caller to `answer`; its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                caller, _ = listener.accept()
            except TimeoutError:
                continue
            try:
                caller.settimeout(5)
                with (
                    context.wrap_socket(caller, server_side=True) if context else caller
                ) as wrapped:
                    answer(wrapped)
            except OSError:
                continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        thread.join()
        listener.close()


def head_of(caller: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += caller.recv(4096)
    return data


OK = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection:"
    b" close\r\n\r\n{}"
)


def test_a_proxy_of_the_environment_is_used(
    make_http: MakeHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads: list[bytes] = []

    def answer(caller: socket.socket) -> None:
        heads.append(head_of(caller))
        caller.sendall(OK)

    with talking(answer) as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:word@127.0.0.1:{port}")
        assert make_http().json("http://civitai.example/api") == {}
    assert heads[0].startswith(b"GET http://civitai.example/api HTTP/1.1")
    assert b"Proxy-Authorization: Basic bWU6d29yZA==" in heads[0]


def test_a_proxy_sees_no_key(make_http: MakeHttp, monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[bytes] = []

    def answer(caller: socket.socket) -> None:
        heads.append(head_of(caller))
        caller.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    with talking(answer) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{port}")
        with pytest.raises(Unreachable, match="https://civitai.example/x"):
            make_http(Key("https://civitai.example", "abc123"), limits=TimeLimits(tries=1)).json(
                "https://civitai.example/x"
            )
    assert heads[0].startswith(b"CONNECT civitai.example:443")
    assert b"abc123" not in b"".join(heads)


def test_this_machine_is_reached_without_a_proxy(
    civitai: CivitaiService, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert http.json(f"{civitai.api}/api/v1/enums")


def test_threads_that_begin_at_once_share_one_way(civitai: CivitaiService) -> None:
    transport = Transport(ThreadCheck())
    together = threading.Barrier(8)

    def ask(_: int) -> None:
        together.wait(5)
        transport.handle_request(httpx.Request("GET", f"{civitai.api}/api/v1/enums")).close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
    transport.close()
    gc.collect()  # a connection that nobody closed would be a warning, and so an error


def test_hosts_may_be_excepted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert proxy_for("https://civitai.com/x") == ""
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:2")
    monkeypatch.setenv("NO_PROXY", "image.civitai.com,.internal.example")
    assert proxy_for("https://civitai.com/x") == "http://proxy.example:2"
    assert proxy_for("http://civitai.com/x") == "http://proxy.example:1"
    assert (
        proxy_for("https://image.civitai.com/x") == proxy_for("https://a.internal.example/") == ""
    )
    assert proxy_for("http://192.168.1.20:8000/v1") == "", "a key may go there in clear"
    assert proxy_for("https://192.168.1.20/v1") == "http://proxy.example:2"


@pytest.mark.parametrize("proxy", ["gopher://x:1", "socks5://127.0.0.1:9"])
def test_a_proxy_that_cannot_be_used_is_said_in_a_sentence(
    make_http: MakeHttp, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(InvalidInput):
        make_http(limits=TimeLimits(tries=1)).json("http://civitai.example/")


def test_a_stop_ends_the_waiting_for_a_machine_that_does_not_answer_the_call(
    make_http: MakeHttp,
) -> None:
    """Nobody accepts: the queue is full, so connecting hangs."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    crowd = []
    try:
        for _ in range(3):
            caller = socket.socket()
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
            crowd.append(caller)
        with pytest.raises(Cancelled):
            make_http(limits=TimeLimits(connect_s=10)).json(
                f"http://127.0.0.1:{listener.getsockname()[1]}/", check=StopAfter()
            )
    finally:
        for caller in (*crowd, listener):
            caller.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is needed to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-keyout",
            str(key),
            "-out",
            str(certificate),
        ],
        check=True,
        capture_output=True,
    )
    return key, certificate


def secure(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[1], certificate[0])
    return context


def answer_ok(caller: socket.socket) -> None:
    head_of(caller)
    caller.sendall(OK)


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_company_may_have_its_own_authority(
    make_http: MakeHttp, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with talking(answer_ok, secure(certificate)) as port:
        monkeypatch.setenv(name, str(certificate[1]))
        assert make_http().json(f"https://localhost:{port}/") == {}


def test_an_unknown_authority_is_refused(
    make_http: MakeHttp, certificate: tuple[Path, Path]
) -> None:
    with (
        talking(answer_ok, secure(certificate)) as port,
        pytest.raises(Unreachable, match="certificate"),
    ):
        make_http(limits=TimeLimits(tries=1)).json(f"https://localhost:{port}/")


def test_a_stop_ends_the_waiting_under_tls(
    make_http: MakeHttp, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(caller: socket.socket) -> None:
        head_of(caller)
        caller.sendall(OK[:-1])
        caller.recv(1)

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[1]))
    with talking(silent, secure(certificate)) as port, pytest.raises(Cancelled):
        make_http(limits=TimeLimits(stall_s=20)).json(
            f"https://localhost:{port}/", check=StopAfter(8)
        )


def test_a_slow_answer_under_tls_is_read_to_its_end(
    make_http: MakeHttp, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wait that runs out in the middle of a record loses nothing of it."""

    def slowly(caller: socket.socket) -> None:
        head_of(caller)
        for place in range(len(OK)):
            caller.sendall(OK[place : place + 1])
            time.sleep(0.15 if place % 40 == 0 else 0)

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[1]))
    with talking(slowly, secure(certificate)) as port:
        assert make_http().json(f"https://localhost:{port}/") == {}


def led_to(place: str) -> Callable[[socket.socket], None]:
    def answer(caller: socket.socket) -> None:
        head_of(caller)
        caller.sendall(
            f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\nConnection:"
            " close\r\n\r\n".encode()
        )

    return answer


def test_a_redirect_out_of_tls_is_not_followed(
    civitai: CivitaiService,
    make_http: MakeHttp,
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[1]))
    with (
        talking(led_to(f"{civitai.api}/api/v1/enums"), secure(certificate)) as port,
        pytest.raises(BadAnswer),
    ):
        make_http().json(f"https://localhost:{port}/")
    assert civitai.seen == []


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1:{port}/x",
        "http://10.0.0.7/x",
        "http://169.254.169.254/latest",
        "http://[::1]/x",
        "http://[::ffff:10.0.0.7]/x",
        "http://localhost/x",
    ],
)
def test_a_redirect_from_the_world_into_ones_own_network_is_not_followed(
    civitai: CivitaiService, make_http: MakeHttp, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """The world is what a proxy of ours says it is."""
    with talking(led_to(place.replace("{port}", civitai.api.rpartition(":")[2]))) as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        with pytest.raises(BadAnswer):
            make_http().json("http://files.example/x")
    assert civitai.seen == []


def test_authorities_that_cannot_be_read_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert certificates().verify_mode == ssl.CERT_REQUIRED
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    with pytest.raises(InvalidInput, match="SSL_CERT_FILE"):
        certificates()
    (tmp_path / "bad.pem").write_text("no certificate", "utf-8")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "bad.pem"))
    with pytest.raises(InvalidInput, match="SSL_CERT_FILE"):
        certificates()
