"""Hugging Face as a source: its API, cards and offers of files.

A card's key is the SHA256 of the file in the hub's large file storage. Its address names the
commit, so that a later download gets the file that the card describes.
"""

from __future__ import annotations

from stylus_ext.catalogue.sources.hugging_face.catalogue import HubCatalogue, HubSource
from stylus_ext.catalogue.sources.hugging_face.client import HUB_KEY, HubClient
from stylus_ext.catalogue.sources.hugging_face.files import HubLocation

__all__ = ["HUB_KEY", "HubCatalogue", "HubClient", "HubLocation", "HubSource"]
