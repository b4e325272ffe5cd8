"""Why Civitai does not give something, as a sentence for each of its statuses."""

from __future__ import annotations

from http import HTTPStatus

from stylus_ext.backends.http import Refusal
from stylus_ext.backends.statements.values import name, table
from stylus_ext.core.errors import InvalidInput, StylusError, Unavailable

HOW_TO_ENTER = (
    "Make one on its account page and enter it with `python install.py catalogue key`, or in"
    " STYLUS_CIVITAI_KEY"
)
_REGION = 451


class NotGiven(StylusError):
    """Civitai does not give it, and asking again changes nothing; `code` is for programs."""

    code = "not_given"


class KeyNeeded(NotGiven):
    code = "key_needed"


class KeyRefused(NotGiven):
    code = "key_refused"


class DownloadsDisabled(NotGiven):
    code = "downloads_disabled"


class EarlyAccess(NotGiven):
    code = "early_access"


class Archived(NotGiven):
    code = "archived"


class Missing(NotGiven):
    code = "missing"


class Forbidden(NotGiven):
    code = "forbidden"


class Region(NotGiven):
    code = "region"


class TooMany(Unavailable):
    """Later it may be given."""

    code = "too_many"


class Trouble(Unavailable):
    code = "trouble"


def download_refusal(refusal: Refusal, what: str, *, has_key: bool) -> StylusError:
    """What a user is told when `what` (the name of an adapter) cannot be downloaded."""
    error: StylusError
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        error = _unauthorized(refusal, what, has_key)
    elif refusal.status == HTTPStatus.FORBIDDEN:
        error = _forbidden(refusal, what)
    elif refusal.status == HTTPStatus.NOT_FOUND:
        error = Missing(
            f"Civitai does not have {what} any more: it was removed, unpublished, or is not given"
            " to anybody."
        )
    elif refusal.status == HTTPStatus.GONE:
        error = Archived(
            f"{what} is archived on Civitai: its page is there, its file cannot be downloaded."
        )
    elif refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
        error = TooMany(
            f"Civitai gives no more downloads for now, so {what} was not fetched.{_later(refusal)}"
        )
    else:
        error = _of_any(refusal, f"{what} was not fetched")
    return error


def api_refusal(refusal: Refusal, asked: str) -> StylusError:
    """The same for a question, named by `asked`: "a page of its catalogue"."""
    if refusal.status in (
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_URI_TOO_LONG,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    ):
        said = f": {refusal.said}" if refusal.said else ""
        return InvalidInput(
            f"Civitai did not understand what was asked ({asked}){said}. Check the words, tag and"
            " base models."
        )
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        return KeyRefused(
            f"Civitai refuses your key (asked for {asked}). Enter another with `python install.py"
            " catalogue key`."
        )
    if refusal.status == HTTPStatus.FORBIDDEN:
        return Forbidden(
            f"Civitai forbids this (asked for {asked}); its firewall may not like this network. Try"
            " again later."
        )
    if refusal.status == HTTPStatus.NOT_FOUND:
        return Missing(f"Civitai does not have {asked}.")
    if refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
        return TooMany(f"Civitai was asked too often.{_later(refusal)}")
    return _of_any(refusal, f"It was asked for {asked}")


def _unauthorized(refusal: Refusal, what: str, has_key: bool) -> StylusError:
    if "disabled downloads" in refusal.said.casefold():
        return DownloadsDisabled(
            f"The creator of {what} has disabled downloads; it can be used on Civitai's own pages"
            " alone."
        )
    if has_key:
        return KeyRefused(
            f"Civitai refuses your key for {what}. Check that it is an API key and still holds."
            f" {HOW_TO_ENTER}."
        )
    return KeyNeeded(
        f"Civitai gives {what} only to people with an account: it wants a key. {HOW_TO_ENTER}."
    )


def _forbidden(refusal: Refusal, what: str) -> StylusError:
    body = table(refusal.body)
    if "early access" in f"{name(body.get('error'))} {refusal.said}".casefold():
        deadline = name(body.get("deadline"))[:10]
        until = f" until {deadline}" if deadline else ""
        return EarlyAccess(
            f"{what} is in early access{until}: whoever wants it sooner pays for it on Civitai."
        )
    return Forbidden(f"Civitai forbids the download of {what} to this account or network.")


def _of_any(refusal: Refusal, said: str) -> StylusError:
    if refusal.status == _REGION:
        return Region(f"Civitai may not answer in your region. {said}.")
    if refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Trouble(
            f"Civitai has trouble just now (status {refusal.status}). {said}. Try again later."
        )
    return NotGiven(
        "Civitai refused with the status"
        f" {refusal.status}{f' ({refusal.said})' if refusal.said else ''}. {said}."
    )


def _later(refusal: Refusal) -> str:
    if refusal.retry_after is None:
        return " Try again later; a daily limit is over tomorrow."
    minutes = max(1, round(refusal.retry_after / 60))
    return f" It says to try again in {minutes} min."
