"""Hugging Face as a remote catalogue: pages of cards, and offers of files.

The hub does not find files by their hashes.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from stylus_ext.catalogue.sources.common import Json, SourceNotFound
from stylus_ext.catalogue.sources.hugging_face.cards import (
    EMBEDDING_TAGS,
    UNREADABLE,
    cards_of,
    repository_of,
    skip_reason,
)
from stylus_ext.catalogue.sources.hugging_face.client import HubClient, hub_refusal
from stylus_ext.catalogue.sources.hugging_face.files import (
    MAIN,
    NO_FILE,
    SUFFIX,
    HubLocation,
    find_embeddings,
    find_loras,
    hub_file,
)
from stylus_ext.core.card import AdapterCard
from stylus_ext.core.errors import StylusError
from stylus_ext.core.family import family_of, listed_family
from stylus_ext.core.fetching import DownloadOffer, NotFetched, called
from stylus_ext.core.sources import CataloguePage, Check, Identified, Wanted
from stylus_ext.net import HttpRefusal
from stylus_ext.net.values import name, rows, table, text

logger = logging.getLogger(__name__)

PAGE_SIZE = 20
"""Small, so that a killed crawl repeats few requests: a repository costs two more."""
GONE, OTHER_BASE = "gone", "for another base model"

_SAFE, _UNSAFE = ("safe",), ("unsafe", "suspicious", "infected")


class HubCatalogue:
    """Implements `RemoteCatalogue`."""

    name = "Hugging Face"

    def __init__(self, hub: HubClient) -> None:
        self._hub = hub

    def checked(self, wanted: Wanted, check: Check) -> Wanted:  # noqa: ARG002
        """Families instead of base models, which have thousands of names on the hub."""
        families = dict.fromkeys(map(listed_family, wanted.base_models))
        return replace(wanted, base_models=tuple(families), examples=False)

    def page(
        self, wanted: Wanted, cursor: str | None, left: int | None, check: Check
    ) -> CataloguePage:
        found = self._hub.models(_params(wanted, left), cursor, check)
        cards: dict[str, AdapterCard] = {}
        skipped: Counter[str] = Counter()
        for item in found.items[:left]:
            for result in self._cards(item, wanted, check):
                if isinstance(result, AdapterCard):
                    cards.setdefault(str(result.key), result)
                else:
                    skipped[result] += 1
            check()
        return CataloguePage(
            cards=tuple(cards.values()),
            models=len(found.items[:left]),
            skipped=dict(skipped),
            cursor=found.cursor,
            newest=max((text(item.get("lastModified"))[:40] for item in found.items), default=""),
        )

    def identify(self, sha256s: Sequence[str], check: Check) -> Identified:  # noqa: ARG002
        return Identified(())

    def identify_tensors(self, auto_v3s: Mapping[str, str], check: Check) -> Identified:  # noqa: ARG002
        return Identified(())

    def _cards(self, item: Json, wanted: Wanted, check: Check) -> Iterable[AdapterCard | str]:
        """The cards of a repository, or the reasons for none."""
        repository = repository_of(item)
        reason = skip_reason(item, nsfw=wanted.nsfw, has_key=self._hub.has_key)
        if reason is not None or repository is None:
            return [reason or UNREADABLE]
        paths = [text(table(sibling).get("rfilename")) for sibling in rows(item.get("siblings"))]
        if paths and not any(path.casefold().endswith(SUFFIX) for path in paths):
            return [NO_FILE]
        find = find_embeddings if repository.has_embeddings else find_loras
        try:
            files = find(self._hub.files(repository.name, repository.revision, check))
        except SourceNotFound as error:
            logger.info("%s: %s", repository.name, error)
            return [GONE]
        if isinstance(files, str):
            return [files]
        readme = self._hub.readme(repository.name, repository.revision, check)
        families = wanted.base_models
        return [
            card if not families or family_of(card.base_model) in families else OTHER_BASE
            for card in cards_of(repository, files, readme)
        ]


def _params(wanted: Wanted, left: int | None) -> dict[str, str | Sequence[str]]:
    """A search returns all LoRAs; a whole crawl leaves out those of language models.

    The hub's tag of textual inversions returns those in place of LoRAs.
    """
    searched = bool(wanted.query or wanted.tag)
    params: dict[str, str | Sequence[str]] = {
        "filter": [
            *(() if wanted.tag.casefold() in EMBEDDING_TAGS else ("lora",)),
            *(() if searched else ("text-to-image",)),
            *((wanted.tag,) if wanted.tag else ()),
        ],
        "sort": "downloads" if wanted.top else "lastModified",
        "direction": "-1",
        "limit": str(PAGE_SIZE if left is None else min(PAGE_SIZE, left)),
    }
    if wanted.query:
        params["search"] = wanted.query
    return params


@dataclass(frozen=True, slots=True)
class HubSource:
    """Offers of files, requested just before each download."""

    hub: HubClient
    name: str = "Hugging Face"

    @staticmethod
    def has(card: AdapterCard) -> bool:
        return card.remote is not None and HubLocation.of(card.remote.url) is not None

    def offer(self, card: AdapterCard, check: Check) -> DownloadOffer:
        """The card's file at its commit, else the same file on the main branch."""
        stated = HubLocation.of(card.remote.url) if card.remote is not None else None
        if card.remote is None or stated is None:
            raise NotFetched(
                "no_source",
                f"{called(card)} is not known to Hugging Face, so it cannot be downloaded there.",
            )
        changed = False
        for location in dict.fromkeys((stated, replace(stated, revision=MAIN))):
            row = self.hub.file(location, called(card), check) or {}
            file = hub_file(row)
            if file is None:
                continue
            if card.remote.sha256 in (None, "", file.sha256):
                return DownloadOffer(
                    PurePosixPath(file.path).name,
                    file.size,
                    file.sha256,
                    location.url(self.hub.origin),
                    _scan_result(table(row.get("securityFileStatus"))),
                )
            changed = True
        if changed:
            raise NotFetched(
                "changed",
                f"{called(card)} is another file on Hugging Face now. Run `catalogue sync"
                " --afresh`.",
            )
        raise SourceNotFound(f"Hugging Face no longer has the file of {called(card)}.")

    def refused(self, refusal: HttpRefusal, card: AdapterCard) -> StylusError:
        return hub_refusal(refusal, called(card), has_key=self.hub.has_key)


def _scan_result(status: Json) -> bool | None:
    word = name(status.get("status")).casefold()
    return True if word in _SAFE else False if word in _UNSAFE else None
