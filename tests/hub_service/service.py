"""A local hub: its API and pages on one origin, its storage on another, over real sockets; faults
as the local Civitai has them.

with serving() as hub:
    hub.add(a_repo("somebody/rain-fox", body))
    hub.faults.add(Fault(r"/api/models$", status=429, headers={"Retry-After": "1"}))
    hub.api, hub.storage, hub.seen
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlencode

from tests.civitai_service import storage
from tests.civitai_service.faults import Fault, Faults
from tests.civitai_service.wire import Reply, Seen, listening
from tests.hub_service.shapes import Json, Repo, is_large

MOST = 1000
_SORTS = {
    "downloads": lambda item: -item["downloads"],
    "lastModified": lambda item: _backwards(item["lastModified"]),
}


@dataclass
class HubService:
    api: str = ""
    storage: str = ""
    repos: list[Repo] = field(default_factory=list)
    keys: set[str] = field(default_factory=lambda: {"hf_right"})
    granted: set[str] = field(default_factory=set)
    """Gated repositories whose owner has let the key's user in."""
    faults: Faults = field(default_factory=Faults)
    seen: list[Seen] = field(default_factory=list)
    signed: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    """What the storage has, by SHA256."""
    served: dict[str, bytes] = field(default_factory=dict)
    """What it sends in place of that, by SHA256."""
    etags: bool = True
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def add(self, *repos: Repo) -> None:
        self.repos.extend(repos)

    def asked(self, path: str, on: str = "api") -> list[Seen]:
        return [one for one in self.seen if one.on == on and one.path.endswith(path)]

    def answer_api(self, request: Seen, fault: Fault) -> Reply:
        for pattern, route in _ROUTES:
            if found := re.fullmatch(pattern, request.path):
                reply: Reply = route(self, request, *found.groups())
                return reply
        return _error(404, "EntryNotFound", "Not Found")

    def answer_storage(self, request: Seen, fault: Fault) -> Reply:
        return storage.answer(self, request, fault)  # type: ignore[arg-type]


def _error(status: int, code: str, said: str) -> Reply:
    return Reply(status, {"error": said}, {"X-Error-Code": code, "X-Error-Message": said})


def _key(request: Seen) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def _visible(hub: HubService, request: Seen, name: str) -> Repo | Reply:
    """As the hub says it: to strangers what is not there and what is private are the same."""
    if _key(request) and _key(request) not in hub.keys:
        return Reply(401, {"error": "Invalid credentials in Authorization header"})
    found = next((repo for repo in hub.repos if repo.name == name), None)
    if found is None or found.stated.get("private"):
        return _error(404 if _key(request) else 401, "RepoNotFound", "Repository not found")
    return found


def _models(hub: HubService, request: Seen) -> Reply:
    limit = int(request.one("limit", "1000"))
    if (
        not 1 <= limit <= MOST
        or request.one("sort", "downloads") not in _SORTS
        or request.one("direction", "-1") != "-1"
    ):
        return Reply(400, {"error": "Invalid query"})
    wanted, words = request.query.get("filter", []), request.one("search").lower()
    items = [repo.listed() for repo in hub.repos if not repo.stated.get("private")]
    items = [
        item for item in items if set(wanted) <= set(item["tags"]) and words in item["id"].lower()
    ]
    items.sort(key=_SORTS[request.one("sort", "downloads")])
    if request.one("full") != "true":
        items = [
            {
                name: value
                for name, value in item.items()
                if name not in ("siblings", "cardData", "lastModified")
            }
            for item in items
        ]
    start = _start(request)
    if start is None:
        return Reply(400, {"error": "Invalid cursor"})
    return Reply(200, items[start : start + limit], _link(hub, request, start + limit, len(items)))


def _tree(hub: HubService, request: Seen, name: str, revision: str) -> Reply:
    repo = _visible(hub, request, name)
    if isinstance(repo, Reply):
        return repo
    files = repo.at(unquote(revision))
    if files is None:
        return _error(404, "RevisionNotFound", "Invalid rev id")
    rows: list[Json] = [{"type": "directory", "oid": "d" * 40, "size": 0, "path": "images"}]
    rows += [
        repo.row(path, body, expand=request.one("expand") == "true") for path, body in files.items()
    ]
    start = _start(request) or 0
    return Reply(200, rows[start : start + MOST], _link(hub, request, start + MOST, len(rows)))


