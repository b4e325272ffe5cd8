"""A service that behaves like Hugging Face: the hub and the storage that its files come from, two
origins of loopback.
"""

from __future__ import annotations

from tests.hub_service.service import HubService, serving
from tests.hub_service.shapes import COMMIT, Repo, a_readme, a_repo

__all__ = ["COMMIT", "HubService", "Repo", "a_readme", "a_repo", "serving"]
