"""A WebUI's API for tests: it draws a picture from the prompt and the seed, and lists requests."""

from __future__ import annotations

import base64
import colorsys
import hashlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from typing import Any

import numpy as np
import pytest

from tests.engine_process import PATIENCE_S
from tests.local_server import serve

COLOURS = {"red": 0.0, "green": 1 / 3, "blue": 2 / 3}
SIZE = 48


class WebUiDouble:
    """`before` is called with each request for a picture; it may raise `Refused`. `login` is the
    name:password that it asks for, if any.
    """

    def __init__(self, **options: Any) -> None:
        self.requests: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {
            "options": lambda: {"sd_model_checkpoint": self.checkpoint},
            "scripts": {"txt2img": ["stylus"], "img2img": []},
            "loras": [{"name": "Ink", "alias": "Ink", "path": "C:\\loras\\ink_v1.safetensors"}],
            **options,
        }
        self.before: Callable[[int], None] = lambda _: None
        self.draw = draw
        self.login = ""
        self.checkpoint: str = "tiny"
        self._guard = threading.Lock()

    def check_login(self, header: str | None) -> None:
        if self.login and header != f"Basic {base64.b64encode(self.login.encode()).decode()}":
            raise Refused(401)

    def answer(self, path: str, body: Any) -> Any:
        name = path.removeprefix("/sdapi/v1/")
        if body is None:
            self.asked.append(name)
            if name not in self.answers:
                raise Refused(404)
            found = self.answers[name]
            return found() if callable(found) else found
        with self._guard:
            self.requests.append(body)
            self.paths.append(name)
            number = len(self.requests)
        self.before(number)
        picture = base64.b64encode(self.draw(body["prompt"], body["seed"])).decode()
        info = {
            "seed": body["seed"],
            "sd_model_name": self.checkpoint,
            "infotexts": [body["prompt"]],
        }
        return {"images": [picture], "info": json.dumps(info)}


class Refused(Exception):
    """The server answers with this status, or ends the connection for 0."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def draw(prompt: str, seed: int) -> bytes:
    """The colour that the prompt names where it has a LoRA, else noise; as PNG."""
    from PIL import Image

    number = int.from_bytes(hashlib.sha256(f"{prompt} {seed}".encode()).digest()[:4], "big")
    pixels = np.random.default_rng(number).integers(0, 256, (SIZE, SIZE, 3))
    hue = next((hue for name, hue in COLOURS.items() if name in prompt), None)
    if hue is not None and "<lora:" in prompt:
        full = np.array(colorsys.hsv_to_rgb(hue, 1.0, 1.0)) * 255
        pixels = (pixels * 0.1 + full * 0.9).astype(int)
    file = BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


@contextmanager
def running(double: WebUiDouble) -> Iterator[str]:
    """Yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            self._answer(json.loads(self.rfile.read(length)))

        def _answer(self, body: Any) -> None:
            status, answer = 200, {}
            try:
                double.check_login(self.headers["Authorization"])
                answer = double.answer(self.path, body)
            except Refused as refused:
                status = refused.status
            if not status:
                self.close_connection = True
                return
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with serve(Handler) as url:
        yield url


@pytest.fixture
def double() -> WebUiDouble:
    return WebUiDouble()


@pytest.fixture
def url(double: WebUiDouble) -> Iterator[str]:
    with running(double) as address:
        yield address


class HeldPicture:
    """Holds the picture of this number, in which a command is stopped."""

    def __init__(self, double: WebUiDouble, number: int) -> None:
        self._number = number
        self._reached, self._go_on = threading.Event(), threading.Event()
        double.before = self._hold

    def _hold(self, number: int) -> None:
        if number == self._number:
            self._reached.set()
            self._go_on.wait(PATIENCE_S)

    def stop(self, process: subprocess.Popen[bytes], way: str) -> None:
        """Stop the command by "kill" or "interrupt"; it ends with an error and no traceback."""
        assert self._reached.wait(PATIENCE_S)
        if way == "kill":
            process.kill()
        else:
            os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE_S)
        self._go_on.set()
        assert process.returncode != 0
        assert b"Traceback" not in errors
