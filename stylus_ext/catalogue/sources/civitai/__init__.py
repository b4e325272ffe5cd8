"""Civitai as a source: its API, cards and offers of files."""

from __future__ import annotations

from stylus_ext.catalogue.sources.civitai.catalogue import (
    CivitaiCatalogue,
    CivitaiOffer,
    CivitaiSource,
    offer_of,
)
from stylus_ext.catalogue.sources.civitai.client import CIVITAI_KEY, CivitaiClient, download_refusal

__all__ = [
    "CIVITAI_KEY",
    "CivitaiCatalogue",
    "CivitaiClient",
    "CivitaiOffer",
    "CivitaiSource",
    "download_refusal",
    "offer_of",
]
