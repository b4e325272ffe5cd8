"""The hub's REST API, path by path: parameters go in, its JSON as plain data comes out, refusals as
sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit

from stylus_ext.backends.http import Http, KeyName, Refusal, Unreachable, origin_of
from stylus_ext.backends.hugging_face.places import HOME, Place
from stylus_ext.backends.hugging_face.refusals import NO_REVISION, Missing, refused
from stylus_ext.backends.statements.values import name, rows, table
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.sources import Check, CursorLost

HUB_KEY = KeyName("Hugging Face", "STYLUS_HUGGINGFACE_KEY", HOME)
LONGEST_README = 200_000
_README_S = 60.0
_MOST_PAGES = 20
_LONGEST_CURSOR = 2000
_LINK = re.compile(r"<([^<>]+)>\s*;([^,<]*)")
Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Listed:
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
    ) -> Listed:
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

    def file(self, place: Place, what: str, check: Check) -> Json | None:
        """One file, with what the hub's scanners found; None where that commit is not there or does
        not have it.
        """
        path = f"api/models/{place.repository}/paths-info/{quote(place.revision, safe='')}"
        try:
            answer = self._http.json(
                f"{self.origin}/{path}", body={"paths": [place.path], "expand": True}, check=check
            )
        except Refusal as refusal:
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
                Place(repository, revision, "README.md").url(self.origin), check=check
            ) as answer:
                data = answer.beginning(LONGEST_README, _README_S)
        except Unreachable:
            return ""
        except Refusal as refusal:
            error = refused(refusal, repository, has_key=self.has_key)
            if isinstance(error, Missing):
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
    ) -> Listed:
        asked = {**params, **({} if cursor is None else {"cursor": cursor})}
        with self._told(what):
            answer = self._http.told(f"{self.origin}/{path}", asked, check=check)
        return Listed(
            tuple(map(table, rows(answer.data))), next_cursor(answer.headers.get("link", ""))
        )

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except Refusal as refusal:
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
