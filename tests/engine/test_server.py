from __future__ import annotations

import http.client
import json
import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import jsonschema  # type: ignore[import-untyped]
import pytest

from stylus_ext.core.composition import Candidates, Composition
from stylus_ext.core.errors import EngineGone, EngineRefusal
from stylus_ext.core.plan import from_json, to_json
from stylus_ext.core.ports import Query
from stylus_ext.engine import access, stylus
from stylus_ext.engine.access import LARGEST_BODY
from stylus_ext.engine.operations.table import OPERATIONS
from stylus_ext.environment.engine_link import EngineLink, proof_of
from stylus_ext.selection.compose.baselines import PolicyComposer
from tests.embedding_server import EmbeddingServer
from tests.engine.conftest import TOKEN
from tests.engine_process import engine_in_thread, finished
from tests.lora_files import write_lora

ALLOWED = {"Authorization": f"Bearer {TOKEN}"}


def ask(
    engine: EngineLink,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """One request as it is, without the courtesies of EngineLink."""
    parts = urlsplit(engine.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.putrequest(method, path, skip_host="Host" in (headers or {}))
        for name, value in (ALLOWED if headers is None else headers).items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        text = answer.read()
        return (
            answer.status,
            json.loads(text) if text else {},
            {name.lower(): value for name, value in answer.getheaders()},
        )
    finally:
        connection.close()


def refused(
    engine: EngineLink, method: str, path: str, payload: object = None
) -> tuple[int, str, str]:
    with pytest.raises(EngineRefusal) as caught:
        engine.call(method, path, payload)
    return caught.value.status, caught.value.code, str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer wrong"},
        {"Authorization": TOKEN},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": "Bearer \xff"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/status"), ("POST", "/v1/shutdown"), ("GET", "/nothing")]
)
def test_every_request_needs_the_token(
    engine: EngineLink, headers: dict[str, str], method: str, path: str
) -> None:
    status, answer, sent = ask(engine, method, path, headers=headers)
    assert (status, answer["error"]["code"]) == (401, "token")
    assert TOKEN not in json.dumps([answer, sent])


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "localhost.evil",
        "",
        "[::1",
        "127.0.0.1@evil",
    ],
)
def test_a_foreign_host_name_is_refused(engine: EngineLink, host: str) -> None:
    status, answer, _ = ask(engine, "GET", "/v1/status", headers={**ALLOWED, "Host": host})
    assert (status, answer["error"]["code"]) == (403, "host")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:9999", "[::1]:80"])
def test_local_host_names_are_accepted_with_any_port(engine: EngineLink, host: str) -> None:
    assert ask(engine, "GET", "/v1/status", headers={**ALLOWED, "Host": host})[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/v2/status", 404, "not_found"),
        ("GET", "/v1/", 404, "not_found"),
        ("GET", "/v1/plan", 404, "not_found"),
        ("GET", "/v1/%2e%2e/etc/passwd", 404, "not_found"),
        ("POST", "/v1/nothing", 404, "not_found"),
        ("POST", "/v1/jobs/nothing", 404, "not_found"),
        ("POST", "/v1/index", 409, "job"),
        ("GET", "/v1/jobs/0123", 400, "invalid"),
        ("POST", "/v1/jobs/0123/cancel", 400, "invalid"),
        ("PUT", "/v1/plan", 405, "method"),
        ("DELETE", "/v1/status", 405, "method"),
        ("OPTIONS", "/v1/plan", 405, "method"),
    ],
)
def test_unknown_paths_and_methods_have_error_codes(
    engine: EngineLink, method: str, path: str, status: int, code: str
) -> None:
    answered, answer, sent = ask(engine, method, path)
    assert (answered, answer["error"]["code"]) == (status, code)
    assert answer["error"]["message"]
    assert "access-control-allow-origin" not in sent


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b"nothing",
        b'{"prompt": NaN}',
        b'{"prompt": 1e',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 5000,
        b'"\x00"',
    ],
)
def test_a_body_that_is_not_json_is_refused(engine: EngineLink, body: bytes) -> None:
    status, answer, _ = ask(engine, "POST", "/v1/plan", body)
    assert (status, answer["error"]["code"]) == (400, "json")


