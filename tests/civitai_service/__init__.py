"""A local Civitai, odd answers and failures included: two origins on loopback."""

from __future__ import annotations

from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService, serving
from tests.civitai_service.shapes import (
    a_file,
    a_made_picture,
    a_model,
    a_picture,
    a_version,
    hashes_of,
)
from tests.civitai_service.wire import Seen

__all__ = [
    "CivitaiService",
    "Fault",
    "Seen",
    "a_file",
    "a_made_picture",
    "a_model",
    "a_picture",
    "a_version",
    "hashes_of",
    "serving",
]
