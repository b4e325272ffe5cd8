"""`Http`: requests with retries, checked redirects and size limits; what they return and raise."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from stylus_ext import __version__
from stylus_ext.core.errors import InvalidInput, StylusError, Unavailable
from stylus_ext.net.keys import Key, is_private, origin_of, safe_url, split
from stylus_ext.net.values import NotJson, error_in, parsed
from stylus_ext.net.waiting import (
    Check,
    Pace,
    ThreadCheck,
    TimeLimits,
    is_temporary,
    no_check,
    pause,
    retry_after,
)

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

AGENT = f"sd-webui-stylus/{__version__}"
_MOST_VALUES = 10_000_000
_LARGEST_ERROR_BODY = 64 * 1024
_T = TypeVar("_T")

Params = Mapping[str, "str | Sequence[str]"]


def _any(data: object) -> bool:  # noqa: ARG001
    return True


class HttpRefusal(StylusError):
    """The server answered with an error status.

    `message` is the server's own sentence, if it sent one, and `body` its JSON; `retry_after` is
    the pause it asked for, in seconds; `code` is the error code that some servers put into a
    header. Callers turn it into an error that names what to do.
    """

    def __init__(
        self,
        where: str,
        status: int,
        message: str = "",
        body: object = None,
        retry_after: float | None = None,
        code: str = "",
    ) -> None:
        super().__init__(
            f"{where} answered with the status {status}" + (f" ({message})." if message else ".")
        )
        self.where = where
        self.status = status
        self.message = message
        self.body = body
        self.retry_after = retry_after
        self.code = code


class Unreachable(Unavailable):
    """The server did not answer, not in time, or the connection broke."""


class BadAnswer(Unavailable):
    """The answer is unusable: a web page, broken JSON, too large, or a redirect not followed."""


class BadBody(BadAnswer):
    """A body that is not what it should be; another try may bring a good one."""


@dataclass(frozen=True, slots=True)
class JsonResponse:
    """Plain data and the headers that came with it, by lower-case name."""

    data: object
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StreamResponse:
    """An open response. `origin` is the one that answered after all redirects; the address itself
    stays private, since it may be signed.

    `pieces` yields the body as it was sent. It raises `Unreachable` when the body breaks off,
    stalls, or is shorter than its Content-Length.
    """

    status: int
    headers: Mapping[str, str]
    origin: str
    pieces: Callable[[], Iterator[bytes]]

    @property
    def length(self) -> int | None:
        """The Content-Length, where it is a number."""
        length = self.headers.get("content-length", "")
        return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else None  # noqa: PLR2004

    def beginning(self, most: int, within_s: float) -> bytes:
        """Read the body up to `most` bytes and the rest of a piece, within `within_s` seconds."""
        until = time.monotonic() + within_s
        data = bytearray()
        for piece in self.pieces():
            data += piece
            if len(data) > most:
                break
            if time.monotonic() > until:
                raise Unreachable(f"{self.origin} sends too slowly. Try again later.")
        return bytes(data)


class Http:
    """A client that several threads may share. `key` is sent to its own origin only.

    `interval_s` is the shortest time between two requests; several clients may share a `pace`
    instead. With `within`, only these origins are asked and followed to, and none of them where
    its name leads to a private address.
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

        from stylus_ext.net.transport import KeyAuth, Transport

        for name in ("httpx", "httpcore"):  # they log whole addresses, signatures included
            logging.getLogger(name).setLevel(logging.WARNING)
        self._key, self._limits, self._within = key, limits, within
        self._pace = pace or Pace(interval_s)
        self._watch = ThreadCheck()
        self._client = httpx.Client(
            transport=Transport(self._watch, public=within is not None),
            auth=KeyAuth(key),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(limits.stall_s, connect=limits.connect_s),
            headers={"User-Agent": AGENT},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            event_hooks={"response": [self._check_redirect]},
        )

    def close(self) -> None:
        self._client.close()

    def json(
        self,
        url: str,
        params: Params | None = None,
        *,
        body: object = None,
        check: Check = no_check,
        is_expected: Callable[[object], bool] = _any,
    ) -> object:
        """GET, or POST `body` as JSON, and return the JSON of the answer; a POST follows no
        redirect. What is not `is_expected` is requested again, then refused.
        """
        return self.json_response(url, params, body=body, check=check, is_expected=is_expected).data

    def json_response(
        self,
        url: str,
        params: Params | None = None,
        *,
        body: object = None,
        check: Check = no_check,
        is_expected: Callable[[object], bool] = _any,
    ) -> JsonResponse:
        """The same as `json`, with the headers of the answer."""
        request = self._request(
            "GET" if body is None else "POST",
            url,
            {"Accept": "application/json"},
            params=params,
            json=body,
        )

        def read(check: Check) -> JsonResponse:
            response = self._open(request, check)
            with contextlib.closing(response), self._watch.using(check):
                data = bytearray()
                for piece in self._pieces(response):
                    data += piece
                    if len(data) > self._limits.largest_json:
                        raise BadAnswer(f"{safe_url(url)} answered with too much data.")
                answer = _json_of(bytes(data), response)
                if not is_expected(answer):
                    raise BadBody(f"{safe_url(url)} answered with unusable data. Try again later.")
                return JsonResponse(answer, _headers(response))

        return self._with_retries(url, check, read)

    @contextlib.contextmanager
    def stream(
        self, url: str, headers: Mapping[str, str] | None = None, *, check: Check = no_check
    ) -> Iterator[StreamResponse]:
        """GET a body that is read piece by piece, as it was sent, in the thread that opened it.

        Opening follows redirects and is retried; a body that breaks off is not. The status has to
        be looked at: 200 may come where 206 was asked for. 416 is an `HttpRefusal`.
        """
        request = self._request(
            "GET", url, {"Accept": "*/*", "Accept-Encoding": "identity", **(headers or {})}
        )
        response = self._with_retries(url, check, lambda check: self._open(request, check))
        with contextlib.closing(response), self._watch.using(check):
            yield StreamResponse(
                response.status_code,
                _headers(response),
                origin_of(str(response.url)),
                lambda: self._pieces(response, raw=True),
            )

    def _with_retries(self, url: str, check: Check, work: Callable[[Check], _T]) -> _T:
        """Run `work` with a check that also ends it at the total deadline."""
        attempt = 0
        while True:
            attempt += 1
            self._pace.wait(check)
            try:
                return work(_deadline_check(check, self._limits.total_s, safe_url(url)))
            except HttpRefusal as refusal:
                if not is_temporary(refusal.status):
                    raise
                seconds = self._limits.pause_before_retry(attempt, refusal.retry_after)
                if seconds is None:
                    raise
                reason = f"status {refusal.status}"
            except Unreachable:
                seconds = self._limits.pause_before_retry(attempt)
                if seconds is None:
                    raise
                reason = "no answer"
            except BadBody:
                seconds = self._limits.pause_before_retry(attempt)
                if seconds is None:
                    raise
                reason = "bad data"
            logger.info(
                "%s: %s at try %d, again in %.1f s", safe_url(url), reason, attempt, seconds
            )
            pause(seconds, check)

    def _open(self, request: httpx.Request, check: Check) -> httpx.Response:
        """The response after all redirects, to be closed; an error status raises."""
        with self._watch.using(check):
            response = self._send(request)
            hops = 0
            while response.next_request is not None:
                response.close()
                hops += 1
                if hops > self._limits.redirects:
                    raise BadAnswer(f"{safe_url(str(request.url))} redirects too often.")
                response = self._send(response.next_request)
            if response.status_code >= HTTPStatus.BAD_REQUEST:
                with contextlib.closing(response):
                    self._refuse(response)
            return response

    def _request(
        self, method: str, url: str, headers: Mapping[str, str], **rest: Any
    ) -> httpx.Request:
        split(url)
        if not self._allows(url):
            raise InvalidInput(f"{safe_url(url)} is not an allowed address here.")
        return self._client.build_request(method, url, headers=dict(headers), **rest)

    def _allows(self, url: str) -> bool:
        return self._within is None or origin_of(url) in self._within

    def _send(self, request: httpx.Request) -> httpx.Response:
        import httpx

        try:
            return self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise Unreachable(_unreachable(request, error)) from error
        except httpx.InvalidURL as error:
            raise BadAnswer(
                f"{safe_url(str(request.url))} redirects to an unusable address."
            ) from error
        except UnicodeError as error:
            raise BadAnswer(f"{safe_url(str(request.url))} has an invalid host name.") from error

    def _check_redirect(self, response: httpx.Response) -> None:
        """Refuse a redirect that leaves https, enters the private network, or repeats a POST."""
        import httpx

        if not response.has_redirect_location:
            return
        here = str(response.url)
        try:
            target = str(response.url.join(response.headers["location"]))
            split(target)
        except (httpx.InvalidURL, InvalidInput) as error:
            raise BadAnswer(f"{safe_url(here)} redirects to an unusable address.") from error
        leads_away = (here.startswith("https:") and target.startswith("http:")) or (
            is_private(target) and not is_private(here)
        )
        if response.request.method != "GET" or leads_away or not self._allows(target):
            raise BadAnswer(
                f"{safe_url(here)} redirects to {safe_url(target)}, which is not followed."
            )

    def _pieces(self, response: httpx.Response, *, raw: bool = False) -> Iterator[bytes]:
        import httpx

        read = response.iter_raw if raw else response.iter_bytes
        try:
            yield from read()
        except httpx.HTTPError as error:
            raise Unreachable(_unreachable(response.request, error)) from error

    def _refuse(self, response: httpx.Response) -> NoReturn:
        data = bytearray()
        with contextlib.suppress(Unreachable):
            for piece in self._pieces(response):
                data += piece
                if len(data) > _LARGEST_ERROR_BODY:
                    break
        body, message = error_in(bytes(data), _MOST_VALUES)
        if self._key is not None:  # a server may repeat what it was sent
            message = message.replace(self._key.secret, "(a key)")
        raise HttpRefusal(
            safe_url(str(response.url)),
            response.status_code,
            message,
            body,
            retry_after(response.headers.get("retry-after", "")),
            response.headers.get("x-error-code", "")[:80],
        )


