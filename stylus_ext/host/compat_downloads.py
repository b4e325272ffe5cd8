"""What only a generation that fetches needs of the host: its list of LoRAs made anew, its Skip
button, and who pressed Generate.

In: nothing, or the host's own objects. Out: plain values. As in `compat`, each difference names its
version.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from types import FrameType
from typing import Any

from modules import shared

from stylus_ext.host import compat
from stylus_ext.host.compat import Request

logger = logging.getLogger(__name__)

_GENERATING = frozenset({"txt2img", "img2img", "txt2img_upscale"})
_SUFFIX = "_function"  # of Forge and reForge, in the thread that makes the pictures


def list_anew(stems: Iterable[str]) -> None:
    """Has the host look into its folders if it does not list these yet.

    Called where pictures are made (HOST.md e): the host empties its list first, and must not be
    just reading it.
    """
    module = compat.networks()
    listing = getattr(module, "list_available_networks", None)
    files = getattr(module, "available_networks", None) or {}
    if listing is None or all(stem in files for stem in stems):
        return
    try:
        listing()
    except OSError as error:  # a folder that is gone, or a file that is being written
        logger.warning("the host could not list its LoRAs anew: %s", error)


def skipped() -> bool:
    return bool(getattr(shared.state, "skipped", False))


def forget_skip() -> None:
    """One that was pressed before this wait was meant for something else; the host itself forgets
    it with every batch.
    """
    shared.state.skipped = False


def at_work() -> bool:
    """Whether the host is making pictures, or about to."""
    return bool(getattr(shared.state, "job", ""))


def refusal(p: Any, kind: str = "download") -> str:
    """Why this generation may not do that (fetch, or spend), or nothing: the guard stands before
    the page and before the API.
    """
    from stylus_ext.host.guard import Guard

    over_api = bool(getattr(p, "is_api", False))
    request = None if over_api else asked_by()
    guard = Guard(compat.flags())
    return (guard.at_door(kind, over_api) if request is None else guard.allows(kind, request)) or ""


def asked_by() -> Any | None:
    """The request of the page that wants this picture. The hosts pass it no further than their own
    function, which is on the stack; an API call has none there.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name.removesuffix(_SUFFIX) in _GENERATING:
            found = frame.f_locals.get("request")
            if isinstance(found, Request):
                return found
        frame = frame.f_back
    return None
