from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from stylus_ext.catalogue.sources.civitai import CivitaiCatalogue, CivitaiClient
from stylus_ext.catalogue.sources.civitai import cards as why
from stylus_ext.core.card import AdapterCard, AdapterKey, Example
from stylus_ext.core.errors import Cancelled, InvalidInput, Unavailable
from stylus_ext.core.sources import Wanted
from stylus_ext.net import no_check
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService
from tests.civitai_service.shapes import a_file, a_made_picture, a_model, a_version, hashes_of

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)


@pytest.fixture
def catalogue(civitai: CivitaiClient) -> CivitaiCatalogue:
    return CivitaiCatalogue(civitai, lambda: NOW)


def ids(cards: tuple[AdapterCard, ...]) -> list[int]:
    return [int(card.key.value) for card in cards]


def sha256(body: bytes) -> str:
    return str(hashes_of(body)["SHA256"]).lower()


def test_a_page_has_cards_and_skip_reasons(
    service: CivitaiService, catalogue: CivitaiCatalogue
) -> None:
    service.add(
        a_model(1, a_version(11), a_version(12, files=[])),
        a_model(2, poi=True),
        a_model(3, a_version(31), minor=True),
    )
    page = catalogue.page(Wanted(), None, None, no_check)
    assert ids(page.cards) == [11]
    assert (page.models, page.cursor, page.newest) == (3, None, "2026-01-02T03:04:05.000Z")
    assert page.skipped == {why.NO_FILE: 1, why.PERSON: 1, why.MINOR: 1}
    assert page.banned == (AdapterKey.civitai(1_000_002), AdapterKey.civitai(31))


def test_the_request_has_the_wanted_filters(
    service: CivitaiService, catalogue: CivitaiCatalogue
) -> None:
    catalogue.page(
        Wanted(top=50, query="rain", tag="style", base_models=("SD 1.5", "Pony"), nsfw=True),
        None,
        20,
        no_check,
    )
    asked = service.seen[0].query
    assert asked == {
        "types": ["LORA", "LoCon", "DoRA", "TextualInversion"],
        "limit": ["20"],
        "sort": ["Most Downloaded"],
        "period": ["AllTime"],
        "nsfw": ["true"],
        "query": ["rain"],
        "tag": ["style"],
        "baseModels": ["SD 1.5", "Pony"],
    }
    catalogue.page(Wanted(), "5|x", None, no_check)
    asked = service.seen[1].query
    assert (asked["sort"], asked["nsfw"], asked["limit"], asked["cursor"]) == (
        ["Newest"],
        ["false"],
        ["100"],
        ["5|x"],
    )


def test_no_more_models_than_are_left_are_read(
    service: CivitaiService, catalogue: CivitaiCatalogue
) -> None:
    service.faults.add(
        Fault(
            "/models$",
            status=200,
            body={"items": [a_model(number) for number in range(1, 9)], "metadata": {}},
        )
    )
    page = catalogue.page(Wanted(top=3), None, 3, no_check)
    assert (page.models, len(page.cards)) == (3, 3)


def test_a_version_that_comes_twice_is_one_card(
    service: CivitaiService, catalogue: CivitaiCatalogue
) -> None:
    service.add(a_model(1, a_version(11), a_version(11)))
    assert ids(catalogue.page(Wanted(), None, None, no_check).cards) == [11]


def test_an_empty_page_is_not_the_end(service: CivitaiService, catalogue: CivitaiCatalogue) -> None:
    """Civitai sifts what a search finds after it has cut it into pages."""
    service.faults.add(
        Fault("/models$", status=200, body={"items": [], "metadata": {"nextCursor": "7"}})
    )
    page = catalogue.page(Wanted(query="rain"), "6", None, no_check)
    assert (page.models, page.cursor, page.in_order) == (0, "7", False)
    assert catalogue.page(Wanted(), None, None, no_check).in_order