def _paths_info(hub: HubService, request: Seen, name: str, revision: str) -> Reply:
    repo = _visible(hub, request, name)
    if isinstance(repo, Reply):
        return repo
    files = repo.at(unquote(revision))
    if files is None:
        return _error(404, "RevisionNotFound", "Invalid rev id")
    return Reply(
        200,
        [
            repo.row(path, files[path], expand=bool(request.body.get("expand")))
            for path in request.body["paths"]
            if path in files
        ],
    )


def _resolve(hub: HubService, request: Seen, name: str, revision: str, path: str) -> Reply:
    repo = _visible(hub, request, name)
    if isinstance(repo, Reply):
        return repo
    if repo.stated.get("gated") and path != "README.md" and name not in hub.granted:
        return _error(
            403 if _key(request) else 401, "GatedRepo", f"Access to model {name} is restricted."
        )
    files = repo.at(unquote(revision))
    if files is None:
        return _error(404, "RevisionNotFound", "Invalid rev id")
    if path not in files:
        return _error(404, "EntryNotFound", "Entry not found")
    body = files[path]
    if not is_large(path, body):
        return Reply(
            200,
            body,
            {
                "Content-Type": "text/plain; charset=utf-8",
                "ETag": '"abc"',
                "X-Repo-Commit": repo.commit,
            },
        )
    sha256, signature = (
        hashlib.sha256(body).hexdigest(),
        f"{next(hub.numbers)}-{secrets.token_hex(16)}",
    )
    hub.files[sha256] = hub.served.get(sha256, body)
    hub.signed[signature] = sha256
    headers = {
        "X-Repo-Commit": repo.commit,
        "X-Linked-Size": str(len(body)),
        "X-Linked-Etag": f'"{sha256}"',
    }
    signed = urlencode({"X-Amz-Expires": 3600, "X-Amz-Signature": signature})
    return Reply(
        302,
        b"",
        {
            **headers,
            "Location": f"{hub.storage}/repos/{sha256}/{quote(path.rpartition('/')[2])}?{signed}",
        },
    )


def _whoami(hub: HubService, request: Seen) -> Reply:
    if _key(request) not in hub.keys:
        return Reply(401, {"error": "Invalid username or password."})
    return Reply(
        200, {"type": "user", "id": "1", "name": "somebody", "auth": {"type": "access_token"}}
    )


_NAME = r"((?:[\w.-]+/)?[\w.-]+)"
_ROUTES: tuple[tuple[str, Any], ...] = (
    ("/api/models", _models),
    (f"/api/models/{_NAME}/tree/([^/]+)", _tree),
    (f"/api/models/{_NAME}/paths-info/([^/]+)", _paths_info),
    ("/api/whoami-v2", _whoami),
    (f"/{_NAME}/resolve/([^/]+)/(.+)", _resolve),
)


def _start(request: Seen) -> int | None:
    said = request.one("cursor")
    try:
        return int(json.loads(bytes.fromhex(said))["at"]) if said else 0
    except (ValueError, KeyError):
        return None


def _link(hub: HubService, request: Seen, start: int, total: int) -> dict[str, str]:
    if start >= total:
        return {}
    query = {
        **{name: values for name, values in request.query.items() if name != "cursor"},
        "cursor": json.dumps({"at": start}).encode().hex(),
    }
    return {"Link": f'<{hub.api}{request.path}?{urlencode(query, doseq=True)}>; rel="next"'}


def _backwards(text: str) -> tuple[int, ...]:
    return tuple(-ord(sign) for sign in text)


@contextmanager
def serving() -> Iterator[HubService]:
    hub = HubService()
    with (
        listening("api", hub.answer_api, hub.faults, hub.seen) as hub.api,
        listening("storage", hub.answer_storage, hub.faults, hub.seen) as hub.storage,
    ):
        yield hub
