"""Civitai: searches, hashes and version ids go in; cards, offers of files and sentences for its
refusals come out.
"""

from __future__ import annotations

from stylus_ext.catalogue.sources.civitai.catalogue import CivitaiCatalogue, CivitaiOffer, offer_of
from stylus_ext.catalogue.sources.civitai.client import CIVITAI_KEY, CivitaiClient, download_refusal

__all__ = [
    "CIVITAI_KEY",
    "CivitaiClient",
    "CivitaiCatalogue",
    "CivitaiOffer",
    "download_refusal",
    "offer_of",
]
