"""The hub's REST API, path by path: parameters go in, its JSON as plain data comes out, refusals as
sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs, quote, urlsplit

from stylus_ext.catalogue.sources.hugging_face.files import HOME, HubLocation
from stylus_ext.core.errors import InvalidInput, StylusError, Unavailable
from stylus_ext.core.fetching import NotFetched
from stylus_ext.core.sources import Check, CursorLost
from stylus_ext.net import Http, HttpRefusal, KeyName, Unreachable, origin_of
from stylus_ext.net.values import name, rows, table

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


class HubNotFound(NotFetched):
    """The hub has no such repository, commit or file, or shows it to its owner alone."""

    def __init__(self, sentence: str) -> None:
        super().__init__("missing", sentence)


class HubRateLimited(Unavailable):
    """Later it may be given."""

    code = "too_many"


class HubUnavailable(Unavailable):
    code = "trouble"


def refused(refusal: HttpRefusal, what: str, *, has_key: bool) -> StylusError:
    """`what` is what was wanted: the name of an adapter, or "a page of its catalogue"."""
    status, reason = refusal.status, refusal.reason
    error: StylusError
    if reason == GATED:
        error = _gated(what, has_key=has_key)
    elif reason in _NOT_THERE or status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        error = HubNotFound(
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
        error = HubRateLimited(
            f"Hugging Face was asked too often, so it did not give {what}.{_later(refusal)}"
        )
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        error = HubUnavailable(
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


def _said(refusal: HttpRefusal) -> str:
    return f": {refusal.said}" if refusal.said else ""


def _later(refusal: HttpRefusal) -> str:
    if refusal.retry_after is None:
        return " Try again in some minutes."
    return f" It says to try again in {max(1, round(refusal.retry_after / 60))} min."


HUB_KEY = KeyName("Hugging Face", "STYLUS_HUGGINGFACE_KEY", HOME)
LONGEST_README = 200_000
_README_S = 60.0
_MOST_PAGES = 20
_LONGEST_CURSOR = 2000
_LINK = re.compile(r"<([^<>]+)>\s*;([^,<]*)")
Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class HubListing:
    """A page of repositories or of files, and the cursor of the next."""

    items: tuple[Json, ...]
    cursor: str | None


class Hub:
    """`url` is the service's origin: addresses are built from it and never taken from its
    answers.
    """

    def __init__(self, http: Http, url: str = HOME, *, has_key: bool = False) -> None:
        self._http = http
        self.origin = origin_of(url)
        self.has_key = has_key

    def models(
        self, params: Mapping[str, str | Sequence[str]], cursor: str | None, check: Check
    ) -> HubListing:
        try:
            return self._listed(
                "api/models",
                {**params, "full": "true", "cardData": "true"},
                cursor,
                "a page of its catalogue",
                check,
            )
        except InvalidInput as error:
            if cursor is None:
                raise
            raise CursorLost(
                "Hugging Face does not know this place in its catalogue any longer."
            ) from error

    def files(self, repository: str, revision: str, check: Check) -> tuple[Json, ...]:
        """With their sizes, and the SHA256 of large ones; folders, too."""
        found: list[Json] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = self._listed(
                f"api/models/{repository}/tree/{quote(revision, safe='')}",
                {"recursive": "true"},
                cursor,
                repository,
                check,
            )
            found += page.items
            cursor = page.cursor
            if cursor is None:
                break
        return tuple(found)

    def file(self, place: HubLocation, what: str, check: Check) -> Json | None:
        """One file, with what the hub's scanners found; None where that commit is not there or does
        not have it.
        """
        path = f"api/models/{place.repository}/paths-info/{quote(place.revision, safe='')}"
        try:
            answer = self._http.json(
                f"{self.origin}/{path}", body={"paths": [place.path], "expand": True}, check=check
            )
        except HttpRefusal as refusal:
            if refusal.reason == NO_REVISION:
                return None
            raise refused(refusal, what, has_key=self.has_key) from refusal
        return next(
            (one for one in map(table, rows(answer)) if one.get("path") == place.path), None
        )

    def readme(self, repository: str, revision: str, check: Check) -> str:
        """Empty where there is none, or where it does not come: a card is worth having all the
        same.
        """
        try:
            with self._http.stream(
                HubLocation(repository, revision, "README.md").url(self.origin), check=check
            ) as answer:
                data = answer.beginning(LONGEST_README, _README_S)
        except Unreachable:
            return ""
        except HttpRefusal as refusal:
            error = refused(refusal, repository, has_key=self.has_key)
            if isinstance(error, HubNotFound):
                return ""
            raise error from refusal
        return data[:LONGEST_README].decode("utf-8", "replace")

    def me(self, check: Check) -> str:
        """The user's name, which says that the key holds; a refusal says that it does not."""
        with self._told("your account"):
            return name(
                table(self._http.json(f"{self.origin}/api/whoami-v2", check=check)).get("name")
            )

    def _listed(
        self,
        path: str,
        params: Mapping[str, str | Sequence[str]],
        cursor: str | None,
        what: str,
        check: Check,
    ) -> HubListing:
        asked = {**params, **({} if cursor is None else {"cursor": cursor})}
        with self._told(what):
            answer = self._http.told(f"{self.origin}/{path}", asked, check=check)
        return HubListing(
            tuple(map(table, rows(answer.data))), next_cursor(answer.headers.get("link", ""))
        )

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except HttpRefusal as refusal:
            raise refused(refusal, what, has_key=self.has_key) from refusal


def next_cursor(link: str) -> str | None:
    """Of the next page's address only this is taken: the rest of it is ours to say."""
    for found in _LINK.finditer(link[:20_000]):
        if re.search(r'rel\s*=\s*"?next\b', found[2]):
            try:
                cursor = parse_qs(urlsplit(found[1]).query).get("cursor", [""])[0]
            except ValueError:
                return None
            return cursor[:_LONGEST_CURSOR] or None
    return None
