"""`Http`: requests with their retries, redirects and limits; where a key goes is decided here and
nowhere else.
"""

from __future__ import annotations

import contextlib
import logging
import random
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from urllib.parse import urljoin

from stylus_ext import __version__
from stylus_ext.core.errors import InvalidInput
from stylus_ext.net.keys import Key, is_private, origin_of, shown, split
from stylus_ext.net.values import NotJson, parsed
from stylus_ext.net.waiting import (
    Answer,
    BadAnswer,
    Check,
    HttpRefusal,
    Pace,
    TimeLimits,
    Told,
    Unreachable,
    Watch,
    free,
    named,
    pause,
    retry_after,
)

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)


_LONGEST_SAID = 200
_MOST_VALUES = 10_000_000


def decoded(data: bytes, content_type: str, where: str) -> object:
    try:
        return parsed(data, _MOST_VALUES)
    except NotJson as error:
        page = "html" in content_type.lower() or data.lstrip()[:1] == b"<"
        came = "a web page" if page else "something else"
        raise BadAnswer(
            f"{where} answered with {came} in place of data. It may be blocked here, or changed;"
            " try again later."
        ) from error


def refusal_body(data: bytes) -> tuple[object, str]:
    """The JSON of a refusal, and the sentence in it, cleaned; a web page says nothing to a user."""
    try:
        body = parsed(data, _MOST_VALUES)
    except NotJson:
        return None, ""
    if not isinstance(body, dict):
        return body, ""
    error = body.get("error")
    candidates = (body.get("message"), error.get("message") if isinstance(error, dict) else error)
    said = next((one for one in candidates if isinstance(one, str) and one.strip()), "")
    clean = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", said).split())
    return body, clean[:_LONGEST_SAID].rstrip(".")


AGENT = f"sd-webui-stylus/{__version__}"
_MOST_OF_A_REFUSAL = 64 * 1024
_T = TypeVar("_T")

Params = Mapping[str, "str | Sequence[str]"]


