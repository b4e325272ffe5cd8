"""The page on which people judge pairs of pictures, served on this machine alone."""

from __future__ import annotations

import hmac
import json
import secrets
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stylus_ext.core.errors import InvalidInput
from stylus_ext.engine.access import ImpatientProtocol, JsonAnswer, is_local_host
from stylus_ext.evaluation.pictures.judging.pairs import PicturePair, png_of_same_size
from stylus_ext.evaluation.pictures.judging.trials import Judge, checked_name
from stylus_ext.evaluation.pictures.judging.verdicts import VerdictFile

PAGE = Path(__file__).parent / "page"
_FILES = {"/": "judge.html", "/judge.js": "judge.js", "/judge.css": "judge.css"}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " img-src blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_LARGEST_BODY = 10_000
_SHUTDOWN_S = 2
_SIDES = ("left", "right")


class JudgeInput(BaseModel):
    judge: Annotated[str, Field(max_length=200)]


class ChoiceInput(JudgeInput):
    trial: int
    choice: str


@dataclass(frozen=True, slots=True)
class JudgingGate:
    """ASGI middleware: the Host header, the token and the size of the body are checked.

    The files of the page are free, since they say nothing about the run.
    """

    app: ASGIApp
    token: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(scope, Headers(scope=scope))
        await (refusal or self.app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if not is_local_host(headers):
            return _refused(403, "The page answers only to a local address, such as 127.0.0.1.")
        if scope["path"] in _FILES:
            return None
        given = headers.get("authorization", "").encode("latin-1")
        if not hmac.compare_digest(given, f"Bearer {self.token}".encode("latin-1")):
            return _refused(401, "Open the address that the command printed.")
        length = headers.get("content-length", "0")
        chunked = "transfer-encoding" in headers
        if chunked or not length.isdecimal() or int(length[:20]) > _LARGEST_BODY:
            return _refused(413, "The request is too large.")
        return None


def _refused(status: int, message: str) -> JsonAnswer:
    return JsonAnswer({"error": message}, status)


class JudgingPage:
    """The state behind the page: the judges with their trials, and the pictures being shown."""

    def __init__(
        self, folder: Path, pairs: Sequence[PicturePair], file: VerdictFile, repeated: float
    ) -> None:
        self._folder, self._pairs, self._file, self._repeated = folder, pairs, file, repeated
        self._secret = secrets.token_bytes(32)
        self._judges: dict[str, Judge] = {}
        self._pictures: dict[str, tuple[Path, Path]] = {}
        self._guard = threading.Lock()

    def app(self, token: str) -> ASGIApp:
        app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
        app.add_exception_handler(InvalidInput, _answer_invalid)
        app.add_exception_handler(RequestValidationError, _answer_invalid)
        for path, name in _FILES.items():
            app.get(path)(_file_sender(PAGE / name))
        app.post("/v1/next")(self.next_trial)
        app.post("/v1/choose")(self.choose)
        app.post("/v1/undo")(self.undo)
        app.get("/v1/pictures/{name}")(self.picture)
        return JudgingGate(app, token)

    def next_trial(self, request: JudgeInput) -> JsonAnswer:
        with self._guard:
            return JsonAnswer(self._view(self._judge(request.judge)))

    def choose(self, request: ChoiceInput) -> JsonAnswer:
        with self._guard:
            judge = self._judge(request.judge)
            judge.choose(request.trial, request.choice)
            return JsonAnswer(self._view(judge))

    def undo(self, request: JudgeInput) -> JsonAnswer:
        with self._guard:
            judge = self._judge(request.judge)
            judge.undo()
            return JsonAnswer(self._view(judge))

    def picture(self, name: str) -> Response:
        files = self._pictures.get(name)
        if files is None:
            return _refused(404, "There is no such picture.")
        return Response(png_of_same_size(*files), media_type="image/png")

    def _judge(self, name: str) -> Judge:
        name = checked_name(name)
        if name not in self._judges:
            self._judges[name] = Judge(name, self._pairs, self._file, self._repeated)
        return self._judges[name]

    def _view(self, judge: Judge) -> dict[str, Any]:
        """What the page shows; nothing in it depends on the arms."""
        place = judge.current
        return {
            "judge": judge.name,
            "done": judge.done,
            "total": len(judge.trials),
            "trial": place,
            "prompt": "" if place is None else judge.trials[place].pair.text,
            "pictures": [] if place is None else self._named(judge, place),
        }

    def _named(self, judge: Judge, place: int) -> list[str]:
        """The addresses of the left and the right picture, from a secret of this server."""
        trial = judge.trials[place]
        left, right = (self._folder / trial.pair.side(arm)[0].file for arm in trial.arms)
        names = []
        for side, files in zip(_SIDES, ((left, right), (right, left)), strict=True):
            text = json.dumps([judge.name, place, side]).encode()
            name = hmac.new(self._secret, text, sha256).hexdigest()
            self._pictures[name] = files
            names.append(f"/v1/pictures/{name}")
        return names


def _file_sender(file: Path) -> Callable[[], FileResponse]:
    def send() -> FileResponse:
        return FileResponse(file)

    return send


def _answer_invalid(request: Request, error: Exception) -> Response:  # noqa: ARG001
    is_ours = isinstance(error, InvalidInput)
    return _refused(400, str(error) if is_ours else "The request cannot be read.")


def judging_server(page: JudgingPage, token: str) -> Any:
    """The uvicorn server of the page."""
    import uvicorn

    return uvicorn.Server(
        uvicorn.Config(
            page.app(token),
            http=ImpatientProtocol,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )
    )


def serve_page(page: JudgingPage, listener: socket.socket, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl+C. `ready` gets the address, whose token a browser does not send."""
    token = secrets.token_urlsafe(32)
    server = judging_server(page, token)
    ready(page_address(listener, token))
    server.run(sockets=[listener])


def page_address(listener: socket.socket, token: str) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}/#{token}"
