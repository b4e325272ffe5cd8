"""What several sources share: pages of a listing, errors for refused requests, safe addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from stylus_ext.core.errors import InvalidInput, StylusError, Unavailable
from stylus_ext.core.fetching import NotFetched
from stylus_ext.core.sources import CursorLost
from stylus_ext.net import HttpRefusal
from stylus_ext.net.values import text

Json = Mapping[str, object]

_MAX_CURSOR = 2000
_NOT_UNDERSTOOD = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_URI_TOO_LONG,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_MAX_URL = 1000


class SourceNotFound(NotFetched):
    """The service does not have what was asked for, or shows it to its owner only."""

    def __init__(self, message: str) -> None:
        super().__init__("missing", message)


class SourceRateLimited(Unavailable):
    code = "too_many"


class SourceUnavailable(Unavailable):
    code = "trouble"


@dataclass(frozen=True, slots=True)
class ListingPage:
    """Items of a listing, and the cursor of the next page."""

    items: tuple[Json, ...]
    cursor: str | None


def confirmed(request: Callable[[], ListingPage], limit: object) -> ListingPage:
    """A page. One that is full but has no next page is requested twice, since an end that is told
    by mistake would hide all that follows.
    """
    page = request()
    is_full = str(len(page.items)) == str(limit)
    return request() if is_full and page.cursor is None else page


def cursor_in(url: object) -> str | None:
    """The cursor in the address of the next page; nothing else of the address is used."""
    if not isinstance(url, str):
        return None
    try:
        found = parse_qs(urlsplit(url).query).get("cursor", [""])[0]
    except ValueError:
        return None
    return found[:_MAX_CURSOR] or None


@contextmanager
def detect_lost_cursor(service: str, cursor: str | None) -> Iterator[None]:
    """A request that is invalid only with a cursor means that the cursor is too old."""
    try:
        yield
    except InvalidInput as error:
        if cursor is None:
            raise
        raise CursorLost(f"{service} no longer knows this place in its catalogue.") from error


def refusal_error(refusal: HttpRefusal, service: str, what: str) -> StylusError:
    """The error for a status that every service may answer with; `what` was asked for."""
    status = refusal.status
    detail = f": {refusal.message}" if refusal.message else ""
    if status in _NOT_UNDERSTOOD:
        message = f"{service} did not understand the request for {what}{detail}."
        return InvalidInput(f"{message} Check the words, tag and base models.")
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return SourceNotFound(f"{service} does not have {what}, or shows it to its owner only.")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        message = f"{service} refused {what} after too many requests."
        return SourceRateLimited(f"{message} {_retry_hint(refusal)}")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        message = f"{service} has a problem (status {status}) and did not give {what}."
        return SourceUnavailable(f"{message} Try again later.")
    if status == HTTPStatus.FORBIDDEN:
        return NotFetched("forbidden", f"{service} forbids {what} to this account or network.")
    if status == HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS:
        error = NotFetched("region", f"{service} does not offer {what} in your region.")
    else:
        message = f"{service} refused {what} with status {status}{detail}."
        error = NotFetched("not_given", message)
    return error


def _retry_hint(refusal: HttpRefusal) -> str:
    if refusal.retry_after is None:
        return "Try again later; a daily limit ends tomorrow."
    return f"Try again in {max(1, round(refusal.retry_after / 60))} min."


def https_url(value: object) -> str:
    """An https address without spaces, or an empty text."""
    url = text(value, _MAX_URL)
    return url if url.startswith("https://") and " " not in url else ""
