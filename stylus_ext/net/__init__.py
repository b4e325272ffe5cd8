"""The one HTTP client: addresses go in, JSON or a stream of bytes comes out; a key goes to its own
origin alone.

    http = Http(key=key_for(folder, "https://civitai.com", CIVITAI_KEY), interval_s=1.0)
    models = http.json("https://civitai.com/api/v1/models", {"limit": "1"}, check=check)
    with http.stream(url, {"Range": "bytes=100-"}, check=check) as answer:
        answer.status, answer.headers.get("etag"), answer.length
        for piece in answer.pieces():
            ...

`check` is called at least every tenth of a second, whatever is waited for, and ends the waiting by
raising (`Cancelled`). Errors: `Refusal` (the server said no: `status` and `said`), `Unreachable`
(nobody answered, or the connection broke) and `BadAnswer` (what came is not what was asked for).
"""

from __future__ import annotations

from stylus_ext.net.client import Http
from stylus_ext.net.keys import (
    Key,
    KeyName,
    forget_key,
    is_loopback,
    keep_key,
    key_for,
    origin_of,
    shown,
)
from stylus_ext.net.waiting import (
    Answer,
    BadAnswer,
    HttpRefusal,
    Pace,
    TimeLimits,
    Told,
    Unreachable,
    free,
)

__all__ = [
    "Answer",
    "BadAnswer",
    "Http",
    "Key",
    "KeyName",
    "TimeLimits",
    "Pace",
    "HttpRefusal",
    "Told",
    "Unreachable",
    "forget_key",
    "free",
    "is_loopback",
    "keep_key",
    "key_for",
    "origin_of",
    "shown",
]
