"""A request as the guard sees it: starlette's, or what gradio hands to an event, go in; headers and
who it is come out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """Headers by their names in lower case; `tokens` are the logins that gradio knows, `user` is
    whom it names.
    """

    method: str
    headers: Mapping[str, str]
    tokens: Mapping[str, str]
    user: str

    @property
    def cookies(self) -> dict[str, str]:
        """Read leniently: one odd cookie of another program on this machine must not hide the
        login.
        """
        pairs = (one.partition("=") for one in self.headers.get("cookie", "").split(";"))
        return {name.strip(): value.strip().strip('"') for name, _, value in pairs}


def asked(request: Any) -> Asked:
    """gradio wraps starlette's request; through its queue the wrapped one may be a socket, which
    has a scope all the same.
    """
    inner = getattr(request, "request", None) or request
    scope = getattr(inner, "scope", None)
    if isinstance(scope, Mapping):
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope.get("headers", [])
        }
        method, app = str(scope.get("method", "POST")), scope.get("app")
    else:
        headers = {
            str(name).lower(): str(value) for name, value in _pairs(getattr(inner, "headers", {}))
        }
        method, app = "POST", None
    tokens = getattr(app, "tokens", None)
    user = _stated(request, "username")
    return Asked(method.upper(), headers, tokens if isinstance(tokens, Mapping) else {}, user)


def _pairs(headers: Any) -> list[tuple[Any, Any]]:
    if isinstance(headers, Mapping):
        return list(headers.items())
    return (
        [(str(name), value) for name, value in vars(headers).items()]
        if hasattr(headers, "__dict__")
        else []
    )


def _stated(request: Any, name: str) -> str:
    """Only what the event's request itself says: starlette's own `user` raises where nobody put
    one.
    """
    return str(vars(request).get(name) or "") if hasattr(request, "__dict__") else ""
