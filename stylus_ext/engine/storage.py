"""What was fetched and lies on disk: nothing goes in; files with size and last use, and how much
may still come, come out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.fetching import MB
from stylus_ext.core.ports import Progress

if TYPE_CHECKING:  # with it come all back ends, which a command that attaches does not need
    from stylus_ext.app.wiring_stylus import Stylus

_GB = 1024 * MB


def storage(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:  # noqa: ARG001
    """Times in seconds since 1970; the longest unused first."""
    downloads = stylus.downloads
    own, last = downloads.ledger.own(), downloads.ledger.last_use()
    entries = stylus.store.read({AdapterKey.parse(one.key) for one in own})
    files = [
        {
            "key": one.key,
            "name": entry.card.name if (entry := entries.get(AdapterKey.parse(one.key))) else "",
            "path": one.path,
            "size": one.size,
            "fetched": one.at,
            "used": last.get(one.key, one.at),
            "state": entry.edits.state if entry else "auto",
        }
        for one in own
    ]
    return {
        "on": downloads.on,
        "files": sorted(files, key=lambda one: (one["used"], one["path"])),
        "used": sum(one.size for one in own),
        "quota": round(downloads.rules.quota_gb * _GB),
        "left": downloads.caps().left,
        "keep_free": round(downloads.rules.keep_free_gb * _GB),
    }
