"""Access control for the WebUI's routes and events, by its own auth options and openness."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylus_ext.host.allowed_hosts import AllowedHosts, host_of, is_literal

if TYPE_CHECKING:
    from stylus_ext.host.allowed_hosts import PageTokens


@dataclass(frozen=True, slots=True)
class GuardedRequest:
    """The parts of a request that matter: lower-case headers, gradio's logins and user."""

    method: str
    headers: Mapping[str, str]
    tokens: Mapping[str, str]
    user: str

    @property
    def cookies(self) -> dict[str, str]:
        """Parse cookies leniently: another program's odd cookie must not hide the login."""
        pairs = (pair.partition("=") for pair in self.headers.get("cookie", "").split(";"))
        return {name.strip(): value.strip().strip('"') for name, _, value in pairs}


def read_request(request: Any) -> GuardedRequest:
    """Unwrap a gradio request, which may wrap a web socket."""
    inner = getattr(request, "request", None) or request
    scope = getattr(inner, "scope", None)
    method, app = "POST", None
    if isinstance(scope, Mapping):
        pairs = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in scope.get("headers", [])
        ]
        method, app = str(scope.get("method", "POST")), scope.get("app")
    else:
        headers = getattr(inner, "headers", {})
        pairs = list((headers if isinstance(headers, Mapping) else _attributes(headers)).items())
    tokens = getattr(app, "tokens", None)
    return GuardedRequest(
        method.upper(),
        {str(name).lower(): str(value) for name, value in pairs},
        tokens if isinstance(tokens, Mapping) else {},
        # From the attributes only: starlette's `user` raises if none is set.
        str(_attributes(request).get("username") or ""),
    )


def _attributes(owner: Any) -> dict[str, Any]:
    return vars(owner) if hasattr(owner, "__dict__") else {}


_COOKIE = "access-token"
_LOGINS = ("gradio_auth", "gradio_auth_path")


def _any_flag(flags: object, *names: str) -> bool:
    return any(getattr(flags, name, None) for name in names)


