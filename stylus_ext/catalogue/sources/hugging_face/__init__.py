"""Hugging Face: searches and cards go in; cards, offers of files and sentences for its refusals
come out.

A card's key is `sha256:` with the hash that the hub's large file storage has of the file. Its
address names the commit, so that what is fetched later is what the card speaks of, whatever the
repository's owner has put there meanwhile.
"""

from __future__ import annotations

from stylus_ext.catalogue.sources.hugging_face.catalogue import HubCatalogue, HubSource
from stylus_ext.catalogue.sources.hugging_face.client import HUB_KEY, Hub
from stylus_ext.catalogue.sources.hugging_face.files import HubLocation

__all__ = ["HUB_KEY", "Hub", "HubCatalogue", "HubSource", "HubLocation"]
