"""Civitai's REST API, path by path: parameters go in, its JSON as plain data comes out, refusals as
sentences.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from stylus_ext.core.errors import InvalidInput, StylusError, Unavailable
from stylus_ext.core.sources import Check, CursorLost
from stylus_ext.net import Http, HttpRefusal, KeyName, origin_of
from stylus_ext.net.values import identity, name, rows, table, text

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


class CivitaiNotFound(NotGiven):
    code = "missing"


class Forbidden(NotGiven):
    code = "forbidden"


class Region(NotGiven):
    code = "region"


class CivitaiRateLimited(Unavailable):
    """Later it may be given."""

    code = "too_many"


class CivitaiUnavailable(Unavailable):
    code = "trouble"


def download_refusal(refusal: HttpRefusal, what: str, *, has_key: bool) -> StylusError:
    """What a user is told when `what` (the name of an adapter) cannot be downloaded."""
    error: StylusError
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        error = _unauthorized(refusal, what, has_key)
    elif refusal.status == HTTPStatus.FORBIDDEN:
        error = _forbidden(refusal, what)
    elif refusal.status == HTTPStatus.NOT_FOUND:
        error = CivitaiNotFound(
            f"Civitai does not have {what} any more: it was removed, unpublished, or is not given"
            " to anybody."
        )
    elif refusal.status == HTTPStatus.GONE:
        error = Archived(
            f"{what} is archived on Civitai: its page is there, its file cannot be downloaded."
        )
    elif refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
        error = CivitaiRateLimited(
            f"Civitai gives no more downloads for now, so {what} was not fetched.{_later(refusal)}"
        )
    else:
        error = _of_any(refusal, f"{what} was not fetched")
    return error


def api_refusal(refusal: HttpRefusal, asked: str) -> StylusError:
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
        return CivitaiNotFound(f"Civitai does not have {asked}.")
    if refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
        return CivitaiRateLimited(f"Civitai was asked too often.{_later(refusal)}")
    return _of_any(refusal, f"It was asked for {asked}")


def _unauthorized(refusal: HttpRefusal, what: str, has_key: bool) -> StylusError:
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


def _forbidden(refusal: HttpRefusal, what: str) -> StylusError:
    body = table(refusal.body)
    if "early access" in f"{name(body.get('error'))} {refusal.said}".casefold():
        deadline = name(body.get("deadline"))[:10]
        until = f" until {deadline}" if deadline else ""
        return EarlyAccess(
            f"{what} is in early access{until}: whoever wants it sooner pays for it on Civitai."
        )
    return Forbidden(f"Civitai forbids the download of {what} to this account or network.")


def _of_any(refusal: HttpRefusal, said: str) -> StylusError:
    if refusal.status == _REGION:
        return Region(f"Civitai may not answer in your region. {said}.")
    if refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return CivitaiUnavailable(
            f"Civitai has trouble just now (status {refusal.status}). {said}. Try again later."
        )
    return NotGiven(
        "Civitai refused with the status"
        f" {refusal.status}{f' ({refusal.said})' if refusal.said else ''}. {said}."
    )


def _later(refusal: HttpRefusal) -> str:
    if refusal.retry_after is None:
        return " Try again later; a daily limit is over tomorrow."
    minutes = max(1, round(refusal.retry_after / 60))
    return f" It says to try again in {minutes} min."


HOME = "https://civitai.com"
CIVITAI_KEY = KeyName("Civitai", "STYLUS_CIVITAI_KEY", HOME)
TYPES = ("LORA", "LoCon", "DoRA")
MOST_ON_A_PAGE = 100
MOST_HASHES, MOST_HASHES_FOR_IDS = 100, 10_000
_LONGEST_CURSOR = 1000

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Models:
    """A page of models, and the cursor of the next."""

    items: tuple[Json, ...]
    cursor: str | None


class CivitaiClient:
    """`url` is the service's origin, `files_url` that of its files where it is another (civitai.red
    sends on whoever wants one, and a key does not go with him): addresses are built from them and
    never taken from answers.
    """

    def __init__(self, http: Http, url: str = HOME, files_url: str = "") -> None:
        self._http = http
        self.origin = origin_of(url)
        self._files = origin_of(files_url or url)

    def models(
        self, params: Mapping[str, str | Sequence[str]], cursor: str | None, check: Check
    ) -> Models:
        """`page` is never sent: it ends at a thousand models, and a search takes none."""
        asked = {**params, **({} if cursor is None else {"cursor": cursor})}
        try:
            with _told("a page of its catalogue"):
                answer = table(self._get("models", asked, check))
        except InvalidInput as error:
            if cursor is None:
                raise
            raise CursorLost(
                "Civitai does not know this place in its catalogue any longer."
            ) from error
        return Models(
            tuple(map(table, rows(answer.get("items")))), _cursor(table(answer.get("metadata")))
        )

    def models_by_id(self, ids: Sequence[int], check: Check) -> tuple[Json, ...]:
        """At most a hundred, of any rating; those that it does not list are left out."""
        params = {"ids": ",".join(map(str, ids)), "limit": str(MOST_ON_A_PAGE), "nsfw": "true"}
        return self.models(params, None, check).items

    def model(self, model_id: int, check: Check) -> Json:
        with _told(f"model {model_id}"):
            return table(self._get(f"models/{model_id}", {}, check))

    def version(self, version_id: int, check: Check) -> Json:
        with _told(f"version {version_id}"):
            return table(self._get(f"model-versions/{version_id}", {}, check))

    def mini(self, version_id: int, check: Check) -> Json:
        """What matters before a download: who may have it, how large it is, its hashes."""
        with _told(f"version {version_id}"):
            return table(self._get(f"model-versions/mini/{version_id}", {}, check))

    def ids_by_hash(self, sha256s: Sequence[str], check: Check) -> dict[str, int]:
        """At most ten thousand; version ids by hash in lower case, those it does not know left
        out.
        """
        with _told("files by their hashes"):
            answer = self._post(
                "model-versions/by-hash/ids", [one.upper() for one in sha256s], check
            )
        found = {}
        for row in map(table, rows(answer)):
            version_id = identity(row.get("modelVersionId"))
            if version_id is not None:
                found[text(row.get("hash")).lower()] = version_id
        return found

    def versions_by_hash(self, sha256s: Sequence[str], check: Check) -> tuple[Json, ...]:
        """At most a hundred."""
        with _told("files by their hashes"):
            return tuple(
                map(
                    table,
                    rows(
                        self._post(
                            "model-versions/by-hash", [one.upper() for one in sha256s], check
                        )
                    ),
                )
            )

    def version_by_hash(self, digest: str, check: Check) -> Json | None:
        """By any of its kinds of hash, the short ones too; None where it does not know it."""
        try:
            with _told("a file by its hash"):
                return table(self._get(f"model-versions/by-hash/{digest}", {}, check))
        except CivitaiNotFound:
            return None

    def pictures(self, version_id: int, limit: int, check: Check) -> tuple[Json, ...]:
        """With what they were made from, the most liked first. By version: by model it may take
        longer than Civitai waits.
        """
        params = {
            "modelVersionId": str(version_id),
            "limit": str(limit),
            "withMeta": "true",
            "type": "image",
            "sort": "Most Reactions",
        }
        with _told(f"pictures of version {version_id}"):
            return tuple(map(table, rows(table(self._get("images", params, check)).get("items"))))

    def base_models(self, check: Check) -> tuple[str, ...]:
        """As Civitai spells them today."""
        with _told("its list of base models"):
            said = table(self._get("enums", {}, check))
        names = [
            name(one) for kind in ("BaseModel", "ActiveBaseModel") for one in rows(said.get(kind))
        ]
        return tuple(dict.fromkeys(filter(None, names)))

    def me(self, check: Check) -> str:
        """The user's name, which says that the key holds; a refusal says that it does not."""
        with _told("your account"):
            return name(table(self._get("me", {}, check)).get("username"))

    def download_url(self, version_id: int, *, safetensors: bool = False) -> str:
        """Of the version's primary file, or of its safetensors file. Built here: those in answers
        are of whatever host was asked.
        """
        return f"{self._files}/api/download/models/{version_id}{'?format=SafeTensor' if safetensors else ''}"  # noqa: E501

    def _get(self, path: str, params: Mapping[str, str | Sequence[str]], check: Check) -> object:
        return self._http.json(f"{self.origin}/api/v1/{path}", dict(params) or None, check=check)

    def _post(self, path: str, body: object, check: Check) -> object:
        return self._http.json(f"{self.origin}/api/v1/{path}", body=body, check=check)


@contextmanager
def _told(asked: str) -> Iterator[None]:
    try:
        yield
    except HttpRefusal as refusal:
        raise api_refusal(refusal, asked) from refusal


def _cursor(metadata: Json) -> str | None:
    """A text or a number; where it is missing, what the address of the next page says."""
    stated = metadata.get("nextCursor")
    if isinstance(stated, int) and not isinstance(stated, bool):
        return str(stated)
    if isinstance(stated, str) and stated:
        return stated[:_LONGEST_CURSOR]
    following = metadata.get("nextPage")
    if not isinstance(following, str):
        return None
    try:
        found = parse_qs(urlsplit(following).query).get("cursor", [""])[0]
    except ValueError:
        return None
    return found[:_LONGEST_CURSOR] or None
