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
from stylus_ext.core.adapter_type import EMBEDDING, LORA, TYPE_NAMES
from stylus_ext.core.card import AdapterCard, AdapterKey
from stylus_ext.core.entry import Entry
from stylus_ext.core.errors import InvalidInput, Note, StoreProblem
from stylus_ext.core.fetching import MB, Caps, Fetched, FetchPolicy, NotFetched, called
from stylus_ext.core.ports import Progress
from stylus_ext.core.settings import DownloadSettings
from stylus_ext.core.sources import Memory
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
from stylus_ext.engine.probes import ProbePreviews
from stylus_ext.engine.requests import PlanningInput
from stylus_ext.engine.services import CivitaiAccess, HuggingFaceAccess
from stylus_ext.net import Http
from stylus_ext.net.thumbnails import KeptPictures, RemotePictures, Thumbnails

logger = logging.getLogger(__name__)

_CONSENT, _ALLOWED = "card_pictures", "allowed"
_GB = 1024 * MB
OFF = (
    'Downloads are off. Switch them on with --download, in settings.json ({"downloads":'
    ' {"download": true}}) or on the WebUI\'s settings page.'
)
_NO_FOLDER = (
    "Only LoRAs on disk were considered: this engine does not see the folder to fetch into."
)
_PICTURES_OFF = (
    "Pictures of adapters that are not on disk are not fetched. Allow it with `--thumbnails` or on"
    " the settings page."
)


@dataclass(frozen=True, slots=True)
class _AnySource:
    """Fetches a card's file from Hugging Face if the card names one there, else from Civitai.

    Each has a downloader by type of adapter, where there is a folder for the type.
    """

    civitai: Mapping[str, FileDownloader]
    hugging_face: Mapping[str, FileDownloader]

    def fetch(self, card: AdapterCard, progress: Progress) -> Fetched:
        by_type = self.hugging_face if HubSource.has(card) else self.civitai
        downloader = by_type.get(card.type)
        if downloader is None:
            raise NotFetched(
                "no_folder",
                f"{called(card)} was not fetched: no folder for it ({TYPE_NAMES[card.type]}) is"
                " known.",
            )
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
        resolve: Callable[[Iterable[AdapterKey]], Mapping[AdapterKey, AdapterKey]],
    ) -> None:
        """`resolve` returns the present keys of merged adapters."""
        self._resolve = resolve
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

    def policy(self, request: PlanningInput) -> tuple[FetchPolicy | None, list[Note]]:
        """What the plan may pick beyond the files on disk, with notes.

        `without` in the request: fetching is over, and these files did not arrive.
        """
        if not request.downloads:
            return None, []
        if not self.on:
            return None, [Note("downloads_off", f"Only LoRAs on disk were considered. {OFF}")]
        if request.inventory is not None or not request.lora_dirs:
            return None, [Note("downloads_off", _NO_FOLDER)]
        if request.without is None:
            return FetchPolicy(self.caps()), []
        failed = frozenset(AdapterKey.parse(file.key) for file in request.without)
        notes = [Note("not_fetched", file.text) for file in request.without]
        return FetchPolicy(None, failed), notes

    def note_use(self, keys: Iterable[AdapterKey]) -> None:
        """Records that a plan uses these adapters, once a day for each; failures are logged."""
        now = time.monotonic()
        new = {key for key in keys if now - self._noted.get(key, -DAY_S) >= DAY_S}
        if new:
            self._noted.update(dict.fromkeys(new, now))
            try:
                self.ledger.used(self.ledger_keys(new))
            except StoreProblem as error:
                logger.warning("the use of fetched files was not recorded: %s", error)

    def ledger_keys(self, keys: Collection[AdapterKey]) -> set[str]:
        """The ledger's keys of these adapters: an entry may have been merged with another since
        its file was fetched.
        """
        own = {AdapterKey.parse(file.key) for file in self.ledger.own()}
        merged = self._resolve(own)
        return {str(key) for key in own if merged.get(key, key) in keys}

    @contextmanager
    def downloader(
        self,
        folders: Mapping[str, Sequence[str]],
        file_names: Callable[[], Collection[str]],
        hashes: Callable[[], Mapping[str, str]],
    ) -> Iterator[_AnySource]:
        """Fetches into the first folder of a type; what lies in any of them is not fetched again.

        Hypernetworks are pickles and are not fetched.
        """
        writers = {
            name: LoraFolderWriter(Path(of_type[0]), tuple(map(Path, of_type[1:])), taken, hashes)
            for name, taken in ((LORA, file_names), (EMBEDDING, frozenset))
            if (of_type := folders.get(name))
        }
        pictures = RemotePictures(Thumbnails(edge=EDGE))

        def downloaders(source: Source, http: Http) -> dict[str, FileDownloader]:
            return {
                name: FileDownloader(
                    source,
                    Receiver(http),
                    writer,
                    self._budget,
                    self.ledger,
                    self.settings.by_family,
                    lambda url, file, check: write_preview(pictures, url, file, check),
                )
                for name, writer in writers.items()
            }

        with (
            closing(pictures),
            self._civitai.http() as civitai_http,
            self._hugging_face.http() as hub_http,
        ):
            civitai = CivitaiSource(self._civitai.client(civitai_http), self._civitai.has_key())
            hub = HubSource(self._hugging_face.client(hub_http))
            yield _AnySource(downloaders(civitai, civitai_http), downloaders(hub, hub_http))


class CardPictures:
    """Small pictures of adapters: made by a probe, else fetched if the user allows it.

    The settings allow it, or the user did in the tab; the latter is remembered.
    """

    def __init__(
        self, kept: KeptPictures, by_settings: bool, memory: Memory, previews: ProbePreviews
    ) -> None:
        self._kept = kept
        self._memory = memory
        self.by_settings = by_settings
        self.previews = previews
        self._allowed = memory.remembered(_CONSENT) == _ALLOWED

    @property
    def on(self) -> bool:
        return self.by_settings or self._allowed

    def allow(self, allowed: bool) -> None:
        self._memory.remember(_CONSENT, _ALLOWED if allowed else "")
        self._allowed = allowed

    def has(self, entry: Entry) -> bool:
        return (self.on and bool(entry.card.preview)) or self.previews.has(entry)

    def small(self, entry: Entry, check: Callable[[], None]) -> bytes:
        card = entry.card
        if self.previews.has(entry) and not (self.on and card.preview):
            return self.previews.small(entry)
        if not self.on:
            raise InvalidInput(_PICTURES_OFF)
        if not card.preview:
            raise InvalidInput(f"The card of {card.name[:80]!r} names no picture.")
        return self._kept.small(card.preview, check)

    def close(self) -> None:
        self._kept.close()
