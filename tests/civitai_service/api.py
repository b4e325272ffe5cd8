"""Civitai's API over the models of the service."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from tests.civitai_service.shapes import Json
from tests.civitai_service.wire import Reply, Seen

if TYPE_CHECKING:
    from tests.civitai_service.service import CivitaiService


TYPES = {"Checkpoint", "LORA", "LoCon", "DoRA", "TextualInversion", "VAE"}
_BROWSERS = re.compile("mozilla|chrome|safari|firefox|opera|edge")
_DEADLINE = "2099-01-01T00:00:00.000Z"


def answer(civitai: CivitaiService, request: Seen) -> Reply:
    agent = request.headers.get("user-agent", "").lower()
    if agent.startswith("python-"):
        return Reply(403, "<html>Attention Required!</html>", {"Content-Type": "text/html"})
    path = request.path
    if found := re.fullmatch(r"/api/download/models/(\d+)", path):
        return _download(civitai, request, int(found[1]))
    for pattern, route in _ROUTES:
        if found := re.fullmatch(f"/api/v1/{pattern}", path):
            reply: Reply = route(civitai, request, *found.groups())
            return reply
    if path == "/login":
        return Reply(200, "<!DOCTYPE html><html>Log in</html>", {"Content-Type": "text/html"})
    return Reply(404, {"error": "Not found"})


def _key(request: Seen) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def _models(civitai: CivitaiService, request: Seen) -> Reply:
    limit = int(request.one("limit", "100"))
    page = int(request.one("page", "0"))
    types, bases = set(request.many("types")), set(request.query.get("baseModels", []))
    if not 1 <= limit <= 100 or not types <= TYPES or not bases <= set(civitai.base_models):
        return Reply(
            400, {"error": {"code": "BAD_REQUEST", "message": "Invalid query", "issues": []}}
        )
    if page and request.one("query"):
        return Reply(
            400, {"error": "Cannot use page param with query search. Use cursor-based pagination."}
        )
    if page * limit > 1000:
        return Reply(429, {"error": "Use cursor-based pagination."})
    found = [model for model in civitai.models if _fits(model, request, types, bases)]
    found.sort(key=_SORTS[request.one("sort", "Highest Rated")])
    start = int(request.one("cursor", "0|").partition("|")[0]) if page == 0 else (page - 1) * limit
    items = found[start : start + limit]
    metadata: Json = {}
    if start + limit < len(found):
        metadata = {
            "nextCursor": f"{start + limit}|{len(found)}",
            "nextPage": f"{civitai.api}/api/v1/models?cursor={start + limit}",
        }
    return Reply(200, {"items": items, "metadata": metadata})


_SORTS: dict[str, Any] = {
    "Highest Rated": lambda model: -(model.get("stats") or {}).get("thumbsUpCount", 0),
    "Most Downloaded": lambda model: -(model.get("stats") or {}).get("downloadCount", 0),
    "Newest": lambda model: tuple(-ord(sign) for sign in _newest(model)),
}


def _newest(model: Json) -> str:
    return max(
        (version.get("publishedAt") or "" for version in model.get("modelVersions") or []),
        default="",
    )


def _fits(model: Json, request: Seen, types: set[str], bases: set[str]) -> bool:
    versions = model.get("modelVersions") or []
    ids, words = request.many("ids"), request.one("query").lower()
    return (
        (not types or model.get("type") in types)
        and (not bases or any(version.get("baseModel") in bases for version in versions))
        and (not ids or str(model.get("id")) in ids)
        and (not request.one("tag") or request.one("tag") in (model.get("tags") or []))
        and (not words or words in str(model.get("name")).lower())
        and (request.one("nsfw", "false") == "true" or model.get("nsfw") is not True)
    )


def _model(civitai: CivitaiService, request: Seen, model_id: str) -> Reply:
    found = [model for model in civitai.models if str(model.get("id")) == model_id]
    return Reply(200, found[0]) if found else Reply(404, {"error": f"No model with id {model_id}"})


def _pairs(civitai: CivitaiService) -> Iterator[tuple[Json, Json]]:
    for model in civitai.models:
        for version in model.get("modelVersions") or []:
            yield model, version


def _whole(model: Json, version: Json) -> Json:
    """A version as its own path gives it."""
    about = {name: model.get(name) for name in ("name", "type", "nsfw", "poi", "minor")}
    more = {
        "modelId": model.get("id"),
        "air": f"urn:air:sd1:lora:civitai:{model.get('id')}@{version.get('id')}",
        "status": "Published",
    }
    more |= {
        "usageControl": "Download",
        "earlyAccessConfig": None,
        "earlyAccessEndsAt": None,
        "model": about,
    }
    return {**more, **version}


def _of(civitai: CivitaiService, version_id: str) -> tuple[Json, Json] | None:
    return next(
        (
            (model, version)
            for model, version in _pairs(civitai)
            if str(version.get("id")) == version_id
        ),
        None,
    )


def _version(civitai: CivitaiService, request: Seen, version_id: str) -> Reply:
    found = _of(civitai, version_id)
    return (
        Reply(200, _whole(*found))
        if found
        else Reply(404, {"error": f"No model version with id {version_id}"})
    )


def _mini(civitai: CivitaiService, request: Seen, version_id: str) -> Reply:
    found = _of(civitai, version_id)
    if found is None:
        return Reply(404, {"error": "Model not found"})
    model, version = found
    file: Json = next(iter(version.get("files") or []), {})
    early = (
        {"earlyAccessEndsAt": version["earlyAccessEndsAt"]}
        if version.get("earlyAccessEndsAt")
        else {}
    )
    return Reply(
        200,
        {
            "air": f"urn:air:sd1:lora:civitai:{model.get('id')}@{version_id}",
            "versionName": version.get("name"),
            "modelName": model.get("name"),
            "baseModel": version.get("baseModel"),
            "availability": version.get("availability"),
            "size": file.get("sizeKB"),
            "fileType": file.get("type"),
            "fileName": file.get("name"),
            "format": (file.get("metadata") or {}).get("format"),
            "hashes": file.get("hashes"),
            "downloadUrls": [f"https://civitai.com/api/download/models/{version_id}"],
            "canGenerate": True,
            "requireAuth": civitai.rules.get(int(version_id)) == "login",
            "checkPermission": civitai.rules.get(int(version_id)) == "early",
            "minor": model.get("minor"),
            "sfwOnly": False,
            **early,
        },
    )


def _hashes(version: Json) -> set[str]:
    return {
        str(value).upper()
        for file in version.get("files") or []
        for value in (file.get("hashes") or {}).values()
    }


def _by_hash(civitai: CivitaiService, request: Seen, wanted: str) -> Reply:
    for model, version in _pairs(civitai):
        if wanted.upper() in _hashes(version):
            return Reply(200, _whole(model, version))
    return Reply(404, {"error": "Model not found"})


def _by_hashes(civitai: CivitaiService, request: Seen) -> Reply:
    wanted = [str(one).upper() for one in request.body]
    if len(wanted) > 100:
        return Reply(400, {"error": "Too many hashes"})
    return Reply(
        200,
        [
            _whole(model, version)
            for model, version in _pairs(civitai)
            if _hashes(version) & set(wanted)
        ],
    )


def _ids_by_hashes(civitai: CivitaiService, request: Seen) -> Reply:
    wanted = [str(one).upper() for one in request.body]
    if len(wanted) > 10_000:
        return Reply(400, {"error": "Too many hashes"})
    found = {one: version.get("id") for _, version in _pairs(civitai) for one in _hashes(version)}
    return Reply(
        200, [{"modelVersionId": found[one], "hash": one} for one in wanted if one in found]
    )


def _images(civitai: CivitaiService, request: Seen) -> Reply:
    limit = int(request.one("limit", "50"))
    if not 0 <= limit <= 200:
        return Reply(400, {"error": "limit"})
    items = civitai.pictures.get(int(request.one("modelVersionId", "0")), [])[:limit]
    if request.one("withMeta", "false") != "true":
        items = [{name: value for name, value in item.items() if name != "meta"} for item in items]
    return Reply(200, {"items": items, "metadata": {}})


def _enums(civitai: CivitaiService, request: Seen) -> Reply:
    return Reply(
        200,
        {
            "ModelType": sorted(TYPES),
            "BaseModel": civitai.base_models,
            "ActiveBaseModel": civitai.base_models,
        },
    )


def _me(civitai: CivitaiService, request: Seen) -> Reply:
    if _key(request) not in civitai.keys:
        return Reply(401, {"error": "Unauthorized"})
    return Reply(200, {"id": 1, "username": "somebody", "tier": "free", "status": "active"})


_ROUTES: tuple[tuple[str, Any], ...] = (
    ("models", _models),
    (r"models/(\d+)", _model),
    (r"model-versions/by-hash", _by_hashes),
    (r"model-versions/by-hash/ids", _ids_by_hashes),
    (r"model-versions/by-hash/(\w+)", _by_hash),
    (r"model-versions/mini/(\d+)", _mini),
    (r"model-versions/(\d+)", _version),
    ("images", _images),
    ("enums", _enums),
    ("me", _me),
)

_RULES = {
    "disabled": Reply(
        401,
        {
            "error": "Unauthorized",
            "message": "The creator of this asset has disabled downloads on this file",
        },
    ),
    "archived": Reply(410, {"error": "Model archived, not available for download"}),
    "missing": Reply(404, {"error": "File not found"}),
    "limit": Reply(
        429, {"error": "You have an unusual amount of downloading, please try again later"}
    ),
    "blacklist": Reply(403, {"error": "Forbidden"}),
}


def _download(civitai: CivitaiService, request: Seen, version_id: int) -> Reply:
    rule = civitai.rules.get(version_id, "")
    refusal = _refusal(civitai, request, rule)
    if refusal is not None and _BROWSERS.search(request.headers.get("user-agent", "").lower()):
        return Reply(302, b"", {"Location": f"{civitai.api}/login"})
    if refusal is not None:
        return refusal
    if rule in _RULES:
        return _RULES[rule]
    if version_id not in civitai.files:
        return _RULES["missing"]
    signature = f"{next(civitai.numbers)}-{secrets.token_hex(16)}"
    wanted = (
        -version_id
        if request.one("format") == "SafeTensor" and -version_id in civitai.files
        else version_id
    )
    civitai.signed[signature] = wanted
    found = _of(civitai, str(version_id))
    files = (found[1].get("files") or []) if found else []
    name = str(files[0].get("name")) if files else f"{version_id}.safetensors"
    signed = urlencode({"X-Amz-Expires": 86400, "X-Amz-Signature": signature})
    return Reply(
        307,
        b"",
        {"Location": f"{civitai.storage}/bucket/{version_id}/{quote(name, safe='')}?{signed}"},
    )


def _refusal(civitai: CivitaiService, request: Seen, rule: str) -> Reply | None:
    """Those that browsers get as a page in which to log in."""
    if request.method == "HEAD" or (rule == "login" and _key(request) not in civitai.keys):
        said = "The creator of this asset requires you to be logged in to download it"
        return Reply(401, {"error": "Unauthorized", "message": said})
    if rule == "early":
        said = "This asset is in Early Access. You can use Buzz access it now!"
        return Reply(403, {"error": "Early Access", "deadline": _DEADLINE, "message": said})
    return None
