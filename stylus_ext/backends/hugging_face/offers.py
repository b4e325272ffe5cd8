"""`Source` over the hub: a card goes in; its file, as it lies in the commit that the card names,
comes out as an offer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from stylus_ext.backends.http import Refusal
from stylus_ext.backends.hugging_face.client import Hub
from stylus_ext.backends.hugging_face.files import HubFile, hub_file
from stylus_ext.backends.hugging_face.places import MAIN, Place
from stylus_ext.backends.hugging_face.refusals import Missing, refused
from stylus_ext.backends.statements.values import name, table
from stylus_ext.core.card import AdapterCard
from stylus_ext.core.errors import StylusError
from stylus_ext.core.fetching import NotFetched, Offer, called
from stylus_ext.core.sources import Check

_SOUND, _UNSOUND = ("safe",), ("unsafe", "suspicious", "infected")


@dataclass(frozen=True, slots=True)
class HubSource:
    """Asked for each file just before it is fetched."""

    hub: Hub
    name: str = "Hugging Face"

    @staticmethod
    def has(card: AdapterCard) -> bool:
        return card.remote is not None and Place.of(card.remote.url) is not None

    def offer(self, card: AdapterCard, check: Check) -> Offer:
        """Where the history was rewritten, the same file may still lie where it lay; another one is
        not what was asked for.
        """
        stated = Place.of(card.remote.url) if card.remote is not None else None
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
                return Offer(
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
        raise Missing(f"Hugging Face does not have the file of {called(card)} any more.")

    def refused(self, refusal: Refusal, card: AdapterCard) -> StylusError:
        return refused(refusal, called(card), has_key=self.hub.has_key)

    @staticmethod
    def _is_it(file: HubFile, card: AdapterCard) -> bool:
        return card.remote is None or not card.remote.sha256 or file.sha256 == card.remote.sha256


def _scanned(status: object) -> bool | None:
    said = name(table(status).get("status")).casefold()
    return True if said in _SOUND else False if said in _UNSOUND else None
