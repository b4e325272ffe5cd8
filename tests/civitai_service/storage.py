"""The storage: signed addresses, ranges, and 400 for requests with an Authorization header."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from tests.civitai_service.faults import Fault
from tests.civitai_service.wire import Reply, Seen

if TYPE_CHECKING:
    from tests.civitai_service.service import CivitaiService


_XML = {"Content-Type": "application/xml"}


def answer(civitai: CivitaiService, request: Seen, fault: Fault) -> Reply:
    if "authorization" in request.headers:
        return Reply(
            400,
            "<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism"
            " allowed</Message></Error>",
            dict(_XML),
        )
    version_id = civitai.signed.get(request.one("X-Amz-Signature"))
    if version_id is None:
        return Reply(
            403,
            "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>",
            dict(_XML),
        )
    body = civitai.files.get(version_id)
    if body is None:
        return Reply(404, "<Error><Code>NoSuchKey</Code></Error>", dict(_XML))
    name = request.path.rpartition("/")[2]
    headers = {
        "Content-Type": "application/octet-stream",
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    if civitai.etags:
        headers["ETag"] = f'"{hashlib.md5(body).hexdigest()}"'  # noqa: S324
    if fault.whole:
        return Reply(200, body, headers)
    return _ranged(request, body, headers)


def _ranged(request: Seen, body: bytes, headers: dict[str, str]) -> Reply:
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    held = request.headers.get("if-range")
    if wanted is None or (held is not None and held != headers.get("ETag")):
        return Reply(200, body, headers)
    start = int(wanted[1])
    end = min(int(wanted[2] or len(body) - 1), len(body) - 1)
    if start >= len(body) or end < start:
        return Reply(416, b"", {**headers, "Content-Range": f"bytes */{len(body)}"})
    return Reply(
        206, body[start : end + 1], {**headers, "Content-Range": f"bytes {start}-{end}/{len(body)}"}
    )
