"""Download one card's file from a source, verify it and place it in the LoRA folder."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from stylus_ext.core.card import AdapterCard
from stylus_ext.core.errors import Cancelled, StoreProblem, StylusError
from stylus_ext.core.family import family_of
from stylus_ext.core.fetching import DownloadOffer, Fetched, NotFetched, called
from stylus_ext.core.file_names import stem_for
from stylus_ext.core.ports import Progress
from stylus_ext.downloads.folder import SUFFIX, LoraFolderWriter, hold_file
from stylus_ext.downloads.ledger import Budget, Ledger
from stylus_ext.downloads.part import PartFile, open_part, resumable_bytes
from stylus_ext.downloads.receive import (
    BAD_CONTENTS,
    ROUNDED,
    DownloadRequest,
    Receiver,
    check_whole,
)
from stylus_ext.downloads.sidecars import belongs_to_another, write_sidecars
from stylus_ext.net import HttpRefusal

logger = logging.getLogger(__name__)


Check = Callable[[], None]


class Source(Protocol):
    @property
    def name(self) -> str: ...

    def offer(self, card: AdapterCard, check: Check) -> DownloadOffer:
        """Return the file as the source offers it now."""
        ...

    def refused(self, refusal: HttpRefusal, card: AdapterCard) -> StylusError:
        """Return the error to raise for a refusal by this source."""
        ...


_MOST = 3
"""Attempts: one that resumes, one from the beginning, one for a file that changed meanwhile."""

Picture = Callable[[str, Path, Callable[[], None]], bool]


def no_picture(url: str, file: Path, check: Callable[[], None]) -> bool:  # noqa: ARG001
    return False


@dataclass(frozen=True, slots=True)
class FileDownloader:
    """The `Downloader` port over one source; thread-safe. `picture` writes a preview."""

    source: Source
    receiver: Receiver
    writer: LoraFolderWriter
    budget: Budget
    ledger: Ledger
    by_family: bool = False
    picture: Picture = no_picture

    def fetch(self, card: AdapterCard, progress: Progress) -> Fetched:
        return _DownloadTask(self, card, progress).run()


class _DownloadTask:
    """The download of one file: its offer, part file and progress."""

    def __init__(self, owner: FileDownloader, card: AdapterCard, progress: Progress) -> None:
        self._of, self._card, self._progress = owner, card, progress
        self._what = called(card)
        self._step, self._total = f"Asking for {card.name}", 0
        self._part: PartFile | None = None
        self._waiting = owner.receiver.waiting_time(self._what)

    def run(self) -> Fetched:
        offer = self._offered()
        here = self._here(offer)
        if here is not None:
            return here
        with hold_file(self._of.writer.lock(self._identity(offer)), self._check, self._waits):
            here = self._here(offer)  # another WebUI may have fetched it while we waited
            return here or self._fetched(offer)

    def _check(self) -> None:
        self._progress.report(self._step, self._part.size if self._part else 0, self._total or None)

    def _check_online(self) -> None:
        """The check while a server is waited for."""
        self._check()
        self._waiting.check(self._part.size if self._part else 0)

    def _offer(self) -> DownloadOffer:
        self._waiting.rest()
        return self._of.source.offer(self._card, self._check_online)

    def _waits(self) -> None:
        self._step = f"Waiting for another WebUI that fetches {self._card.name}"

    def _offered(self) -> DownloadOffer:
        offer = self._offer()
        caps = self._of.budget.caps()
        if offer.scanned is False:
            raise NotFetched(
                "unsound",
                f"{self._what} was not fetched: the scanners of {self._of.source.name} reject it.",
            )
        unknown = caps.too_unknown(offer.sha256)
        if unknown:
            raise NotFetched(
                "unhashed",
                f"{self._what} was not fetched: {unknown} (--unhashed takes it nevertheless).",
            )
        return offer

    def _here(self, offer: DownloadOffer) -> Fetched | None:
        """Return the file if it is in one of the host's folders already, under any name."""
        path = (
            self._of.writer.holding(offer.sha256, offer.size, self._check)
            if offer.sha256
            else self._fetched_before(offer)
        )
        if path is None:
            return None
        return Fetched(
            self._card.key,
            str(path),
            path.name.removesuffix(path.suffix),
            offer.sha256,
            0,
            new=False,
            type=self._card.type,
        )

    def _fetched_before(self, offer: DownloadOffer) -> Path | None:
        """Find our own earlier download of a card whose source states no hash."""
        for own in self._of.ledger.own():
            if (
                own.key == str(self._card.key)
                and (not offer.size or abs(own.size - offer.size) <= ROUNDED)
                and self._of.writer.has(Path(own.path))
            ):
                return Path(own.path)
        return None

    def _identity(self, offer: DownloadOffer) -> str:
        key = self._card.key
        return offer.sha256[:24] if offer.sha256 else f"{key.scheme}-{key.value[:40]}"

    def _fetched(self, offer: DownloadOffer) -> Fetched:
        family = family_of(self._card.base_model)
        folder = self._of.writer.inside(family if self._of.by_family else "")
        with self._of.budget.room(
            folder, offer.size, self._what, resumable_bytes(folder, self._identity(offer))
        ) as room:
            self._of.writer.sweep(folder)
            part = open_part(folder, self._identity(offer), offer.sha256, self._check)
            self._step, self._total, self._part = f"Fetching {self._card.name}", offer.size, part

            def follow(size: int) -> None:
                self._of.budget.follow(room, folder, size, self._what)

            order = DownloadRequest(
                offer.url, self._what, offer.size, offer.sha256, follow, self._check_online
            )
            try:
                offer = self._received(order, part, offer)
                part.sync()
                part.close()
                self._of.ledger.placing(part.path, str(self._card.key), part.size, part.sha256)
                path = self._placed(part, folder)
            except BaseException as error:
                part.close()
                if isinstance(error, NotFetched) or not part.size:
                    part.drop()
                raise
            part.drop()
        self._of.ledger.write(path, str(self._card.key), part.size, part.sha256)
        self._dress(path, family, part.sha256, offer)
        return Fetched(
            self._card.key,
            str(path),
            path.name.removesuffix(SUFFIX),
            part.sha256,
            part.size,
            new=True,
            type=self._card.type,
        )

    def _received(
        self, order: DownloadRequest, part: PartFile, offer: DownloadOffer
    ) -> DownloadOffer:
        """Download and verify; start over if the file was resumed or has changed."""
        for _ in range(_MOST):
            try:
                if not part.is_whole:
                    self._waiting.rest()
                    self._of.receiver(order, part)
                return self._verified(part, offer)
            except HttpRefusal as refusal:
                raise self._of.source.refused(refusal, self._card) from refusal
            except _Changed as changed:
                if not part.joined and changed.offer.sha256 == offer.sha256:
                    break
                offer = changed.offer
                order = replace(order, url=offer.url, size=offer.size, sha256=offer.sha256)
            except NotFetched as error:
                if not part.joined or error.code not in BAD_CONTENTS:
                    raise
            logger.info("%s is downloaded again from the beginning", self._card.key)
            part.clear(offer.sha256)
        message = (
            f"{self._what} does not match the SHA256 stated by {self._of.source.name};"
            " nothing was kept. Try again later."
        )
        raise NotFetched("wrong_hash", message)

    def _verified(self, part: PartFile, offer: DownloadOffer) -> DownloadOffer:
        """Check the part against the offer, else against a newer one; return the match."""
        check_whole(part.path, part.size, self._what)
        if not offer.sha256:
            if offer.size and abs(part.size - offer.size) > ROUNDED:
                raise NotFetched(
                    "wrong_size",
                    f"{self._what} differs in size from what {self._of.source.name} states;"
                    " nothing was kept.",
                )
            return offer
        if part.sha256 == offer.sha256:
            return offer
        newest = self._offer()
        if newest.sha256 == part.sha256:
            return newest
        raise _Changed(newest)

    def _placed(self, part: PartFile, folder: Path) -> Path:
        remote = self._card.remote

        def wanted(taken: Collection[str]) -> str:
            used = set(taken)
            while True:
                stem = stem_for(remote.name if remote else "", self._card.name, used)
                if not belongs_to_another(folder / f"{stem}{SUFFIX}", self._card, part.sha256):
                    return stem
                used.add(stem)

        return self._of.writer.place(part.path, folder, wanted, self._check)

    def _dress(self, path: Path, family: str, sha256: str, offer: DownloadOffer) -> None:
        """Write sidecars and preview; a failure is logged, since the file is in place."""
        try:
            write_sidecars(path, self._card, family, sha256, offer.about)
            self._step = f"Fetching the preview of {self._card.name}"
            self._of.picture(self._card.preview, path, self._check)
        except (Cancelled, StoreProblem) as error:
            logger.warning(
                "%s was downloaded to %s, but its side files are incomplete: %s",
                self._card.key,
                path.name,
                error,
            )


class _Changed(StylusError):
    """The received file matches neither the old offer nor the newest one."""

    def __init__(self, offer: DownloadOffer) -> None:
        super().__init__("It has changed.")
        self.offer = offer
