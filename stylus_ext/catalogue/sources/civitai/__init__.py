"""Civitai: searches, hashes and version ids go in; cards, offers of files and sentences for its
refusals come out.
"""

from __future__ import annotations

from stylus_ext.catalogue.sources.civitai.catalogue import CivitaiCatalogue, Offer, offer_of
from stylus_ext.catalogue.sources.civitai.client import CIVITAI_KEY, Civitai, download_refusal

__all__ = ["CIVITAI_KEY", "Civitai", "CivitaiCatalogue", "Offer", "download_refusal", "offer_of"]
