"""Why the hub does not give something, as a sentence for each of its statuses; it names most
reasons in a header.
"""

from __future__ import annotations

from http import HTTPStatus

from stylus_ext.backends.http import Refusal
from stylus_ext.core.errors import InvalidInput, StylusError, Unavailable
from stylus_ext.core.fetching import NotFetched

HOW_TO_ENTER = (
    "Make one on its settings page (reading is enough) and enter it with `python install.py"
    " catalogue key --from huggingface`"
)
GATED, NO_REPOSITORY, NO_REVISION, NO_FILE = (
    "GatedRepo",
    "RepoNotFound",
    "RevisionNotFound",
    "EntryNotFound",
)
_NOT_THERE = (NO_REPOSITORY, NO_REVISION, NO_FILE)


class Missing(NotFetched):
    """The hub has no such repository, commit or file, or shows it to its owner alone."""

    def __init__(self, sentence: str) -> None:
        super().__init__("missing", sentence)


class TooMany(Unavailable):
    """Later it may be given."""

    code = "too_many"


class Trouble(Unavailable):
    code = "trouble"


def refused(refusal: Refusal, what: str, *, has_key: bool) -> StylusError:
    """`what` is what was wanted: the name of an adapter, or "a page of its catalogue"."""
    status, reason = refusal.status, refusal.reason
    error: StylusError
    if reason == GATED:
        error = _gated(what, has_key=has_key)
    elif reason in _NOT_THERE or status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        error = Missing(
            f"Hugging Face does not have {what} any more, or shows it to its owner alone."
        )
    elif status == HTTPStatus.UNAUTHORIZED:
        error = _unauthorized(what, has_key=has_key)
    elif status == HTTPStatus.FORBIDDEN:
        error = NotFetched("forbidden", f"Hugging Face forbids {what} to this account or network.")
    elif status in (
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_URI_TOO_LONG,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    ):
        error = InvalidInput(
            f"Hugging Face did not understand what was asked ({what}){_said(refusal)}. Check the"
            " words and the tag."
        )
    elif status == HTTPStatus.TOO_MANY_REQUESTS:
        error = TooMany(
            f"Hugging Face was asked too often, so it did not give {what}.{_later(refusal)}"
        )
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        error = Trouble(
            f"Hugging Face has trouble just now (status {status}) and did not give {what}. Try"
            " again later."
        )
    else:
        error = NotFetched(
            "not_given", f"Hugging Face refused {what} with the status {status}{_said(refusal)}."
        )
    return error


def _gated(what: str, *, has_key: bool) -> StylusError:
    if has_key:
        return NotFetched(
            "gated",
            f"The owner of {what} gives it to those who have asked: do so on its page on Hugging"
            " Face, then try again.",
        )
    return NotFetched(
        "key_needed",
        f"The owner of {what} gives it to those who have asked on Hugging Face, which wants a key"
        f" for it. {HOW_TO_ENTER}.",
    )


def _unauthorized(what: str, *, has_key: bool) -> StylusError:
    if has_key:
        return NotFetched(
            "key_refused", f"Hugging Face refuses your key (asked for {what}). {HOW_TO_ENTER}."
        )
    return NotFetched(
        "key_needed",
        f"Hugging Face gives {what} only to people with an account, or does not have it any more."
        f" {HOW_TO_ENTER}.",
    )


def _said(refusal: Refusal) -> str:
    return f": {refusal.said}" if refusal.said else ""


def _later(refusal: Refusal) -> str:
    if refusal.retry_after is None:
        return " Try again in some minutes."
    return f" It says to try again in {max(1, round(refusal.retry_after / 60))} min."
