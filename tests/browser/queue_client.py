"""A caller of gradio's queue without a browser, as any program may be one: under whatever name it
says that the WebUI has.

gradio 3.41.2 has a socket for each event; gradio 4.40 takes the event by POST and answers in a
stream of its page's session.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from tests.browser.running import Running

_PATIENCE_S = 60.0
Answers = Iterator[dict[str, Any]]


def numbers(server: Running, name: str, outputs: bool = True) -> int:
    """The place of the event behind a control; those that fill nothing are apart."""
    config = json.loads(server.ask("GET", "/config")[1])
    found = next(
        one["id"]
        for one in config["components"]
        if one["props"].get("elem_id") == f"stylus_txt2img_{name}"
    )
    return next(
        index
        for index, event in enumerate(config["dependencies"])
        if any(
            found in (target if isinstance(target, list) else [target])
            for target in event["targets"]
        )
        and bool(event["outputs"]) is outputs
        and event["backend_fn"]
    )


@contextmanager
def asked(
    server: Running, number: int, data: list[Any], session: str, host: str
) -> Iterator[Answers]:
    """What the event answers, one after the other; leaving it is what a closed page does."""
    inside = _of_socket if server.gradio.startswith("3.") else _of_stream
    with inside(
        server,
        {"fn_index": number, "data": data, "event_data": None, "session_hash": session},
        host,
    ) as answers:
        yield answers


def texts_of(answers: Answers) -> Iterator[str]:
    """What the panel's line would say."""
    return (str(answer["data"][0]) for answer in answers)


def texts(answers: Answers) -> list[str]:
    return list(texts_of(answers))


@contextmanager
def _of_socket(server: Running, body: dict[str, Any], host: str) -> Iterator[Answers]:
    from websockets.sync.client import connect

    place = urlsplit(server.url)
    with (
        socket.create_connection((str(place.hostname), int(place.port or 80)), _PATIENCE_S) as line,
        connect(f"ws://{host}/queue/join", sock=line, proxy=None, compression=None) as made,
    ):

        def said() -> Answers:
            while True:
                message = json.loads(made.recv(_PATIENCE_S))
                if message["msg"] == "send_hash":
                    made.send(
                        json.dumps(
                            {"session_hash": body["session_hash"], "fn_index": body["fn_index"]}
                        )
                    )
                elif message["msg"] == "send_data":
                    made.send(json.dumps(body))
                yield from _answer(message)
                if message["msg"] == "process_completed":
                    return

        yield said()


@contextmanager
def _of_stream(server: Running, body: dict[str, Any], host: str) -> Iterator[Answers]:
    place = urlsplit(server.url).netloc
    joining, reading = (http.client.HTTPConnection(place, timeout=_PATIENCE_S) for _ in range(2))
    try:
        joining.request(
            "POST",
            "/queue/join",
            json.dumps(body),
            {"Content-Type": "application/json", "Host": host},
        )
        taken = joining.getresponse()
        assert taken.status == 200, taken.read()
        reading.request(
            "GET", f"/queue/data?session_hash={body['session_hash']}", headers={"Host": host}
        )
        stream = reading.getresponse()

        def said() -> Answers:
            while line := stream.readline():
                if line.startswith(b"data: "):
                    message = json.loads(line[6:])
                    yield from _answer(message)
                    if message["msg"] == "process_completed":
                        return

        yield said()
    finally:
        for connection in (joining, reading):
            connection.close()


def _answer(message: dict[str, Any]) -> Answers:
    if message["msg"] in ("process_generating", "process_completed") and message.get(
        "output", {}
    ).get("data"):
        yield message["output"]
