"""The engine's HTTP API: a FastAPI application over the operations and jobs."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from stylus_ext import __version__
from stylus_ext.catalogue.on_disk import UnknownInventory
from stylus_ext.core.errors import Cancelled, InvalidInput, StylusError, Unavailable
from stylus_ext.core.ports import Filter
from stylus_ext.engine.access import AccessGate, JsonAnswer, RequestRefused, error_answer
from stylus_ext.engine.jobs import FINISHED, Jobs
from stylus_ext.engine.metrics import CONTENT_TYPE, RequestMetrics
from stylus_ext.engine.operations.table import OPERATIONS, Operation
from stylus_ext.engine.stylus import Stylus

logger = logging.getLogger(__name__)

_SLACK_S = 0.05
_METHODS = ("GET", "POST")
_STATUS: Mapping[type[StylusError], tuple[int, str]] = {
    UnknownInventory: (409, "inventory"),
    InvalidInput: (400, "invalid"),
    Unavailable: (503, "unavailable"),
    Cancelled: (503, "unavailable"),
    StylusError: (500, "failed"),
}


class _StrictRequest(Request):
    """A request whose body is strict JSON, without NaN and Infinity; an empty one is {}."""

    async def body(self) -> bytes:
        return await super().body() or b"{}"

    async def json(self) -> Any:
        try:
            return json.loads(await self.body(), parse_constant=_not_json)
        except (ValueError, RecursionError) as error:
            raise RequestRefused(400, "json", "The request's body is not JSON.") from error


def _not_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class _StrictRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(_StrictRequest(request.scope, request.receive))

        return strict


@dataclass(frozen=True, slots=True)
class HttpApi:
    """The API over one data folder; `stop` asks the server to end."""

    stylus: Stylus
    jobs: Jobs
    stop: Callable[[], None]
    stopping: threading.Event = field(default_factory=threading.Event)
    metrics: RequestMetrics = field(default_factory=RequestMetrics)

    def report(self, step: str, done: int, total: int | None = None) -> None:  # noqa: ARG002
        """The progress of short operations; ends them when the engine stops."""
        if self.stopping.is_set():
            raise Cancelled("The engine is stopping.")

    def app(self, token: str, used: Callable[[], None]) -> ASGIApp:
        app = FastAPI(
            title="Stylus engine",
            description="Every request needs the header `Authorization: Bearer TOKEN`.",
            version=__version__,
            openapi_url="/v1/openapi.json",
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            default_response_class=JsonAnswer,
        )
        app.router.route_class = _StrictRoute
        app.add_exception_handler(StylusError, _answer_error)
        app.add_exception_handler(HTTPException, _answer_error)
        app.add_exception_handler(RequestValidationError, _answer_error)
        for name, operation in OPERATIONS.items():
            self._add_operation(app, name, operation)
        self._add_jobs(app)
        self._add_state(app)
        return AccessGate(app, token, used)

    def _add_operation(self, app: FastAPI, name: str, operation: Operation) -> None:
        async def perform(request: Any) -> JsonAnswer:
            return JsonAnswer(await self._measured(name, operation, request))

        async def start_job(request: Any) -> JsonAnswer:
            job = self.jobs.start(
                name if operation.job_name is None else operation.job_name(request),
                lambda progress: operation.run(self.stylus, request, progress),
                concurrent=operation.concurrent,
            )
            return JsonAnswer(job.as_json())

        async def refuse() -> JsonAnswer:
            raise RequestRefused(
                409,
                "job",
                f"{name} takes long. Use POST /v1/jobs/{name}, then GET /v1/jobs/<id>.",
            )

        for handler in (perform, start_job):
            handler.__annotations__["request"] = operation.input
        if operation.long:
            app.post(f"/v1/{name}", include_in_schema=False)(refuse)
        else:
            app.post(f"/v1/{name}", operation_id=name, summary=name)(perform)
        job = f"{name} as a job"
        app.post(f"/v1/jobs/{name}", operation_id=f"job_{name}", summary=job)(start_job)

    async def _measured(self, name: str, operation: Operation, request: Any) -> dict[str, Any]:
        began, outcome = time.perf_counter(), "cancelled"
        try:
            answer = await self._perform(name, operation, request)
            outcome = "done"
        except RequestRefused as refusal:
            outcome = refusal.code
            raise
        except StylusError as error:
            outcome = _status_of(error)[1]
            raise
        finally:
            self.metrics.answered(name, outcome, time.perf_counter() - began)
        return answer

    async def _perform(self, name: str, operation: Operation, request: Any) -> dict[str, Any]:
        work = asyncio.to_thread(operation.run, self.stylus, request, self)
        deadline_s = getattr(request, "deadline_s", None)
        try:
            if operation.late is None or deadline_s is None:
                return await work
            return await asyncio.wait_for(work, deadline_s + _SLACK_S)
        except StylusError:
            raise
        except (asyncio.TimeoutError, TimeoutError):  # the first is another class in Python 3.10
            if operation.late is None:
                raise
            return operation.late(request)  # the thread goes on: the next plan profits from it
        except Exception as error:
            logger.exception("%s failed", name)
            raise RequestRefused(
                500,
                "unexpected",
                f"{name} failed unexpectedly ({type(error).__name__}). See the engine's log.",
            ) from error

    def _add_state(self, app: FastAPI) -> None:
        @app.get("/health")
        async def health() -> JsonAnswer:
            return JsonAnswer({"ok": True})

        @app.get("/ready")
        async def ready() -> JsonAnswer:
            is_ready = not self.stopping.is_set() and all(
                job.state in FINISHED for job in self.jobs.all() if job.name == "prepare"
            )
            return JsonAnswer({"ready": is_ready}, 200 if is_ready else 503)

        @app.get("/metrics")
        async def metrics() -> Response:
            store = self.stylus.catalogue.store
            found = await asyncio.to_thread(store.search, "", Filter(), limit=1)
            jobs = Counter(str(job.state) for job in self.jobs.all())
            text = self.metrics.text(found.total, jobs)
            return PlainTextResponse(text, headers={"Content-Type": CONTENT_TYPE})

    def _add_jobs(self, app: FastAPI) -> None:
        @app.get("/v1/status")
        async def status() -> JsonAnswer:
            operation = OPERATIONS["status"]
            return JsonAnswer(await self._perform("status", operation, operation.input()))

        @app.get("/v1/schema")
        async def schema() -> JsonAnswer:
            return JsonAnswer(
                {
                    name: {**operation.input.model_json_schema(), "long": operation.long}
                    for name, operation in OPERATIONS.items()
                }
            )

        @app.get("/v1/jobs")
        async def jobs() -> JsonAnswer:
            return JsonAnswer({"jobs": [job.as_json() for job in self.jobs.all()]})

        @app.get("/v1/jobs/{job_id}")
        async def job(job_id: str) -> JsonAnswer:
            return JsonAnswer(self.jobs.get(job_id).as_json())

        @app.post("/v1/jobs/{job_id}/cancel")
        async def cancel(job_id: str) -> JsonAnswer:
            return JsonAnswer(self.jobs.cancel(job_id).as_json())

        @app.post("/v1/shutdown")
        async def shutdown() -> JsonAnswer:
            self.stopping.set()
            self.stop()
            return JsonAnswer({"stopping": True})


def _status_of(error: Exception) -> tuple[int, str]:
    return next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)


async def _answer_error(request: Request, error: Exception) -> Response:
    if isinstance(error, RequestRefused):
        return error.answer()
    if isinstance(error, HTTPException):
        method, path = request.method, request.url.path
        if method not in _METHODS:
            return error_answer(405, "method", "The engine answers GET and POST.")
        return error_answer(404, "not_found", f"The engine has nothing at {method} {path}.")
    if isinstance(error, RequestValidationError):  # such as null; models raise InvalidInput
        return error_answer(400, "invalid", "A request is a JSON object.")
    status, code = _status_of(error)
    return error_answer(status, code, str(error))
