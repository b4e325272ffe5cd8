"""`RemoteCatalogue` over the hub: what is wanted goes in, pages of cards come out. It does not know
files by their hashes.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from stylus_ext.catalogue.sources.hugging_face.cards import cards_of, repository_of, withheld
from stylus_ext.catalogue.sources.hugging_face.client import Hub, HubNotFound, refused
from stylus_ext.catalogue.sources.hugging_face.files import (
    MAIN,
    NO_FILE,
    SUFFIX,
    HubFile,
    HubLocation,
    hub_file,
    loras,
)
from stylus_ext.core.card import AdapterCard
from stylus_ext.core.errors import StylusError
from stylus_ext.core.family import family_of, parse_family
from stylus_ext.core.fetching import DownloadOffer, NotFetched, called
from stylus_ext.core.sources import CataloguePage, Check, Identified, Wanted
from stylus_ext.net import HttpRefusal
from stylus_ext.net.values import name, rows, table, text

logger = logging.getLogger(__name__)


ON_A_PAGE = 20
"""So that a kill costs few requests: each repository that may be of use is two more."""
GONE, OTHER_BASE = "gone", "for another base model"
Json = Mapping[str, object]


class HubCatalogue:
    name = "Hugging Face"

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def checked(self, wanted: Wanted, check: Check) -> Wanted:  # noqa: ARG002
        """Families in place of base models: the hub's own names for those are those of thousands of
        repositories.
        """
        return replace(
            wanted,
            base_models=tuple(dict.fromkeys(map(parse_family, wanted.base_models))),
            examples=False,
        )

    def page(
        self, wanted: Wanted, cursor: str | None, left: int | None, check: Check
    ) -> CataloguePage:
        found = self._hub.models(_params(wanted, left), cursor, check)
        cards: dict[str, AdapterCard] = {}
        skipped: Counter[str] = Counter()
        for item in found.items[:left]:
            for one in self._read(item, wanted, check):
                if isinstance(one, AdapterCard):
                    cards.setdefault(str(one.key), one)
                else:
                    skipped[one] += 1
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

    def _read(self, item: Json, wanted: Wanted, check: Check) -> Iterable[AdapterCard | str]:
        repository = repository_of(item)
        reason = withheld(item, nsfw=wanted.nsfw, has_key=self._hub.has_key)
        if reason is not None or repository is None:
            return [reason or ""]
        names = [text(table(one).get("rfilename")).casefold() for one in rows(item.get("siblings"))]
        if names and not any(one.endswith(SUFFIX) for one in names):
            return [NO_FILE]
        try:
            files = loras(self._hub.files(repository.name, repository.revision, check))
        except HubNotFound as gone:
            logger.info("%s: %s", repository.name, gone)
            return [GONE]
        if isinstance(files, str):
            return [files]
        found = cards_of(
            repository, files, self._hub.readme(repository.name, repository.revision, check)
        )
        return [
            (
                card
                if not wanted.base_models or family_of(card.base_model) in wanted.base_models
                else OTHER_BASE
            )
            for card in found
        ]


def _params(wanted: Wanted, left: int | None) -> dict[str, str | Sequence[str]]:
    """Whoever looks for something gets all that is called a LoRA; a whole crawl leaves out those of
    language models from the start.
    """
    searched = bool(wanted.query or wanted.tag)
    params: dict[str, str | Sequence[str]] = {
        "filter": [
            "lora",
            *(() if searched else ("text-to-image",)),
            *((wanted.tag,) if wanted.tag else ()),
        ],
        "sort": "downloads" if wanted.top else "lastModified",
        "direction": "-1",
        "limit": str(ON_A_PAGE if left is None else min(ON_A_PAGE, left)),
    }
    if wanted.query:
        params["search"] = wanted.query
    return params


_SOUND, _UNSOUND = ("safe",), ("unsafe", "suspicious", "infected")


@dataclass(frozen=True, slots=True)
class HubSource:
    """Asked for each file just before it is fetched."""

    hub: Hub
    name: str = "Hugging Face"

    @staticmethod
    def has(card: AdapterCard) -> bool:
        return card.remote is not None and HubLocation.of(card.remote.url) is not None

    def offer(self, card: AdapterCard, check: Check) -> DownloadOffer:
        """Where the history was rewritten, the same file may still lie where it lay; another one is
        not what was asked for.
        """
        stated = HubLocation.of(card.remote.url) if card.remote is not None else None
        if stated is None:
            raise NotFetched(
                "no_source",
                f"{called(card)} is not known to Hugging Face, so there is nowhere to fetch it"
                " from.",
            )
        places = dict.fromkeys((stated, replace(stated, revision=MAIN)))
        changed = False
        for place in places:
            row = self.hub.file(place, called(card), check) or {}
            file = hub_file(row)
            if file is not None and self._is_it(file, card):
                return DownloadOffer(
                    PurePosixPath(file.path).name,
                    file.size,
                    file.sha256,
                    place.url(self.hub.origin),
                    _scanned(table(row.get("securityFileStatus"))),
                )
            changed = changed or file is not None
        if changed:
            raise NotFetched(
                "changed",
                f"{called(card)} is another file on Hugging Face now. Read its catalogue again with"
                " `catalogue sync --afresh`.",
            )
        raise HubNotFound(f"Hugging Face does not have the file of {called(card)} any more.")

    def refused(self, refusal: HttpRefusal, card: AdapterCard) -> StylusError:
        return refused(refusal, called(card), has_key=self.hub.has_key)

    @staticmethod
    def _is_it(file: HubFile, card: AdapterCard) -> bool:
        return card.remote is None or not card.remote.sha256 or file.sha256 == card.remote.sha256


def _scanned(status: object) -> bool | None:
    said = name(table(status).get("status")).casefold()
    return True if said in _SOUND else False if said in _UNSOUND else None
