"""Download an adapter's file: offer, part file, verification, placement, ledger."""

from __future__ import annotations

from stylus_ext.downloads.downloader import FileDownloader, Source
from stylus_ext.downloads.folder import LoraFolderWriter
from stylus_ext.downloads.ledger import DAY_S, Budget, Ledger, LedgerFile, discard
from stylus_ext.downloads.receive import Receiver
from stylus_ext.downloads.sidecars import write_preview

__all__ = [
    "DAY_S",
    "Budget",
    "FileDownloader",
    "Ledger",
    "LedgerFile",
    "Receiver",
    "LoraFolderWriter",
    "Source",
    "discard",
    "write_preview",
]
