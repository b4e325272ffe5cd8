"""An app as the host has it, with our routes, listening on loopback; needs the starlette of the
WebUI.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stylus_ext.host.guard import Guard
from stylus_ext.host.web.api import PREFIX, Service, register
from tests.engine_process import PATIENCE_S


@dataclass
class Answer:
    status: int
    json: dict[str, Any]
    headers: dict[str, str]
    text: str


@dataclass
class WebUI:
    """An app as the host has it, listening on loopback."""

    app: Any
    port: int

    def ask(self, method: str, path: str, payload: object = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        body = (
            payload
            if isinstance(payload, bytes)
            else json.dumps(payload).encode()
            if payload is not None
            else None
        )
        try:
            connection.request(
                method,
                PREFIX + path,
                body,
                {name.replace("_", "-"): value for name, value in headers.items()},
            )
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        said = json.loads(text) if answer.headers.get_content_type() == "application/json" else {}
        return Answer(
            answer.status, said, {name.lower(): value for name, value in answer.getheaders()}, text
        )


def app_of_the_host() -> Any:
    """A FastAPI app with a catch-all route, as gradio may add one."""
    from fastapi import FastAPI
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    app: Any = FastAPI()
    app.router.routes.append(
        Route(
            "/{rest:path}", lambda request: PlainTextResponse("the page"), methods=["GET", "POST"]
        )
    )
    return app


@contextlib.contextmanager
def webui(service: Service, pages: Any = None, **flags: Any) -> Iterator[WebUI]:
    import uvicorn

    app = app_of_the_host()
    register(app, service, Guard(Namespace(**flags), pages))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
        yield WebUI(app, server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
