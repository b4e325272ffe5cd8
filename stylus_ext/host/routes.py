"""Puts the routes onto the WebUI's app; what answers at them is loaded with the first request, not
at the WebUI's start.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

PREFIX = "/stylus/v1"
_METHODS = {
    "plan": "POST",
    "status": "GET",
    "version": "GET",
    "ui/{name}": "POST",
    "fetch": "POST",
    "catalogue/sync": "POST",
    "catalogue/identify": "POST",
    "jobs": "GET",
    "jobs/{job}": "GET",
    "jobs/{job}/cancel": "POST",
}

Handler = Callable[["Request"], Awaitable["Response"]]


def add(app: Any, make: Callable[[], Mapping[str, Handler]]) -> None:
    """Exactly one of each on this app, however often the UI is reloaded; before what else the app
    may answer with.
    """
    from starlette.routing import Route

    made: dict[str, Handler] = {}
    guard = Lock()

    def late(name: str) -> Handler:
        async def endpoint(request: Request) -> Response:
            with guard:
                if not made:
                    made.update(make())
            return await made[name](request)

        return endpoint

    routes = app.router.routes
    routes[:] = [
        route for route in routes if not str(getattr(route, "path", "")).startswith(f"{PREFIX}/")
    ]
    routes[:0] = [
        Route(f"{PREFIX}/{name}", late(name), methods=[method]) for name, method in _METHODS.items()
    ]
