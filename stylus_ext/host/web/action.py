"""The page's actions: name, kind of access, handler. Only these reach the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stylus_ext.host.engine.client import EngineClient
from stylus_ext.host.engine.supervisor import EngineProcess
from stylus_ext.host.guard import RequestKind
from stylus_ext.host.web.responses import File, Payload


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """One request of the page: payload and engine."""

    payload: Payload
    process: EngineProcess

    def engine(
        self, method: str, path: str, payload: Any = None, timeout_s: float = 30.0
    ) -> Payload:
        """Ask the engine, starting it if needed."""
        return EngineClient(self.process).ask(method, path, payload, timeout_s)


@dataclass(frozen=True, slots=True)
class Action:
    """A handler with its kind of access, fixed or read from the payload by `kind_of`."""

    run: Callable[[ActionRequest], Payload | File]
    kind: RequestKind = RequestKind.LOOK
    kind_of: Callable[[Payload], RequestKind] | None = None

    def wants(self, payload: Payload) -> RequestKind:
        return self.kind if self.kind_of is None else self.kind_of(payload)
