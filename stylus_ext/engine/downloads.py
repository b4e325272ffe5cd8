"""The downloads service: the user's limits, the ledger of fetched files, and card pictures."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from stylus_ext.catalogue.refine.text import plain_lines
from stylus_ext.catalogue.sources.civitai import CivitaiSource
from stylus_ext.catalogue.sources.hugging_face import HubSource
from stylus_ext.core.card import AdapterCard, AdapterKey
from stylus_ext.core.errors import InvalidInput, StoreProblem
from stylus_ext.core.fetching import MB, Caps, Fetched
from stylus_ext.core.ports import Progress
from stylus_ext.core.settings import DownloadSettings
from stylus_ext.downloads import (
    DAY_S,
    Budget,
    FileDownloader,
    Ledger,
    LoraFolderWriter,
    Receiver,
    Source,
    write_preview,
)
from stylus_ext.downloads.sidecars import EDGE
from stylus_ext.engine.services import CivitaiAccess, HuggingFaceAccess
from stylus_ext.net import Http
from stylus_ext.net.thumbnails import KeptPictures, RemotePictures, Thumbnails

logger = logging.getLogger(__name__)

_GB = 1024 * MB
_PICTURES_OFF = (
    "Pictures of adapters that are not on disk are not fetched. Allow it with `--thumbnails` or on"
    " the settings page."
)


@dataclass(frozen=True, slots=True)
class _AnySource:
    """Fetches a card's file from Hugging Face if the card names one there, else from Civitai."""

    civitai: FileDownloader
    hugging_face: FileDownloader

    def fetch(self, card: AdapterCard, progress: Progress) -> Fetched:
        downloader = self.hugging_face if HubSource.has(card) else self.civitai
        # The sidecar file gets plain text: some hosts show it as HTML.
        text = "\n".join(plain_lines(card.text)).replace("<", "\u2039")
        return downloader.fetch(replace(card, text=text), progress)


class Downloads:
    def __init__(
        self,
        folder: Path,
        settings: DownloadSettings,
        civitai: CivitaiAccess,
        hugging_face: HuggingFaceAccess,
    ) -> None:
        self._civitai = civitai
        self._hugging_face = hugging_face
        self._noted: dict[AdapterKey, float] = {}
        self.settings = settings
        self.ledger = Ledger(folder)
        self._budget = Budget(
            largest=settings.largest_mb * MB,
            quota=self.quota,
            keep_free=self.keep_free,
            ledger=self.ledger,
            unhashed=settings.unhashed,
        )

    @property
    def on(self) -> bool:
        return self.settings.download

    @property
    def quota(self) -> int:
        """Bytes that fetched files may take in all."""
        return round(self.settings.quota_gb * _GB)

    @property
    def keep_free(self) -> int:
        """Bytes of the disk that stay free."""
        return round(self.settings.keep_free_gb * _GB)

    def caps(self) -> Caps:
        return self._budget.caps()

    def destinations(self) -> str:
        """Where files are fetched from, for the end of a sentence."""
        return f"{self._civitai.describe_files()} or {self._hugging_face.describe_files()}"

    def note_use(
        self,
        keys: Iterable[AdapterKey],
        ledger_keys: Callable[[Collection[AdapterKey]], Collection[str]],
    ) -> None:
        """Records that a plan uses these adapters, once a day for each.

        A failure is logged only. `ledger_keys` returns the ledger's keys of the fetched ones.
        """
        now = time.monotonic()
        new = {key for key in keys if now - self._noted.get(key, -DAY_S) >= DAY_S}
        if new:
            self._noted.update(dict.fromkeys(new, now))
            try:
                self.ledger.used(ledger_keys(new))
            except StoreProblem as error:
                logger.warning("the use of fetched files was not recorded: %s", error)

    @contextmanager
    def downloader(
        self,
        folders: Sequence[str],
        file_names: Callable[[], Collection[str]],
        hashes: Callable[[], Mapping[str, str]],
    ) -> Iterator[_AnySource]:
        """Fetches into the first folder; what lies in any of them is not fetched again."""
        first, *others = map(Path, folders)
        writer = LoraFolderWriter(first, tuple(others), file_names, hashes)
        pictures = RemotePictures(Thumbnails(edge=EDGE))

        def downloader(source: Source, http: Http) -> FileDownloader:
            return FileDownloader(
                source,
                Receiver(http),
                writer,
                self._budget,
                self.ledger,
                self.settings.by_family,
                lambda url, file, check: write_preview(pictures, url, file, check),
            )

        with (
            closing(pictures),
            self._civitai.http() as civitai_http,
            self._hugging_face.http() as hub_http,
        ):
            civitai = CivitaiSource(self._civitai.client(civitai_http), self._civitai.has_key())
            hub = HubSource(self._hugging_face.client(hub_http))
            yield _AnySource(downloader(civitai, civitai_http), downloader(hub, hub_http))


class CardPictures:
    """Small pictures of adapters that are not on disk, fetched only if the user allows it."""

    def __init__(self, kept: KeptPictures, on: bool) -> None:
        self._kept = kept
        self.on = on

    def has(self, card: AdapterCard) -> bool:
        return self.on and bool(card.preview)

    def small(self, card: AdapterCard, check: Callable[[], None]) -> bytes:
        if not self.on:
            raise InvalidInput(_PICTURES_OFF)
        if not card.preview:
            raise InvalidInput(f"The card of {card.name[:80]!r} names no picture.")
        return self._kept.small(card.preview, check)

    def close(self) -> None:
        self._kept.close()
