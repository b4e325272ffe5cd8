"""Downloads are wired here: Civitai and Hugging Face as sources of files, a LoRA folder, the user's
limits; a downloader comes out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

from stylus_ext.app.wiring_civitai import CivitaiAccess
from stylus_ext.app.wiring_hugging_face import HuggingFaceAccess
from stylus_ext.backends.civitai import Civitai, download_refusal, offer_of
from stylus_ext.backends.download import (
    DAY_S,
    Budget,
    FileDownloader,
    Ledger,
    Receiver,
    Shelf,
    Source,
    discard,
    write_preview,
)
from stylus_ext.backends.download.previews import EDGE
from stylus_ext.backends.http import Http, Refusal
from stylus_ext.backends.hugging_face import Hub, HubSource
from stylus_ext.backends.refiners.html_text import plain_lines
from stylus_ext.backends.thumbnails import RemotePictures, Thumbnails
from stylus_ext.core.card import AdapterCard, AdapterKey
from stylus_ext.core.errors import StoreProblem, StylusError
from stylus_ext.core.fetching import (
    MB,
    Caps,
    Discarded,
    Fetched,
    NotFetched,
    Offer,
    called,
    version_of,
)
from stylus_ext.core.ports import Progress
from stylus_ext.core.settings import Downloads as Rules
from stylus_ext.core.sources import Check

logger = logging.getLogger(__name__)

_GB = 1024 * MB


def _now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True, slots=True)
class CivitaiSource:
    """`Source` over Civitai: asked for each file just before it is fetched."""

    civitai: Civitai
    has_key: bool
    now: Callable[[], datetime] = _now
    name: str = "Civitai"

    def offer(self, card: AdapterCard, check: Check) -> Offer:
        version = version_of(card)
        if version is None:
            raise NotFetched(
                "no_source",
                f"{called(card)} is not known to Civitai, so there is nowhere to fetch it from.",
            )
        found = offer_of(self.civitai, version, self.now(), check)
        if found.early_until is not None:
            until = found.early_until.date().isoformat()
            raise NotFetched(
                "early_access",
                f"{called(card)} is in early access until {until}: whoever wants it sooner pays for"
                " it on Civitai.",
            )
        return Offer(found.file, found.size, found.sha256, found.url, found.scanned, found.stated)

    def refused(self, refusal: Refusal, card: AdapterCard) -> StylusError:
        return download_refusal(refusal, called(card), has_key=self.has_key)


@dataclass(frozen=True, slots=True)
class FromWhereItIs:
    """A downloader for each card: Hugging Face's where the card names a file there, else
    Civitai's.
    """

    civitai: FileDownloader
    hugging_face: FileDownloader

    def fetch(self, card: AdapterCard, progress: Progress) -> Fetched:
        return (self.hugging_face if HubSource.has(card) else self.civitai).fetch(
            in_plain_text(card), progress
        )


def in_plain_text(card: AdapterCard) -> AdapterCard:
    """As it is told beside the file: hosts show that to people, and some of them as HTML."""
    return replace(card, text="\n".join(plain_lines(card.text)).replace("<", "\u2039"))


@dataclass(frozen=True)
class Downloads:
    """What an engine knows of downloads: the rules of its owner, and how much its own have
    taken.
    """

    folder: Path
    rules: Rules
    access: CivitaiAccess
    hub: HuggingFaceAccess
    budget: Budget = field(init=False)
    ledger: Ledger = field(init=False)
    noted: dict[AdapterKey, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ledger", Ledger(self.folder))
        budget = Budget(
            largest=self.rules.largest_mb * MB,
            quota=round(self.rules.quota_gb * _GB),
            keep_free=round(self.rules.keep_free_gb * _GB),
            ledger=self.ledger,
            unhashed=self.rules.unhashed,
        )
        object.__setattr__(self, "budget", budget)

    @property
    def on(self) -> bool:
        return self.rules.download

    def caps(self) -> Caps:
        return self.budget.caps()

    def note_use(
        self, keys: Iterable[AdapterKey], ours: Callable[[Collection[AdapterKey]], Collection[str]]
    ) -> None:
        """What a plan has picked, and the ledger's names of it; asked once a day for each, and no
        reason for a plan to fail.
        """
        now = time.monotonic()
        fresh = {key for key in keys if now - self.noted.get(key, -DAY_S) >= DAY_S}
        if fresh:
            self.noted.update(dict.fromkeys(fresh, now))
            try:
                self.ledger.used(ours(fresh))
            except StoreProblem as error:
                logger.warning("it was not written down which fetched files are in use: %s", error)

    def discard(
        self,
        favourites: Collection[str],
        days: int,
        check: Check,
        *,
        dry_run: bool = False,
        only: Collection[str] | None = None,
    ) -> list[Discarded]:
        return list(discard(self.ledger, favourites, days, check, dry_run=dry_run, only=only))

    @contextmanager
    def into(
        self,
        folders: Sequence[str],
        names: Callable[[], Collection[str]],
        hashes: Callable[[], Mapping[str, str]],
    ) -> Iterator[FromWhereItIs]:
        """A downloader into the first of these folders, which lie in one host. Open while files are
        fetched.
        """
        first, *others = map(Path, folders)
        shelf, pictures = (
            Shelf(first, tuple(others), names, hashes),
            RemotePictures(Thumbnails(edge=EDGE)),
        )

        def over(source: Source, http: Http) -> FileDownloader:
            return FileDownloader(
                source,
                Receiver(http),
                shelf,
                self.budget,
                self.ledger,
                self.rules.by_family,
                lambda url, file, check: write_preview(pictures, url, file, check),
            )

        with closing(pictures), self.access.http() as http, self.hub.http() as hub:
            civitai = CivitaiSource(
                Civitai(http, self.access.url, self.access.key_url), self.access.has_key()
            )
            yield FromWhereItIs(
                over(civitai, http),
                over(HubSource(Hub(hub, self.hub.url, has_key=self.hub.has_key())), hub),
            )


@dataclass(frozen=True, slots=True)
class _OneAddress:
    """A source of one file, whichever card is asked for."""

    url: str
    size: int
    sha256: str
    name: str = "the address"

    def offer(self, card: AdapterCard, check: Check) -> Offer:  # noqa: ARG002
        return Offer("", self.size, self.sha256, self.url, scanned=True)

    def refused(self, refusal: Refusal, card: AdapterCard) -> StylusError:  # noqa: ARG002
        return refusal


@contextmanager
def one_address(url: str, size: int, sha256: str, folder: Path) -> Iterator[FileDownloader]:
    """A downloader of what lies at one address, such as a measured one, into `folder`."""
    ledger, http = Ledger(folder), Http()
    try:
        yield FileDownloader(
            _OneAddress(url, size, sha256),
            Receiver(http),
            Shelf(folder),
            Budget(size + MB, size + MB, 0, ledger),
            ledger,
        )
    finally:
        http.close()