@pytest.mark.parametrize(
    ("payload", "output"),
    [
        ([1], "JSON object"),
        ("text", "JSON object"),
        (None, "JSON object"),
        ({}, "'prompt'"),
        ({"prompt": 1}, "'prompt'"),
        ({"prompt": "x" * 100_001}, "'prompt'"),
        ({"prompt": "x", "batches": 0}, "'batches'"),
        ({"prompt": "x", "seed": -1}, "'seed'"),
        ({"prompt": "x", "seeds": [1] * 1001}, "'seeds'"),
        ({"prompt": "x", "deadline_s": 1e9}, "'deadline_s'"),
        ({"prompt": "x", "settings": {"weights": {"strength": 99}}}, "strength must lie between"),
        ({"prompt": "x", "settings": {"weights": 3}}, "must be an object"),
        ({"prompt": "x", "settings": {"nothing": {}}}, "no group of settings"),
        ({"prompt": "x", "settings": {"selection": {"family": "no such family"}}}, "family"),
        (
            {"prompt": "x", "settings": {"encoder": {"endpoint": "http://evil.example"}}},
            "belong to the engine",
        ),
        ({"prompt": "x", "lora_dirs": ["/no/such/folder"]}, "There is no folder"),
        ({"prompt": "x", "reach": "moon"}, "'reach'"),
        ({"prompt": "x", "promt": "y"}, "'promt'"),
    ],
)
def test_a_wrong_request_names_its_field(engine: EngineLink, payload: object, output: str) -> None:
    status, answer, _ = ask(engine, "POST", "/v1/plan", json.dumps(payload).encode())
    assert (status, answer["error"]["code"]) == (400, "invalid")
    assert output in answer["error"]["message"]
    assert len(answer["error"]["message"]) < 2001


def test_a_job_is_checked_before_it_starts(engine: EngineLink) -> None:
    before = engine.call("GET", "/v1/jobs")
    assert refused(engine, "POST", "/v1/jobs/index", {"lora_dirs": "x"})[:2] == (400, "invalid")
    assert engine.call("GET", "/v1/jobs") == before


def test_a_body_with_too_large_a_length_is_not_read(engine: EngineLink) -> None:
    parts = urlsplit(engine.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as sock:
        sock.sendall(
            f"POST /v1/plan HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Length: {LARGEST_BODY + 1}\r\n\r\n".encode()
        )
        assert b" 413 " in sock.recv(4096)


def test_a_chunked_body_that_grows_too_large_is_refused(engine: EngineLink) -> None:
    """Chunked, so that its length is not known before."""
    parts = urlsplit(engine.url)
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as sock:
        sock.sendall(
            f"POST /v1/plan HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        for _ in range(LARGEST_BODY // 0x100000):
            sock.sendall(chunk)
        sock.sendall(b"1\r\n \r\n")
        assert b" 413 " in sock.recv(4096)


def test_a_plan_over_http_is_a_plan(engine: EngineLink) -> None:
    answer = engine.call(
        "POST", "/v1/plan", {"prompt": "a corgi, pixel art", "batches": 3, "seed": 5}
    )
    plan = from_json(answer["plan"])
    assert to_json(plan) == answer["plan"]
    assert len(plan.prompts) == len(plan.masks) == 3
    assert answer["elapsed_ms"] > 0
    assert (
        engine.call("POST", "/v1/plan", {"prompt": "a corgi, pixel art", "batches": 3, "seed": 5})[
            "plan"
        ]
        == answer["plan"]
    )


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "   ",
        "\x00\x01\udcff\ud800",
        "\u96e8\u306e\u6771\u4eac, \U0001f9ca",
        "word, " * 3333,
        "(" * 20_000,
    ],
)
def test_a_strange_prompt_is_planned_or_unchanged(engine: EngineLink, prompt: str) -> None:
    plan = engine.call("POST", "/v1/plan", {"prompt": prompt})["plan"]
    assert plan["prompt"] == prompt
    assert plan["prompts"][0].startswith(prompt.rstrip())
    assert plan["picks"] or plan["notes"]


def test_a_plan_without_time_leaves_the_prompt_unchanged(engine: EngineLink) -> None:
    plan = engine.call("POST", "/v1/plan", {"prompt": "a corgi on the moon", "deadline_s": 0})[
        "plan"
    ]
    assert plan["prompts"] == ["a corgi on the moon"]
    assert [note["code"] for note in plan["notes"]] == ["late"]


