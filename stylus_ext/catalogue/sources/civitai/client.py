"""Civitai's REST API, and the errors for its refusals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

from stylus_ext.catalogue.sources.common import (
    Json,
    ListingPage,
    SourceNotFound,
    confirmed,
    cursor_in,
    detect_lost_cursor,
    refusal_error,
)
from stylus_ext.core.errors import StylusError
from stylus_ext.core.fetching import NotFetched
from stylus_ext.core.sources import Check
from stylus_ext.net import Http, HttpRefusal, KeyName, origin_of
from stylus_ext.net.values import identity, name, rows, table, text

HOME = "https://civitai.com"
CIVITAI_KEY = KeyName("Civitai", "STYLUS_CIVITAI_KEY", HOME)
TYPES = ("LORA", "LoCon", "DoRA", "TextualInversion")
MAX_PAGE = 100
MAX_HASHES, MAX_HASHES_FOR_IDS = 100, 10_000

_SERVICE = "Civitai"
_ENTER_KEY = (
    "Create a key on Civitai's account page and enter it with `python install.py catalogue key`"
)
_MAX_CURSOR = 1000

Params = Mapping[str, str | Sequence[str]]


def download_refusal(refusal: HttpRefusal, what: str, *, has_key: bool) -> StylusError:
    """The error for a refused download of `what`, the name of an adapter."""
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        if "disabled downloads" in refusal.message.casefold():
            return NotFetched(
                "downloads_disabled",
                f"The creator of {what} has disabled downloads; it works on Civitai's pages only.",
            )
        return _key_error(what, has_key=has_key)
    if refusal.status == HTTPStatus.FORBIDDEN:
        body = table(refusal.body)
        if "early access" in f"{name(body.get('error'))} {refusal.message}".casefold():
            deadline = name(body.get("deadline"))[:10]
            until = f" until {deadline}" if deadline else ""
            return NotFetched(
                "early_access", f"{what} is in early access{until}. Buy it on Civitai or wait."
            )
    if refusal.status == HTTPStatus.GONE:
        return NotFetched(
            "archived", f"{what} is archived on Civitai; its file cannot be downloaded."
        )
    return refusal_error(refusal, _SERVICE, what)


def _key_error(what: str, *, has_key: bool) -> NotFetched:
    if has_key:
        return NotFetched("key_refused", f"Civitai refuses your key for {what}. {_ENTER_KEY}.")
    return NotFetched("key_needed", f"Civitai wants a key for {what}. {_ENTER_KEY}.")


class CivitaiClient:
    """Requests to the origin `url`; files come from the origin `files_url` if that is another.

    civitai.red redirects downloads to another origin, where a key does not follow. Addresses are
    built from the two origins and never taken from answers.
    """

    def __init__(self, http: Http, url: str = HOME, files_url: str = "") -> None:
        self._http = http
        self.origin = origin_of(url)
        self._files_origin = origin_of(files_url or url)

    def models(self, params: Params, cursor: str | None, check: Check) -> ListingPage:
        """A page of models; `page` is never sent, since it ends at a thousand models."""
        asked = {**params, **({} if cursor is None else {"cursor": cursor})}
        with detect_lost_cursor(_SERVICE, cursor):
            return confirmed(lambda: self._listing(asked, check, _is_page), params.get("limit"))

    def _listing(
        self, params: Params, check: Check, is_expected: Callable[[object], bool]
    ) -> ListingPage:
        answer = table(
            self._request(
                "models",
                "a page of its catalogue",
                check,
                params=params,
                is_expected=is_expected,
            )
        )
        return ListingPage(
            tuple(map(table, rows(answer.get("items")))),
            _next_cursor(table(answer.get("metadata"))),
        )

    def models_by_id(self, ids: Sequence[int], check: Check) -> tuple[Json, ...]:
        """At most `MAX_PAGE` models of any rating; unlisted ones are left out."""
        params = {"ids": ",".join(map(str, ids)), "limit": str(MAX_PAGE), "nsfw": "true"}
        return self._listing(params, check, _has_items).items

    def model(self, model_id: int, check: Check) -> Json:
        return self._get(f"models/{model_id}", f"model {model_id}", check)

    def version(self, version_id: int, check: Check) -> Json:
        return self._get(f"model-versions/{version_id}", f"version {version_id}", check)

    def download_facts(self, version_id: int, check: Check) -> Json:
        """Access, size and hashes of a version's primary file."""
        return self._get(f"model-versions/mini/{version_id}", f"version {version_id}", check)

    def ids_by_hash(self, sha256s: Sequence[str], check: Check) -> dict[str, int]:
        """Version ids by lower-case hash, of at most `MAX_HASHES_FOR_IDS`."""
        found = {}
        for row in self._post_hashes("model-versions/by-hash/ids", sha256s, check):
            version_id = identity(row.get("modelVersionId"))
            if version_id is not None:
                found[text(row.get("hash")).lower()] = version_id
        return found

    def versions_by_hash(self, sha256s: Sequence[str], check: Check) -> tuple[Json, ...]:
        """The versions of at most `MAX_HASHES` files."""
        return self._post_hashes("model-versions/by-hash", sha256s, check)

    def version_by_hash(self, digest: str, check: Check) -> Json | None:
        """The version with a file of this hash, of any kind; None if it is unknown."""
        try:
            return self._get(f"model-versions/by-hash/{digest}", "a file by its hash", check)
        except SourceNotFound:
            return None

    def pictures(self, version_id: int, limit: int, check: Check) -> tuple[Json, ...]:
        """The most liked pictures with their metadata. Asking by model may time out at Civitai."""
        params = {
            "modelVersionId": str(version_id),
            "limit": str(limit),
            "withMeta": "true",
            "type": "image",
            "sort": "Most Reactions",
        }
        answer = self._get("images", f"pictures of version {version_id}", check, params)
        return tuple(map(table, rows(answer.get("items"))))

    def base_models(self, check: Check) -> tuple[str, ...]:
        """The base models in Civitai's present spelling."""
        answer = self._get("enums", "its list of base models", check)
        names = [
            name(base_model)
            for kind in ("BaseModel", "ActiveBaseModel")
            for base_model in rows(answer.get(kind))
        ]
        return tuple(dict.fromkeys(filter(None, names)))

    def user_name(self, check: Check) -> str:
        """The name of the key's user; raises for an invalid key."""
        return name(self._get("me", "your account", check).get("username"))

    def download_url(self, version_id: int, *, safetensors: bool = False) -> str:
        """The address of the version's primary file, or of its safetensors file."""
        query = "?format=SafeTensor" if safetensors else ""
        return f"{self._files_origin}/api/download/models/{version_id}{query}"

    def _get(self, path: str, what: str, check: Check, params: Params | None = None) -> Json:
        return table(self._request(path, what, check, params=dict(params) if params else None))

    def _post_hashes(self, path: str, hashes: Sequence[str], check: Check) -> tuple[Json, ...]:
        body = [digest.upper() for digest in hashes]
        return tuple(
            map(table, rows(self._request(path, "files by their hashes", check, body=body)))
        )

    def _request(
        self,
        path: str,
        what: str,
        check: Check,
        *,
        params: Params | None = None,
        body: object = None,
        is_expected: Callable[[object], bool] = lambda _: True,
    ) -> object:
        try:
            url = f"{self.origin}/api/v1/{path}"
            return self._http.json(url, params, body=body, check=check, is_expected=is_expected)
        except HttpRefusal as refusal:
            if refusal.status == HTTPStatus.UNAUTHORIZED:
                raise _key_error(what, has_key=True) from refusal
            raise refusal_error(refusal, _SERVICE, what) from refusal


def _has_items(answer: object) -> bool:
    return isinstance(table(answer).get("items"), list)


def _is_page(answer: object) -> bool:
    return _has_items(answer) and isinstance(table(answer).get("metadata"), dict)


def _next_cursor(metadata: Json) -> str | None:
    """The stated cursor, a text or a number, or the one in the address of the next page."""
    stated = metadata.get("nextCursor")
    if isinstance(stated, int) and not isinstance(stated, bool):
        return str(stated)
    if isinstance(stated, str) and stated:
        return stated[:_MAX_CURSOR]
    return cursor_in(metadata.get("nextPage"))
