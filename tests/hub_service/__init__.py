"""A local Hugging Face: the hub and its file storage, two origins on loopback."""

from __future__ import annotations

from tests.hub_service.service import HubService, serving
from tests.hub_service.shapes import COMMIT, Repo, a_readme, a_repo

__all__ = ["COMMIT", "HubService", "Repo", "a_readme", "a_repo", "serving"]
