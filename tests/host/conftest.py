from __future__ import annotations

from tests.host.double.fixtures import stage
from tests.host.downloads import civitai, process, scene

__all__ = ["civitai", "process", "scene", "stage"]
