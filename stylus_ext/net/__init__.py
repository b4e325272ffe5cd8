"""The HTTP client: JSON or a stream of bytes from an address, with a key bound to one origin.

    http = Http(key=key_for(folder, "https://civitai.com", CIVITAI_KEY), interval_s=1.0)
    models = http.json("https://civitai.com/api/v1/models", {"limit": "1"}, check=check)
    with http.stream(url, {"Range": "bytes=100-"}, check=check) as response:
        response.status, response.headers.get("etag"), response.length
        for piece in response.pieces():
            ...

`check` is called at least every tenth of a second during any wait and ends it by raising, for
example `Cancelled`. Errors: `HttpRefusal` (an error status), `Unreachable` (no answer, or a broken
connection) and `BadAnswer` (an answer that cannot be used).
"""

from __future__ import annotations

from stylus_ext.net.client import (
    BadAnswer,
    Http,
    HttpRefusal,
    JsonResponse,
    StreamResponse,
    Unreachable,
)
from stylus_ext.net.keys import (
    Key,
    KeyName,
    delete_key,
    is_loopback,
    key_for,
    login_key,
    origin_of,
    safe_url,
    save_key,
)
from stylus_ext.net.waiting import Pace, TimeLimits, no_check

__all__ = [
    "BadAnswer",
    "Http",
    "HttpRefusal",
    "JsonResponse",
    "Key",
    "KeyName",
    "Pace",
    "StreamResponse",
    "TimeLimits",
    "Unreachable",
    "delete_key",
    "is_loopback",
    "key_for",
    "login_key",
    "no_check",
    "origin_of",
    "safe_url",
    "save_key",
]