class Http:
    """May be used from several threads. `key` goes to its own origin, whatever is asked for and
    wherever it redirects.

    `interval_s` is the shortest time between two requests, those of a redirect apart; several may
    share a `pace` instead. With `within` only these origins are asked and followed to, and none of
    them where its name leads into a private network.
    """

    def __init__(
        self,
        key: Key | None = None,
        *,
        interval_s: float = 0.0,
        pace: Pace | None = None,
        limits: TimeLimits = TimeLimits(),  # noqa: B008
        within: Collection[str] | None = None,
    ) -> None:
        import httpx

        from stylus_ext.net.transport import Transport

        for noisy in (
            "httpx",
            "httpcore",
        ):  # they would write whole addresses into the log, signatures and all
            logging.getLogger(noisy).setLevel(logging.WARNING)
        self._key, self._limits, self._within = key, limits, within
        self._pace = pace or Pace(interval_s)
        self._watch = Watch()
        self._client = httpx.Client(
            transport=Transport(self._watch, public=within is not None),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(limits.stall_s, connect=limits.connect_s),
            headers={"User-Agent": AGENT},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    def close(self) -> None:
        self._client.close()

    def json(
        self, url: str, params: Params | None = None, *, body: object = None, check: Check = free
    ) -> object:
        """What the server answers, as plain data. With a `body` it is a POST of that JSON; such a
        one is not redirected.
        """
        return self.told(url, params, body=body, check=check).data

    def told(
        self, url: str, params: Params | None = None, *, body: object = None, check: Check = free
    ) -> Told:
        """The same, with the headers beside it."""
        request = self._request(
            "GET" if body is None else "POST",
            url,
            {"Accept": "application/json"},
            params=params,
            json=body,
        )

        def read(late: Check) -> Told:
            response = self._opened(request, late)
            with contextlib.closing(response), self._watch.over(late):
                data = bytearray()
                for piece in self._pieces(response):
                    data += piece
                    if len(data) > self._limits.largest_json:
                        raise BadAnswer(f"{shown(url)} answered with more than anybody needs.")
                return Told(
                    decoded(bytes(data), response.headers.get("content-type", ""), shown(url)),
                    named(response.headers),
                )

        return self._tried(url, check, read)

    @contextlib.contextmanager
    def stream(
        self, url: str, headers: Mapping[str, str] | None = None, *, check: Check = free
    ) -> Iterator[Answer]:
        """A GET whose body is read piece by piece, as it was sent, in the thread that opened it.

        Redirects are followed and the opening is tried again; what breaks afterwards is the
        caller's. What the answer is has to be looked at: 200 may come where 206 was asked for, and
        a web page where a file was. 416 comes as a `Refusal`.
        """
        request = self._request(
            "GET", url, {"Accept": "*/*", "Accept-Encoding": "identity", **(headers or {})}
        )
        response = self._tried(url, check, lambda late: self._opened(request, late))
        with contextlib.closing(response), self._watch.over(check):
            yield Answer(
                response.status_code,
                named(response.headers),
                origin_of(str(response.url)),
                lambda: self._pieces(response, raw=True),
            )

    def _tried(self, url: str, check: Check, work: Callable[[Check], _T]) -> _T:
        """`work` with a check that also knows when it is late; again after a pause where that is
        any use.
        """
        attempt = 0
        while True:
            attempt += 1
            self._pace.wait(check)
            try:
                return work(_Late(check, self._limits.total_s, shown(url)))
            except HttpRefusal as refusal:
                wanted = self._pause_after(refusal, attempt)
                if wanted is None:
                    raise
                reason = f"status {refusal.status}"
            except Unreachable:
                if attempt >= self._limits.tries:
                    raise
                wanted, reason = self._back_off(attempt), "no answer"
            logger.info("%s: %s at try %d, again in %.1f s", shown(url), reason, attempt, wanted)
            pause(wanted, check)

    def _opened(self, request: httpx.Request, late: Check) -> httpx.Response:
        """The answer after all redirects, whose status is no refusal; to be closed."""
        with self._watch.over(late):
            response = self._followed(request)
            if response.status_code >= HTTPStatus.BAD_REQUEST:
                with contextlib.closing(response):
                    self._refuse(response)
            return response

    def _request(
        self, method: str, url: str, headers: Mapping[str, str], **rest: Any
    ) -> httpx.Request:
        split(url)
        if not self._allows(url):
            raise InvalidInput(f"{shown(url)} is not asked for this.")
        return self._client.build_request(method, url, headers=dict(headers), **rest)

    def _allows(self, url: str) -> bool:
        return self._within is None or origin_of(url) in self._within

    def _followed(self, request: httpx.Request) -> httpx.Response:
        """Sent as often as it is redirected; the key is decided anew at each hop."""
        for _ in range(self._limits.hops + 1):
            response = self._sent(request)
            if not response.has_redirect_location:
                return response
            with contextlib.closing(response):
                request = self._redirected(request, response)
        raise BadAnswer(f"{shown(str(request.url))} redirects in circles.")

    def _sent(self, request: httpx.Request) -> httpx.Response:
        import httpx

        request.headers.pop("Authorization", None)
        if self._key is not None and origin_of(str(request.url)) == self._key.origin:
            request.headers["Authorization"] = f"Bearer {self._key.secret}"
        try:
            return self._client.send(request, stream=True, auth=None)
        except httpx.HTTPError as error:
            raise Unreachable(_unreachable(request, error)) from error
        except UnicodeError as error:
            raise BadAnswer(
                f"{shown(str(request.url))} has no name that can be looked up."
            ) from error

    def _redirected(self, request: httpx.Request, response: httpx.Response) -> httpx.Request:
        import httpx

        here, there = str(request.url), urljoin(str(request.url), response.headers["location"])
        try:
            split(there)
        except InvalidInput as error:
            raise BadAnswer(
                f"{shown(here)} redirects to an address that cannot be used."
            ) from error
        leads_away = (here.startswith("https:") and there.startswith("http:")) or (
            is_private(there) and not is_private(here)
        )
        if request.method != "GET" or leads_away or not self._allows(there):
            raise BadAnswer(
                f"{shown(here)} redirects to {shown(there)}, where Stylus does not follow."
            )
        headers = {
            name: value
            for name, value in request.headers.items()
            if name not in ("host", "authorization", "cookie")
        }
        try:
            return self._client.build_request("GET", there, headers=headers)
        except httpx.InvalidURL as error:
            raise BadAnswer(
                f"{shown(here)} redirects to an address that cannot be used."
            ) from error

    def _pieces(self, response: httpx.Response, *, raw: bool = False) -> Iterator[bytes]:
        import httpx

        read = response.iter_raw if raw else response.iter_bytes
        try:
            yield from read()  # as it comes: what has come before a connection breaks is not lost
        except httpx.HTTPError as error:
            raise Unreachable(_unreachable(response.request, error)) from error

    def _refuse(self, response: httpx.Response) -> NoReturn:
        data = bytearray()
        with contextlib.suppress(Unreachable):
            for piece in self._pieces(response):
                data += piece
                if len(data) > _MOST_OF_A_REFUSAL:
                    break
        body, said = refusal_body(bytes(data))
        if self._key is not None:  # a server may repeat what it was sent
            said = said.replace(self._key.secret, "(a key)")
        raise HttpRefusal(
            shown(str(response.url)),
            response.status_code,
            said,
            body,
            retry_after(response.headers.get("retry-after", "")),
        ).named(response.headers)

    def _pause_after(self, refusal: HttpRefusal, attempt: int) -> float | None:
        """None when asking again is no use, not now or not at all."""
        passing = (
            refusal.status == HTTPStatus.TOO_MANY_REQUESTS
            or refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        )
        if not passing or attempt == self._limits.tries:
            return None
        if refusal.retry_after is None:
            return self._back_off(attempt)
        return (
            refusal.retry_after
            if refusal.retry_after <= self._limits.longest_retry_after_s
            else None
        )

    def _back_off(self, attempt: int) -> float:
        longest = min(self._limits.longest_pause_s, self._limits.first_pause_s * 2 ** (attempt - 1))
        return float(longest * random.uniform(0.75, 1.0))  # noqa: S311


class _Late:
    """The check that also knows when it has taken too long."""

    def __init__(self, check: Check, seconds: float, where: str) -> None:
        self._check, self._until = check, time.monotonic() + seconds
        self._said = f"{where} did not answer within {seconds:g} s. Try again later."

    def __call__(self) -> None:
        self._check()
        if time.monotonic() > self._until:
            raise Unreachable(self._said)


def _unreachable(request: httpx.Request, error: Exception) -> str:
    import httpx

    where = shown(str(request.url))
    if isinstance(error, httpx.TimeoutException):
        return f"{where} did not answer in time. Check the network, or try again later."
    if isinstance(error, httpx.ProxyError):
        return f"The proxy that the environment names did not lead to {where} ({error})."
    if isinstance(error, httpx.ConnectError):
        return f"{where} cannot be reached ({error}). Check the network, or try again later."
    return f"The connection to {where} broke off ({error or type(error).__name__}). Try again."
