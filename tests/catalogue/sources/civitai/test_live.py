"""The real Civitai, asked a few questions: whether it still answers as the local one does. Never
run by default.

Each question is put to the local one as well, so that it is right itself when it is put to the real
one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

import pytest

from stylus_ext.catalogue.sources.civitai import (
    CivitaiCatalogue,
    CivitaiClient,
    download_refusal,
    offer_of,
)
from stylus_ext.catalogue.sources.civitai.cards import add_examples, has_tensors
from stylus_ext.core.card import AdapterCard
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.sources import Wanted
from stylus_ext.net import Http, HttpRefusal, no_check
from tests.civitai_service.service import CivitaiService
from tests.civitai_service.shapes import a_file, a_made_picture, a_model, a_version, hashes_of

MOST_PAGES = 10


@dataclass(frozen=True)
class Asked:
    http: Http
    civitai: CivitaiClient

    @property
    def catalogue(self) -> CivitaiCatalogue:
        return CivitaiCatalogue(self.civitai)

    def popular(self) -> list[AdapterCard]:
        """Some that surely stay; whoever is at the top may be left out for any reason."""
        return [
            card
            for card in self.catalogue.page(Wanted(top=20), None, 20, no_check).cards
            if card.remote and card.remote.sha256
        ]


def two_pages_have_cards_of_their_own(asked: Asked) -> None:
    wanted = asked.catalogue.checked(Wanted(top=40, base_models=("sd 1.5",)), no_check)
    assert wanted.base_models == ("SD 1.5",)
    first = asked.catalogue.page(wanted, None, 20, no_check)
    assert first.cards
    assert first.cursor
    second = asked.catalogue.page(wanted, first.cursor, 20, no_check)
    assert not {card.key for card in first.cards} & {card.key for card in second.cards}
    assert all(
        card.base_model == "SD 1.5" and not card.nsfw and card.remote for card in first.cards
    )


def the_newest_come_first(asked: Asked) -> None:
    first = asked.catalogue.page(Wanted(), None, None, no_check)
    second = asked.catalogue.page(Wanted(), first.cursor, None, no_check)
    assert first.in_order
    assert first.newest >= second.newest > ""


def a_search_finds_what_is_called_so(asked: Asked) -> None:
    """On whichever page: what is no LoRA has been taken out of the pages before."""
    cursor, found = None, list[AdapterCard]()
    for _ in range(MOST_PAGES):
        page = asked.catalogue.page(Wanted(query="detail"), cursor, None, no_check)
        found += page.cards
        cursor = page.cursor
        if found or cursor is None:
            break
    assert any("detail" in f"{card.name} {card.text}".casefold() for card in found)


def what_has_no_such_base_model_is_said(asked: Asked) -> None:
    with pytest.raises(InvalidInput):
        asked.catalogue.checked(Wanted(base_models=("SD 99",)), no_check)


def what_it_lists_it_knows_by_its_hashes(asked: Asked) -> None:
    some = asked.popular()[:5]
    found = asked.catalogue.identify(
        [card.remote.sha256 or "" for card in some if card.remote], no_check
    )
    assert {card.key for card in some} <= {card.key for card in found.cards}
    assert all(card.tags and card.text for card in found.cards), (
        "the models' own words come with them"
    )


def what_it_lists_it_knows_by_its_tensors(asked: Asked) -> None:
    card = next(card for card in asked.popular() if card.auto_v3)
    version = asked.civitai.version_by_hash(card.auto_v3, no_check)
    assert version is not None
    assert has_tensors(version, card.auto_v3)
    assert asked.civitai.version_by_hash("0" * 12, no_check) is None


def its_pictures_have_prompts_and_weights(asked: Asked) -> None:
    cards = [
        add_examples(card, asked.civitai.pictures(int(card.key.value), 20, no_check))
        for card in asked.popular()[:3]
    ]
    assert any(card.examples for card in cards)
    assert any(example.weight for card in cards for example in card.examples)


def an_offer_says_what_the_list_says(asked: Asked) -> None:
    card = asked.popular()[0]
    assert card.remote is not None
    offer = offer_of(asked.civitai, int(card.key.value), datetime.now(timezone.utc), no_check)
    assert (offer.sha256, offer.scanned) == (card.remote.sha256, True)
    assert abs(offer.size - card.remote.size) <= 1024
    assert offer.stated["id"] == int(card.key.value)


def a_download_leads_to_a_storage_or_wants_a_key(asked: Asked) -> None:
    """One byte of it."""
    card, said = asked.popular()[0], None
    try:
        with asked.http.stream(
            asked.civitai.download_url(int(card.key.value)), {"Range": "bytes=0-0"}
        ) as answer:
            assert answer.status in (200, 206)
            assert answer.origin != asked.civitai.origin
            assert next(iter(answer.pieces()))
    except HttpRefusal as refusal:
        said = download_refusal(refusal, card.name, has_key=False)
    assert said is None or getattr(said, "code", None) == "key_needed", said


QUESTIONS = (
    two_pages_have_cards_of_their_own,
    the_newest_come_first,
    a_search_finds_what_is_called_so,
    what_has_no_such_base_model_is_said,
    what_it_lists_it_knows_by_its_hashes,
    what_it_lists_it_knows_by_its_tensors,
    its_pictures_have_prompts_and_weights,
    an_offer_says_what_the_list_says,
    a_download_leads_to_a_storage_or_wants_a_key,
)


@pytest.fixture(scope="module")
def live() -> Iterator[Asked]:
    http = Http(interval_s=1.0)
    yield Asked(http, CivitaiClient(http))
    http.close()


@pytest.mark.network
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.__name__)
def test_the_real_one(question: Callable[[Asked], None], live: Asked) -> None:
    question(live)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.__name__)
@pytest.mark.parametrize("login", [False, True])
def test_the_local_one(
    question: Callable[[Asked], None], service: CivitaiService, login: bool
) -> None:
    for number in range(1, 151):
        body = b"x" * (2000 + number)
        hashes = {**hashes_of(body), "AutoV3": f"{number:012X}"}
        version = a_version(
            number + 1000,
            files=[a_file(number, body=body, hashes=hashes)],
            publishedAt=f"2026-01-01T00:{number // 60:02}:{number % 60:02}.000Z",
        )
        service.add(a_model(number, version, name=f"Detail {number}"), files={number + 1000: body})
        service.pictures[number + 1000] = [a_made_picture(number + 1000, "a detailed house", 0.7)]
        service.rules.update({number + 1000: "login"} if login else {})
    http = Http()
    try:
        question(Asked(http, CivitaiClient(http, service.api)))
    finally:
        http.close()