def test_a_late_plan_is_answered_with_the_unchanged_prompt(
    vectors: EmbeddingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The composer hangs: the prompt comes back unchanged all the same, in time, one text a batch.

    An encoder that hangs no longer makes a plan late: it is made by words.
    """
    go_on = threading.Event()

    class SlowComposer(PolicyComposer):
        def compose(self, query: Query, candidates: Candidates) -> Composition:
            go_on.wait(20)
            return super().compose(query, candidates)

    with engine_in_thread(tmp_path / "data", vectors.url) as engine:
        finished(engine)
        monkeypatch.setattr(stylus, "PolicyComposer", SlowComposer)
        try:
            plan = engine.call(
                "POST",
                "/v1/plan",
                {"prompt": "a corgi in a castle", "seeds": [7, 8], "deadline_s": 0.3},
            )["plan"]
        finally:
            go_on.set()
        assert plan["prompts"] == ["a corgi in a castle"] * 2
        assert plan["seed"] == 7
        assert [note["code"] for note in plan["notes"]] == ["late"]
        assert to_json(from_json(plan)) == plan
        assert (
            engine.call("POST", "/v1/plan", {"prompt": "a corgi in a castle"})["plan"]["notes"]
            != plan["notes"]
        )
        assert refused(engine, "POST", "/v1/plan", {"prompt": 3, "deadline_s": 0})[:2] == (
            400,
            "invalid",
        )


def test_only_what_the_host_lists_is_picked(engine: EngineLink) -> None:
    plan = engine.call("POST", "/v1/plan", {"prompt": "a corgi", "stems": []})["plan"]
    assert plan["picks"] == []
    assert plan["prompts"] == ["a corgi"]


def test_search_show_and_edit(engine: EngineLink) -> None:
    found = engine.call("POST", "/v1/search", {"text": "corgi"})
    key = found["entries"][0]["key"]
    assert engine.call("POST", "/v1/show", {"key": key})["entry"]["key"] == key
    edited = engine.call(
        "POST",
        "/v1/edit",
        {"key": key, "text": "a very small corgi", "weight": 0.5, "state": "always"},
    )["entry"]
    assert (edited["text"], edited["weight"], edited["state"]) == (
        "a very small corgi",
        0.5,
        "always",
    )
    assert engine.call("POST", "/v1/search", {"state": "always"})["total"] == 1
    restored = engine.call("POST", "/v1/edit", {"key": key, "undo": True})["entry"]
    assert restored["state"] == "auto"
    assert refused(engine, "POST", "/v1/show", {"key": "no such adapter"})[1] == "invalid"
    assert refused(engine, "POST", "/v1/edit", {"key": key, "kind": "sandwich"})[1] == "invalid"


def test_the_status_lists_operations_and_what_leaves_the_machine(
    engine: EngineLink, vectors: EmbeddingServer
) -> None:
    status = engine.call("GET", "/v1/status")
    assert status["catalogue"]["entries"] > 100
    assert status["capabilities"]["operations"] == sorted(OPERATIONS)
    assert vectors.url in " ".join(status["leaves_the_machine"])
    assert TOKEN not in json.dumps(status)


def test_learning_is_a_job_of_its_own_name(engine: EngineLink, tmp_path: Path) -> None:
    for learn, name in (([], "index"), ([str(tmp_path)], "learn")):
        payload = {"lora_dirs": [str(tmp_path)], "learn": learn, "hash": False}
        assert engine.call("POST", "/v1/jobs/index", payload)["name"] == name


def test_the_schemas_are_valid(engine: EngineLink) -> None:
    schemas = engine.call("GET", "/v1/schema")
    assert set(schemas) == set(OPERATIONS)
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    assert schemas["index"]["long"]
    jsonschema.validate({"prompt": "x", "seeds": [1, 2]}, schemas["plan"])


def test_the_openapi_document_describes_every_operation(engine: EngineLink) -> None:
    document = engine.call("GET", "/v1/openapi.json")
    assert document["openapi"].startswith("3.")
    for name, operation in OPERATIONS.items():
        path = f"/v1/jobs/{name}" if operation.long else f"/v1/{name}"
        schema = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        model = document["components"]["schemas"][schema["schema"]["$ref"].rpartition("/")[2]]
        assert set(model.get("properties", {})) == set(operation.input.model_fields)
    assert TOKEN not in json.dumps(document)
    status, answer, _ = ask(engine, "GET", "/v1/openapi.json", headers={})
    assert (status, answer["error"]["code"]) == (401, "token")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", ""),
        (b"{}", "application/x-www-form-urlencoded"),
        (b"{}", "text/plain"),
        (b'{"limit": 1}', ""),
    ],
)
def test_every_body_is_read_as_json(engine: EngineLink, body: bytes, kind: str) -> None:
    headers = {**ALLOWED, **({"Content-Type": kind} if kind else {})}
    status, answer, sent = ask(engine, "POST", "/v1/search", body, headers)
    assert status == 200
    assert answer["entries"]
    assert (sent["content-type"], sent["cache-control"]) == ("application/json", "no-store")


def test_plans_go_on_while_a_folder_is_indexed(vectors: EmbeddingServer, tmp_path: Path) -> None:
    loras = tmp_path / "loras"
    for number in range(300):
        write_lora(
            loras / f"adapter_{number:03}.safetensors",
            metadata={"ss_output_name": f"adapter {number}"},
            seed=number,
        )
    with engine_in_thread(tmp_path / "data", vectors.url) as engine:
        job = engine.call("POST", "/v1/jobs/index", {"lora_dirs": [str(loras)]})
        prompts = [f"a corgi, picture {number}" for number in range(24)]

        def planned(prompt: str) -> dict[str, Any]:
            plan: dict[str, Any] = engine.call(
                "POST", "/v1/plan", {"prompt": prompt, "reach": "catalogue"}
            )["plan"]
            return plan

        with ThreadPoolExecutor(6) as pool:
            plans = list(pool.map(planned, prompts))
        assert [plan["prompt"] for plan in plans] == prompts
        assert all(plan["prompts"][0].startswith(plan["prompt"]) for plan in plans)
        done = finished(engine, job["id"])
        assert (done["state"], done["result"]["written"]) == ("done", 300), done
        status = engine.call("GET", "/v1/status")["catalogue"]
        assert status["on_disk"] == 300
        assert status["in_step"]


def test_a_plan_says_when_the_catalogue_is_not_embedded_yet(
    vectors: EmbeddingServer, tmp_path: Path
) -> None:
    """The encoder is held at its first batch until the plan was made."""
    go_on = threading.Event()

    def held(body: dict[str, Any]) -> Any:
        go_on.wait(20)
        return 200, {}, vectors.good(body)

    with engine_in_thread(tmp_path / "data", vectors.url) as engine:
        until = time.monotonic() + 20
        finished(engine)
        vectors.script.append(held)
        write_lora(tmp_path / "loras" / "corgi_friend.safetensors")
        job = engine.call("POST", "/v1/jobs/index", {"lora_dirs": [str(tmp_path / "loras")]})
        while (
            vectors.script and time.monotonic() < until
        ):  # until the job's request is the one that is held
            time.sleep(0.02)
        try:
            answers = []
            asking = threading.Thread(
                target=lambda: answers.append(
                    engine.call("POST", "/v1/plan", {"prompt": "a corgi"})
                )
            )
            asking.start()
            asking.join(10)
            notes = {note["code"]: note["text"] for note in answers[0]["plan"]["notes"]}
            assert "0 of the 2" in notes["partial_index"]
        finally:
            go_on.set()
        finished(engine, job["id"])
        plan = engine.call("POST", "/v1/plan", {"prompt": "a corgi"})["plan"]
        assert "partial_index" not in {note["code"] for note in plan["notes"]}


def test_a_job_is_cancelled_over_http(vectors: EmbeddingServer, tmp_path: Path) -> None:
    for number in range(600):
        write_lora(tmp_path / "loras" / f"adapter_{number:03}.safetensors", seed=number)
    with engine_in_thread(tmp_path / "data", vectors.url) as engine:
        finished(engine)
        job = engine.call("POST", "/v1/jobs/index", {"lora_dirs": [str(tmp_path / "loras")]})
        engine.call("POST", f"/v1/jobs/{job['id']}/cancel", {})
        assert finished(engine, job["id"])["state"] == "cancelled"


def test_after_a_shutdown_no_request_is_answered(vectors: EmbeddingServer, tmp_path: Path) -> None:
    with engine_in_thread(tmp_path / "data", vectors.url) as engine:
        assert engine.call("POST", "/v1/shutdown", {}) == {"stopping": True}
        time.sleep(1)
        with pytest.raises(EngineGone):
            engine.call("GET", "/v1/jobs")


@pytest.mark.long
def test_a_trivial_call_takes_a_few_milliseconds(engine: EngineLink) -> None:
    times = []
    for _ in range(30):
        started = time.perf_counter()
        engine.call("GET", "/v1/jobs")
        times.append(time.perf_counter() - started)
    assert median(times) < 0.05


def test_an_unexpected_failure_keeps_its_details_in_the_log(
    engine: EngineLink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> dict[str, Any]:
        raise ZeroDivisionError("inner details")

    monkeypatch.setattr("stylus_ext.engine.operations.catalogue.search", broken)
    with caplog.at_level(logging.DEBUG):
        status, code, message = refused(engine, "POST", "/v1/search", {})
    assert (status, code) == (500, "unexpected")
    assert "ZeroDivisionError" in message
    assert "inner" not in message
    assert "inner details" in caplog.text
    assert TOKEN not in caplog.text


HEAD = f"POST /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
GOOD = HEAD + "Content-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ("", b""),
        ("POST /v1/st", b""),
        (HEAD, b""),
        (f"{HEAD}Content-Length: 9\r\n\r\n", b"408"),
        (f"{HEAD}Content-Length: 9\r\n\r\n{{", b"408"),
        (f"{HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n", b"408"),
        (f"{GOOD}{HEAD}", b"200"),
    ],
)
def test_a_request_that_does_not_come_whole_is_given_up(
    engine: EngineLink, monkeypatch: pytest.MonkeyPatch, sent: str, answered: bytes
) -> None:
    monkeypatch.setattr(access, "HEAD_S", 0.2)
    monkeypatch.setattr(access, "BODY_S", 0.2)
    parts = urlsplit(engine.url)
    with socket.create_connection((str(parts.hostname), parts.port or 0), timeout=30) as connection:
        connection.sendall(sent.encode())
        received = b""
        while piece := connection.recv(65536):
            received += piece
    assert received.split(b" ", 2)[1:2] == ([answered] if answered else [])


@pytest.mark.parametrize("following", ["", "Connection: close\r\n"])
def test_a_client_that_does_not_read_its_answer_is_given_up(
    engine: EngineLink, monkeypatch: pytest.MonkeyPatch, following: str
) -> None:
    monkeypatch.setattr(access, "READING_S", 0.2)
    size = 16 * 1024 * 1024
    monkeypatch.setattr(
        "stylus_ext.engine.operations.catalogue.search", lambda *_: {"large": "x" * size}
    )
    request = f"{HEAD}Content-Length: 2\r\n{following}\r\n{{}}".replace("status", "search", 1)
    parts = urlsplit(engine.url)
    place = str(parts.hostname), parts.port or 0
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(30)
        connection.connect(place)
        connection.sendall(request.encode())
        time.sleep(2)  # ten times what the engine waits
        received = 0
        with suppress(ConnectionError):
            while piece := connection.recv(65536):
                received += len(piece)
        assert received < size
    with socket.create_connection(place, timeout=30) as other:
        other.sendall(GOOD.encode())
        assert other.recv(65536).split(b" ", 2)[1] == b"200"


def test_a_client_that_reads_slowly_gets_its_whole_answer(
    engine: EngineLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "READING_S", 1.0)
    monkeypatch.setattr(access, "READ_AT_LEAST", 1)
    size = 4 * 1024 * 1024
    monkeypatch.setattr(
        "stylus_ext.engine.operations.catalogue.search", lambda *_: {"large": "x" * size}
    )
    request = f"{HEAD}Connection: close\r\nContent-Length: 2\r\n\r\n{{}}"
    parts = urlsplit(engine.url)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.settimeout(30)
        connection.connect((str(parts.hostname), parts.port or 0))
        connection.sendall(request.replace("status", "search", 1).encode())
        received = 0
        while piece := connection.recv(65536):
            received += len(piece)
            time.sleep(0.05)
    assert received > size


def test_a_slow_request_that_comes_in_time_is_answered(engine: EngineLink) -> None:
    parts = urlsplit(engine.url)
    with socket.create_connection((str(parts.hostname), parts.port or 0), timeout=30) as connection:
        for letter in GOOD:
            connection.sendall(letter.encode())
        assert connection.recv(65536).split(b" ", 2)[1] == b"200"


def test_the_engine_proves_that_it_knows_the_token(engine: EngineLink) -> None:
    port = urlsplit(engine.url).port or 0
    status, answer, _ = ask(engine, "GET", f"/v1/proof?nonce={'a' * 64}", headers={})
    assert (status, answer) == (200, {"port": port, "proof": proof_of(TOKEN, "a" * 64, port)})
    for nonce in ("", "a", "a" * 1000):
        assert ask(engine, "GET", f"/v1/proof?nonce={nonce}", headers={})[0] == 400
    foreign = {"Host": "evil.example"}
    assert ask(engine, "GET", f"/v1/proof?nonce={'a' * 64}", headers=foreign)[0] == 403
