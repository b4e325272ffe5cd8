"""Downloads: a card goes in; its file, verified, under a name of our own, comes out."""

from __future__ import annotations

from stylus_ext.backends.download.budget import Budget
from stylus_ext.backends.download.discard import discard
from stylus_ext.backends.download.downloader import FileDownloader
from stylus_ext.backends.download.ledger import DAY_S, Ledger, Own
from stylus_ext.backends.download.previews import write_preview
from stylus_ext.backends.download.receive import Receiver
from stylus_ext.backends.download.shelf import Shelf
from stylus_ext.backends.download.source import Source

__all__ = [
    "DAY_S",
    "Budget",
    "FileDownloader",
    "Ledger",
    "Own",
    "Receiver",
    "Shelf",
    "Source",
    "discard",
    "write_preview",
]
