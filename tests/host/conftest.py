from __future__ import annotations

from tests.host.double.fixtures import stage

__all__ = ["stage"]
