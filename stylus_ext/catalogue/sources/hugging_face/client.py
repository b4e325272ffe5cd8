"""The hub's REST API, and the errors for its refusals.

Not `huggingface_hub.HfApi`, which cannot keep what Stylus promises: it follows the next-page
address in an answer together with the token, has no deadline and cannot be cancelled while it
waits, reads answers of any size, resumes no listing at a cursor, and fails for a whole page when
one item is malformed. Its types and `ModelCard` do not check what they are given either, so that
the checks here would stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import quote

from stylus_ext.catalogue.sources.common import (
    Json,
    ListingPage,
    SourceNotFound,
    confirmed,
    cursor_in,
    detect_lost_cursor,
    refusal_error,
)
from stylus_ext.catalogue.sources.hugging_face.files import HOME, HubLocation
from stylus_ext.core.errors import StylusError
from stylus_ext.core.fetching import NotFetched
from stylus_ext.core.sources import Check
from stylus_ext.net import Http, HttpRefusal, KeyName, Unreachable, origin_of
from stylus_ext.net.values import name, rows, table

HUB_KEY = KeyName("Hugging Face", "STYLUS_HUGGINGFACE_KEY", HOME)
MAX_README = 200_000

_SERVICE = "Hugging Face"
_ENTER_KEY = (
    "Create one on its settings page (read access) and enter it with `python install.py catalogue"
    " key --from huggingface`"
)
_GATED, _NO_REVISION = "GatedRepo", "RevisionNotFound"
_NOT_FOUND = ("RepoNotFound", _NO_REVISION, "EntryNotFound")
_README_S = 60.0
_MAX_PAGES = 20
_LINK = re.compile(r"<([^<>]+)>\s*;([^,<]*)")


def hub_refusal(refusal: HttpRefusal, what: str, *, has_key: bool) -> StylusError:
    """The error for a refusal of `what`, such as the name of an adapter."""
    if refusal.code == _GATED:
        if has_key:
            return NotFetched(
                "gated",
                f"{what} is gated. Request access on its Hugging Face page, then try again.",
            )
        return NotFetched(
            "key_needed", f"{what} is gated on Hugging Face and needs a key. {_ENTER_KEY}."
        )
    if refusal.code in _NOT_FOUND:
        return SourceNotFound(f"{_SERVICE} does not have {what}, or shows it to its owner only.")
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        if has_key:
            return NotFetched(
                "key_refused", f"{_SERVICE} refuses your key for {what}. {_ENTER_KEY}."
            )
        return NotFetched(
            "key_needed", f"{what} is missing on {_SERVICE}, or needs a key. {_ENTER_KEY}."
        )
    return refusal_error(refusal, _SERVICE, what)


class HubClient:
    """Requests to the origin `url`; addresses are built from it and never taken from answers."""

    def __init__(self, http: Http, url: str = HOME, *, has_key: bool = False) -> None:
        self._http = http
        self.origin = origin_of(url)
        self.has_key = has_key

    def models(
        self, params: Mapping[str, str | Sequence[str]], cursor: str | None, check: Check
    ) -> ListingPage:
        asked = {**params, "full": "true", "cardData": "true"}

        def request() -> ListingPage:
            return self._page("api/models", asked, cursor, "a page of its catalogue", check)

        with detect_lost_cursor(_SERVICE, cursor):
            return confirmed(request, params.get("limit"))

    def files(self, repository: str, revision: str, check: Check) -> tuple[Json, ...]:
        """Files and folders, with the size and SHA256 of large files."""
        found: list[Json] = []
        cursor: str | None = None
        path = f"api/models/{repository}/tree/{quote(revision, safe='')}"
        for _ in range(_MAX_PAGES):
            page = self._page(path, {"recursive": "true"}, cursor, repository, check)
            found += page.items
            cursor = page.cursor
            if cursor is None:
                break
        return tuple(found)

    def file(self, location: HubLocation, what: str, check: Check) -> Json | None:
        """One file with its scan results; None if the commit or the file does not exist."""
        path = f"api/models/{location.repository}/paths-info/{quote(location.revision, safe='')}"
        body = {"paths": [location.path], "expand": True}
        try:
            answer = self._http.json(f"{self.origin}/{path}", body=body, check=check)
        except HttpRefusal as refusal:
            if refusal.code == _NO_REVISION:
                return None
            raise hub_refusal(refusal, what, has_key=self.has_key) from refusal
        files = map(table, rows(answer))
        return next((file for file in files if file.get("path") == location.path), None)

    def readme(self, repository: str, revision: str, check: Check) -> str:
        """The README, or an empty text if it is missing or unreachable: the card does without."""
        location = HubLocation(repository, revision, "README.md")
        try:
            with (
                self._refusals(repository),
                self._http.stream(location.url(self.origin), check=check) as answer,
            ):
                data = answer.beginning(MAX_README, _README_S)
        except (Unreachable, SourceNotFound):
            return ""
        return data[:MAX_README].decode("utf-8", "replace")

    def user_name(self, check: Check) -> str:
        """The name of the key's user; raises for an invalid key."""
        with self._refusals("your account"):
            answer = self._http.json(f"{self.origin}/api/whoami-v2", check=check)
        return name(table(answer).get("name"))

    def _page(
        self,
        path: str,
        params: Mapping[str, str | Sequence[str]],
        cursor: str | None,
        what: str,
        check: Check,
    ) -> ListingPage:
        params = {**params, **({} if cursor is None else {"cursor": cursor})}
        with self._refusals(what):
            answer = self._http.json_response(
                f"{self.origin}/{path}",
                params,
                check=check,
                is_expected=lambda data: isinstance(data, list),
            )
        return ListingPage(
            tuple(map(table, rows(answer.data))), next_cursor(answer.headers.get("link", ""))
        )

    @contextmanager
    def _refusals(self, what: str) -> Iterator[None]:
        try:
            yield
        except HttpRefusal as refusal:
            raise hub_refusal(refusal, what, has_key=self.has_key) from refusal


def next_cursor(link: str) -> str | None:
    """The cursor in a `Link` header's next page."""
    for found in _LINK.finditer(link[:20_000]):
        if re.search(r'rel\s*=\s*"?next\b', found[2]):
            return cursor_in(found[1])
    return None
