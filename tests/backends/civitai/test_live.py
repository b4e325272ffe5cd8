"""The real Civitai, asked a few questions: whether it still answers as the local one does. Never run by default."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stylus_ext.backends.civitai import Civitai, CivitaiCatalogue
from stylus_ext.backends.http import Http, free
from stylus_ext.core.sources import Wanted

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def live() -> Iterator[Civitai]:
    http = Http(interval_s=1.0)
    yield Civitai(http)
    http.close()


def test_two_pages_have_cards_of_their_own(live: Civitai) -> None:
    catalogue = CivitaiCatalogue(live)
    wanted = catalogue.checked(Wanted(top=20, base_models=("sd 1.5",)), free)
    first = catalogue.page(wanted, None, 10, free)
    assert first.cards
    assert first.cursor
    second = catalogue.page(wanted, first.cursor, 10, free)
    assert not {card.key for card in first.cards} & {card.key for card in second.cards}
    assert all(card.base_model == "SD 1.5" and not card.nsfw and card.remote for card in first.cards)


def test_what_it_lists_it_knows_by_hash(live: Civitai) -> None:
    catalogue = CivitaiCatalogue(live)
    card = next(card for card in catalogue.page(Wanted(top=5), None, 5, free).cards if card.remote and card.remote.sha256)
    assert card.remote is not None
    found = catalogue.identify([card.remote.sha256 or ""], free).cards
    assert card.key in {one.key for one in found}


def test_its_pictures_have_prompts(live: Civitai) -> None:
    card = CivitaiCatalogue(live).page(Wanted(top=1), None, 1, free).cards[0]
    assert any("meta" in picture for picture in live.pictures(int(card.key.value), 5, free))