@pytest.mark.parametrize(
    ("stated", "newest"),
    [
        ("2026-05-31T23:59:59.000Z", "2026-05-31T23:59:59.000Z"),
        ("2026-06-01T00:00:01.000Z", ""),
        ("9999", ""),
        ("zzz", ""),
    ],
)
def test_future_publication_dates_end_no_crawl(
    service: CivitaiService, catalogue: CivitaiCatalogue, stated: str, newest: str
) -> None:
    service.add(a_model(1, a_version(11, publishedAt=stated)))
    assert catalogue.page(Wanted(), None, None, no_check).newest == newest


def test_examples_are_asked_for_when_they_are_wanted(
    service: CivitaiService, catalogue: CivitaiCatalogue
) -> None:
    service.add(a_model(1, a_version(11)), a_model(2, a_version(12)))
    service.pictures[11] = [a_made_picture(11, "neon alley", 0.7)]
    cards = {
        card.key: card for card in catalogue.page(Wanted(examples=True), None, None, no_check).cards
    }
    assert cards[AdapterKey.civitai(11)].examples == (Example("neon alley", 0.7),)
    assert cards[AdapterKey.civitai(12)].examples == ()
    assert len(service.asked("/images")) == 2


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 404, "body": {"error": "gone"}},
        {"status": 400},
        {"status": 500},
        {"status": 200, "body": b"<html>"},
    ],
    ids=str,
)
def test_a_card_without_its_examples_is_a_card(
    service: CivitaiService, catalogue: CivitaiCatalogue, fault: dict[str, Any]
) -> None:
    service.add(a_model(1, a_version(11)))
    service.faults.add(Fault("/images$", times=-1, **fault))
    assert ids(catalogue.page(Wanted(examples=True), None, None, no_check).cards) == [11]


@pytest.mark.parametrize(
    "fault", [{"headless": True}, {"status": 429, "headers": {"Retry-After": "3600"}}], ids=str
)
def test_an_absent_service_is_not_asked_again(
    service: CivitaiService, catalogue: CivitaiCatalogue, fault: dict[str, Any]
) -> None:
    service.add(a_model(1, a_version(11)), a_model(2))
    service.faults.add(Fault("/images$", times=-1, **fault))
    with pytest.raises(Unavailable):
        catalogue.page(Wanted(examples=True), None, None, no_check)


def test_cancelling_while_examples_are_requested(
    service: CivitaiService, catalogue: CivitaiCatalogue
) -> None:
    service.add(*(a_model(number) for number in range(1, 6)))

    def check() -> None:
        if service.asked("/images"):
            raise Cancelled("Stopped, as you asked.")

    with pytest.raises(Cancelled):
        catalogue.page(Wanted(examples=True), None, None, check)
    assert len(service.asked("/images")) == 1


def test_base_models_are_spelled_as_civitai_spells_them(catalogue: CivitaiCatalogue) -> None:
    assert catalogue.checked(
        Wanted(base_models=("sd 1.5", "PONY", "Pony")), no_check
    ).base_models == (
        "SD 1.5",
        "Pony",
    )
    with pytest.raises(InvalidInput, match=r"SDXL 1\.1.*SDXL 1\.0"):
        catalogue.checked(Wanted(base_models=("SDXL 1.1",)), no_check)


def test_a_family_means_all_its_base_models_of_the_present_list(
    service: CivitaiService, catalogue: CivitaiCatalogue
) -> None:
    service.base_models = ["SDXL 1.0", "SDXL 0.9", "Pony", "Brand New 9", "Other"]

    def checked(stated: str) -> tuple[str, ...]:
        return catalogue.checked(Wanted(base_models=(stated,)), no_check).base_models

    assert checked("sdxl") == ("SDXL 1.0", "SDXL 0.9")
    assert checked("pony") == ("Pony",)
    assert checked("brand-new-9") == ("Brand New 9",)
    for stated in ("Brand New", "unknown", "illustrious"):
        with pytest.raises(InvalidInput):
            checked(stated)