@dataclass(frozen=True, slots=True)
class People:
    """Users of --api-auth, --gradio-auth and --gradio-auth-path."""

    flags: object

    @property
    def wanted(self) -> bool:
        return _any_flag(self.flags, "api_auth", *_LOGINS)

    @property
    def log_in(self) -> bool:
        """True if the page requires gradio's login."""
        return _any_flag(self.flags, *_LOGINS)

    def logged_in(self, request: GuardedRequest) -> bool:
        """True with gradio's login cookie, or if gradio names a user."""
        if not self.log_in:
            return False
        given = [value for name, value in request.cookies.items() if name.startswith(_COOKIE)]
        return bool(request.user) or any(request.tokens.get(value) for value in given)

    def has_password(self, request: GuardedRequest) -> bool:
        """True with HTTP Basic credentials, as in the WebUI's API."""
        scheme, _, coded = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given = base64.b64decode(coded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        matches = [hmac.compare_digest(given, pair.encode()) for pair in self._pairs()]
        return any(matches)

    def _pairs(self) -> list[str]:
        lines = [str(getattr(self.flags, name, None) or "") for name in ("api_auth", "gradio_auth")]
        path = getattr(self.flags, "gradio_auth_path", None)
        if path:
            with contextlib.suppress(
                OSError, UnicodeDecodeError
            ):  # the WebUI itself does not start with such a file
                lines += Path(path).read_text(encoding="utf-8").splitlines()
        pairs = [pair.strip() for line in lines for pair in line.split(",")]
        return [pair for pair in pairs if ":" in pair]


_OPENERS = (
    "listen",
    "share",
    "ngrok",
    "cloudflared",
    "remotemoe",
    "localhostrun",
)
_NON_LOCAL = "webui_is_non_local"  # of the host, which counts --server-name 127.0.0.1 as well
_CONSENT = "enable_insecure_extension_access"
UNAUTHORIZED, FORBIDDEN = 401, 403
PAGE_HEADER = "x-stylus-page"


RERANK = "rerank"


class RequestKind(str, Enum):
    """Kind of access; the last three do more than read."""

    LOOK = "look"
    PLAN = "plan"
    DOWNLOAD = "download"
    SPEND = "spend"
    CHANGE = "change"


JOBS: Mapping[str, RequestKind] = {
    "index": RequestKind.CHANGE,
    "sync": RequestKind.CHANGE,
    "identify": RequestKind.CHANGE,
    "fetch": RequestKind.DOWNLOAD,
    "refine": RequestKind.SPEND,
    "discard": RequestKind.CHANGE,
    "caption": RequestKind.DOWNLOAD,
    "probe": RequestKind.CHANGE,
}
"""What long work asks for, whether the tab or a program starts it."""
_NAMED = {
    RequestKind.DOWNLOAD: "downloads files",
    RequestKind.SPEND: "spends money",
    RequestKind.CHANGE: "changes settings or the catalogue",
}


@dataclass(frozen=True, slots=True)
class GuardRefusal:
    """HTTP status and reason."""

    status: int
    sentence: str


@dataclass(frozen=True)
class Guard:
    """Guards routes (`refusal`) and gradio events (`allows`); `pages` holds the page tokens."""

    flags: object
    pages: PageTokens | None = None

    def allows(self, kind: str, request: object = None) -> str | None:
        """Reason to refuse a page event, or None; without a request it is the WebUI itself."""
        if request is None:
            return None
        caller = read_request(request)
        known = People(self.flags).logged_in(caller)
        against = self._address(caller, known) or self._open_door(RequestKind(kind), known)
        return against.sentence if against else None

    def at_door(self, kind: str, over_api: bool) -> str | None:
        """The same for generations without a request: callers behind a password are trusted."""
        known = _any_flag(self.flags, *(("api_auth",) if over_api else _LOGINS))
        against = self._open_door(RequestKind(kind), known)
        return against.sentence if against else None

    def refusal(self, kind: str, request: object) -> GuardRefusal | None:
        """Refusal of a REST request under the WebUI's auth, or None."""
        caller, people = read_request(request), People(self.flags)
        known = people.logged_in(caller) or people.has_password(caller)
        if people.wanted and not known and not self._is_page(caller, people):
            return GuardRefusal(
                UNAUTHORIZED,
                "This WebUI asks for a user and a password: give those of --api-auth or"
                " --gradio-auth.",
            )
        return self._address(caller, known) or self._open_door(RequestKind(kind), known)

    def _is_page(self, caller: GuardedRequest, people: People) -> bool:
        """With a login, its cookie counts; a token alone may have been overheard."""
        return (
            self.pages is not None
            and not people.log_in
            and self.pages.knows(caller.headers.get(PAGE_HEADER, ""))
        )

    def _address(self, caller: GuardedRequest, known: bool) -> GuardRefusal | None:
        """Refuse foreign Host names and cross-site requests."""
        names = AllowedHosts(self.flags, self._open)
        host, origin = caller.headers.get("host", ""), caller.headers.get("origin")
        foreign = caller.headers.get("sec-fetch-site") in ("cross-site", "same-site")
        if not known and not names.is_ours(host_of(host)):
            sentence = (
                f"Unrecognised Host header {host[:80]!r}. Use this machine's address or"
                " --server-name."
            )
        elif origin is not None and not names.same(origin, host):
            sentence = (
                f"A page of {origin[:80]!r} may not use this WebUI; --cors-allow-origins can"
                " permit it."
            )
        elif origin is None and foreign and caller.method != "GET":
            sentence = (
                "A page of another site may not use this WebUI; --cors-allow-origins can permit it."
            )
        else:
            return None
        return GuardRefusal(FORBIDDEN, sentence)

    def _open_door(self, kind: RequestKind, known: bool) -> GuardRefusal | None:
        if kind not in _NAMED or known or not self._open or getattr(self.flags, _CONSENT, False):
            return None
        sentence = (
            f"This {_NAMED[kind]}, and anyone in the network can reach this WebUI without a"
            " password. Start it with --gradio-auth (and --api-auth), or with"
            " --enable-insecure-extension-access if you consent."
        )
        return GuardRefusal(FORBIDDEN, sentence)

    @property
    def _open(self) -> bool:
        if _any_flag(self.flags, *_OPENERS):
            return True
        name = getattr(self.flags, "server_name", None)
        return not _is_loopback(str(name)) if name else _any_flag(self.flags, _NON_LOCAL)


def _is_loopback(name: str) -> bool:
    return name.lower() == "localhost" or (
        is_literal(name) and name.strip("[]").startswith(("127.", "::1"))
    )


def kind_of(
    request: Mapping[str, Any],
    free_composers: tuple[str, ...] = ("rules",),
    rerank_free: bool = False,
) -> RequestKind:
    """Kind of access that a plan's payload needs."""
    if request.get("downloads"):
        return RequestKind.DOWNLOAD
    composer = composer_of(request)
    if named(request, "policy") == RERANK and not rerank_free:
        return RequestKind.SPEND
    return RequestKind.PLAN if composer is None or composer in free_composers else RequestKind.SPEND


def kind_of_job(name: str, payload: Mapping[str, Any]) -> RequestKind:
    """Kind of access for a job; dry runs need none."""
    return RequestKind.LOOK if name == "fetch" and payload.get("dry_run") is True else JOBS[name]


def composer_of(request: Mapping[str, Any]) -> Any:
    """The composer in a plan's payload, or None."""
    return named(request, "composer")


def named(request: Mapping[str, Any], leaf: str) -> Any:
    """One selection setting of a plan's payload."""
    settings = request.get("settings")
    selection = settings.get("selection") if isinstance(settings, Mapping) else None
    return selection.get(leaf) if isinstance(selection, Mapping) else None
