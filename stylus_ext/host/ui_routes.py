"""POST /stylus/v1/ui/<name>: the page's own way to what it shows. A checked request goes to its
action; JSON or a file comes out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from stylus_ext.host.answering import BadRequest, File, Handler, Payload, admit, body, guarded
from stylus_ext.host.guard import Guard, Kind, Refusal
from stylus_ext.host.ui_actions import Asked, actions

if TYPE_CHECKING:
    from starlette.requests import Request

    from stylus_ext.host.engine_process import EngineProcess

NAME = "ui/{name}"
_NOT_FOUND = 404


def endpoints(process: Callable[[], EngineProcess], guard: Guard) -> dict[str, Handler]:
    """`process` is asked at each request, since settings change."""
    known = actions()

    async def answer(request: Request) -> Payload | File:
        name = str(request.path_params["name"])
        if name not in known:
            raise BadRequest(
                Refusal(_NOT_FOUND, f"The page has nothing to ask for at ui/{name[:60]}.")
            )
        payload = await body(request)
        admit(guard.refusal(known[name].wants(payload), request))
        return await asyncio.to_thread(lambda: known[name].run(Asked(payload, process())))

    return {NAME: guarded(guard, Kind.LOOK, answer, asks=False)}
