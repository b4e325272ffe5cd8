"""The real hub, asked a handful of things: whether it still answers as the local one does. Never run by default."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stylus_ext.backends.http import Http, free
from stylus_ext.backends.hugging_face import Hub, HubCatalogue, HubSource
from stylus_ext.core.sources import Wanted

pytestmark = pytest.mark.network


@pytest.fixture
def hub() -> Iterator[Hub]:
    http = Http(interval_s=1.0)
    yield Hub(http)
    http.close()


def test_two_pages_hold_different_repositories(hub: Hub) -> None:
    params = {"filter": ["lora", "text-to-image"], "sort": "downloads", "direction": "-1", "limit": "2"}
    first = hub.models(params, None, free)
    second = hub.models(params, first.cursor, free)
    assert len({item["id"] for item in (*first.items, *second.items)}) == 4


def test_a_card_and_the_offer_of_its_file(hub: Hub) -> None:
    page = HubCatalogue(hub).page(Wanted(top=3), None, 3, free)
    assert page.models == 3
    for card in page.cards[:1]:
        assert card.remote is not None
        assert HubSource(hub).offer(card, free).sha256 == card.remote.sha256
