"""The real hub, asked a handful of things: whether it still answers as the local one does. Never
run by default.

Each question is put to the local one as well, so that it is right itself when it is put to the real
one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from stylus_ext.catalogue.sources.hugging_face import HubCatalogue, HubClient, HubSource
from stylus_ext.core.sources import Wanted
from stylus_ext.net import Http, no_check
from tests.hub_service.service import HubService
from tests.hub_service.shapes import a_repo


def two_pages_hold_different_repositories(hub: HubClient) -> None:
    params = {
        "filter": ["lora", "text-to-image"],
        "sort": "downloads",
        "direction": "-1",
        "limit": "2",
    }
    first = hub.models(params, None, no_check)
    assert first.cursor
    second = hub.models(params, first.cursor, no_check)
    assert len({item["id"] for item in (*first.items, *second.items)}) == 4


def what_changed_last_comes_first(hub: HubClient) -> None:
    first = hub.models(
        {"filter": ["lora"], "sort": "lastModified", "direction": "-1", "limit": "5"},
        None,
        no_check,
    )
    changed = [str(item["lastModified"]) for item in first.items]
    assert changed == sorted(changed, reverse=True)


def a_card_and_the_offer_of_its_file(hub: HubClient) -> None:
    page = HubCatalogue(hub).page(Wanted(top=10), None, 10, no_check)
    assert page.models == 10
    card = page.cards[0]
    assert card.remote is not None
    offer = HubSource(hub).offer(card, no_check)
    assert (offer.sha256, offer.size) == (card.remote.sha256, card.remote.size)


QUESTIONS = (
    two_pages_hold_different_repositories,
    what_changed_last_comes_first,
    a_card_and_the_offer_of_its_file,
)


@pytest.mark.network
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.__name__)
def test_the_real_one(question: Callable[[HubClient], None], live: HubClient) -> None:
    question(live)


@pytest.fixture(scope="module")
def live() -> Iterator[HubClient]:
    http = Http(interval_s=1.0)
    yield HubClient(http)
    http.close()


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.__name__)
def test_the_local_one(
    question: Callable[[HubClient], None], service: HubService, hub: HubClient
) -> None:
    for number in range(12):
        service.add(
            a_repo(
                f"somebody/fox-{number}",
                b"fox %d" % number,
                stated={"lastModified": f"2026-03-{number + 1:02}T05:06:07.000Z"},
            )
        )
    question(hub)
