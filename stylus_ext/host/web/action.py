"""What the page may ask for, by name: what that needs of the guard, and how a payload becomes an
answer.

Each group of actions has a module of its own; nothing is passed to the engine that is not named
here.
"""

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
    """One request of the page: what it said, and whom there is to ask."""

    payload: Payload
    process: EngineProcess

    def engine(
        self, method: str, path: str, payload: Any = None, timeout_s: float = 30.0
    ) -> Payload:
        """The engine's answer; one that rests is started first."""
        return EngineClient(self.process).ask(method, path, payload, timeout_s)


@dataclass(frozen=True, slots=True)
class Action:
    """`kind` is what somebody wants; where the payload tells, `kind_of` reads it from there."""

    run: Callable[[ActionRequest], Payload | File]
    kind: RequestKind = RequestKind.LOOK
    kind_of: Callable[[Payload], RequestKind] | None = None

    def wants(self, payload: Payload) -> RequestKind:
        return self.kind if self.kind_of is None else self.kind_of(payload)