def test_no_request_without_base_models(
    service: CivitaiService, catalogue: CivitaiCatalogue
) -> None:
    assert catalogue.checked(Wanted(tag="x"), no_check) == Wanted(tag="x")
    assert service.seen == []


@pytest.mark.parametrize("status", [200, 404])
def test_where_no_list_is_given_the_shipped_one_spells_and_other_names_stay(
    service: CivitaiService, catalogue: CivitaiCatalogue, status: int
) -> None:
    service.faults.add(Fault("/enums$", status=status, body={}))
    wanted = Wanted(base_models=("Anything", "sdxl lightning", "sd2", "pony"))
    assert catalogue.checked(wanted, no_check).base_models == (
        "Anything",
        "SDXL Lightning",
        "SD 2.0",
        "SD 2.0 768",
        "SD 2.1",
        "SD 2.1 768",
        "SD 2.1 Unclip",
        "Pony",
    )


def test_own_files_are_identified_in_bulk(
    service: CivitaiService, catalogue: CivitaiCatalogue
) -> None:
    bodies = {number: b"file %d" % number for number in range(1, 251)}
    service.add(
        *(
            a_model(number, a_version(number + 1000, files=[a_file(number, body=body)]))
            for number, body in bodies.items()
        )
    )
    asked = [*map(sha256, bodies.values()), "ab" * 32]
    service.faults.add(Fault("/images$", status=404, times=-1))
    found = catalogue.identify(asked, no_check)
    assert sorted(ids(found.cards)) == [number + 1000 for number in bodies]
    assert all(card.tags == ("background", "style") for card in found.cards)
    assert {len(one.body) for one in service.asked("/by-hash/ids")} == {251}
    assert [len(one.body) for one in service.asked("/by-hash")] == [100, 100, 50]
    assert len(service.asked("/models")) == 3


def test_an_unlisted_model_is_known_by_its_version(
    service: CivitaiService, catalogue: CivitaiCatalogue
) -> None:
    body = b"mine"
    service.add(a_model(1, a_version(11, files=[a_file(11, body=body)])))
    service.faults.add(Fault("/models$", status=200, body={"items": []}))
    found = catalogue.identify([sha256(body)], no_check)
    assert [(card.name, card.model_id, card.tags) for card in found.cards] == [("Adapter 1", 1, ())]
    assert AdapterKey.sha256(sha256(body)) in found.cards[0].equivalents


def test_real_persons_are_excluded_for_owners_too(
    service: CivitaiService, catalogue: CivitaiCatalogue
) -> None:
    service.add(a_model(1, a_version(11, files=[a_file(11, body=b"mine")]), poi=True))
    found = catalogue.identify([sha256(b"mine")], no_check)
    assert (found.cards, found.skipped) == ((), {why.PERSON: 1})


def test_a_mirror_without_the_short_path_gets_the_long_request(
    service: CivitaiService, catalogue: CivitaiCatalogue
) -> None:
    service.add(a_model(1, a_version(11, files=[a_file(11, body=b"mine")])))
    service.faults.add(Fault("/by-hash/ids$", status=404, body={"error": "no such path"}))
    assert ids(catalogue.identify([sha256(b"mine"), "ab" * 32], no_check).cards) == [11]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        [None, 5, {"modelVersionId": "x", "hash": 3}],
        [{"id": 1}],
        [{"files": [None, {"hashes": 5}]}],
    ],
)
def test_answers_of_another_shape_name_nothing(
    service: CivitaiService, catalogue: CivitaiCatalogue, body: Any
) -> None:
    service.faults.add(
        Fault("/by-hash/ids$", status=404), Fault("/by-hash$", status=200, body=body)
    )
    assert catalogue.identify(["ab" * 32], no_check).cards == ()