def _json_of(data: bytes, response: httpx.Response) -> object:
    try:
        return parsed(data, _MOST_VALUES)
    except NotJson as error:
        is_page = (
            "html" in response.headers.get("content-type", "").lower() or data.lstrip()[:1] == b"<"
        )
        raise BadBody(
            f"{safe_url(str(response.url))} answered with {'a web page' if is_page else 'no JSON'}"
            " in place of data. It may be blocked here; try again later."
        ) from error


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _deadline_check(check: Check, seconds: float, where: str) -> Check:
    """httpx has no timeout for a whole request, so the check of each wait looks at the clock."""
    until = time.monotonic() + seconds

    def check_both() -> None:
        check()
        if time.monotonic() > until:
            raise Unreachable(f"{where} did not answer within {seconds:g} s. Try again later.")

    return check_both


def _unreachable(request: httpx.Request, error: Exception) -> str:
    import httpx

    where = safe_url(str(request.url))
    if isinstance(error, httpx.TimeoutException):
        return f"{where} did not answer in time. Check the network, or try again later."
    if isinstance(error, httpx.ProxyError):
        return f"The proxy that the environment names did not lead to {where} ({error})."
    if isinstance(error, httpx.ConnectError):
        return f"{where} cannot be reached ({error}). Check the network, or try again later."
    return f"The connection to {where} broke off ({error or type(error).__name__}). Try again."
