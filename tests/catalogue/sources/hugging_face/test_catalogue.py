"""Pages of the hub's catalogue, over real sockets."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stylus_ext.catalogue.sources.common import SourceUnavailable
from stylus_ext.catalogue.sources.hugging_face import HubCatalogue, HubClient
from stylus_ext.core.adapter_type import EMBEDDING
from stylus_ext.core.errors import Cancelled, InvalidInput
from stylus_ext.core.sources import Wanted
from stylus_ext.net import no_check
from tests.civitai_service.faults import Fault
from tests.hub_service.service import HubService
from tests.hub_service.shapes import a_repo


def test_a_page_has_cards_and_reasons(service: HubService, hub: HubClient) -> None:
    service.add(
        a_repo(),
        a_repo("somebody/elk", b"elk", stated={"gated": "auto"}),
        a_repo("somebody/pickle", file="x.ckpt"),
        a_repo("somebody/part", file="unet/x.safetensors"),
        a_repo("somebody/gone"),
        a_repo("somebody/speech", stated={"pipeline_tag": "text-to-speech"}),
    )
    service.faults.add(
        Fault(
            "/somebody/gone/tree",
            status=404,
            body={"error": "x"},
            headers={"X-Error-Code": "RepoNotFound"},
        )
    )
    page = HubCatalogue(hub).page(Wanted(), None, None, no_check)
    assert [card.name for card in page.cards] == ["rain fox"]
    assert page.skipped == {
        "gated": 1,
        "no safetensors file": 1,
        "no LoRA among its files": 1,
        "gone": 1,
        "not for pictures": 1,
    }
    assert (page.models, page.cursor, page.newest) == (6, None, "2026-03-04T05:06:07.000Z")
    assert not [one for one in service.seen if "pickle" in one.path], (
        "nothing is asked about what the listing shows to be of no use"
    )


def test_textual_inversions_are_embeddings(service: HubService, hub: HubClient) -> None:
    stated = {"tags": ["diffusers", "textual_inversion", "text-to-image"]}
    service.add(
        a_repo(
            "artist/griffin",
            b"griffin",
            "learned_embeds.safetensors",
            stated=stated,
            head={"tags": ["textual_inversion"]},
        ),
        a_repo(
            "artist/helper",
            b"helper",
            "EasyNegative.safetensors",
            stated=stated,
            head={"tags": ["textual_inversion"]},
        ),
        a_repo("artist/old", file="learned_embeds.bin", stated=stated),
    )
    wanted = Wanted(tag="textual_inversion")
    page = HubCatalogue(hub).page(wanted, None, None, no_check)
    found = {card.name: (card.type, card.negative) for card in page.cards}
    assert found == {"griffin": (EMBEDDING, False), "helper": (EMBEDDING, True)}
    assert page.skipped == {"no safetensors file": 1}
    (asked,) = service.asked("/api/models")
    assert "lora" not in asked.query["filter"]


def test_the_request_has_the_wanted_filters(service: HubService, hub: HubClient) -> None:
    catalogue = HubCatalogue(hub)
    catalogue.page(Wanted(), None, None, no_check)
    catalogue.page(Wanted(query="fox", tag="style", top=500), None, 7, no_check)
    every, searched = service.asked("/api/models")
    assert (every.query["filter"], every.one("sort"), every.one("limit"), every.one("search")) == (
        ["lora", "text-to-image"],
        "lastModified",
        "20",
        "",
    )
    assert (
        searched.query["filter"],
        searched.one("sort"),
        searched.one("limit"),
        searched.one("search"),
    ) == (["lora", "style"], "downloads", "7", "fox")


def test_base_models_are_searched_by_family(service: HubService, hub: HubClient) -> None:
    service.add(
        a_repo(),
        a_repo("somebody/flux-fox", b"flux", head={"base_model": "black-forest-labs/FLUX.1-dev"}),
    )
    catalogue = HubCatalogue(hub)
    wanted = catalogue.checked(
        Wanted(base_models=("Flux.1 D", "FLUX.1-dev"), examples=True), no_check
    )
    assert wanted == Wanted(base_models=("flux1",))
    page = catalogue.page(wanted, None, None, no_check)
    assert [card.name for card in page.cards] == ["flux fox"]
    assert page.skipped == {"for another base model": 1}
    with pytest.raises(InvalidInput):
        catalogue.checked(Wanted(base_models=("Nonsense 9",)), no_check)


def test_with_a_key_gated_repositories_are_kept(
    service: HubService, hub_with: Callable[[str], HubClient]
) -> None:
    service.add(a_repo(stated={"gated": "manual"}))
    assert len(HubCatalogue(hub_with("hf_right")).page(Wanted(), None, None, no_check).cards) == 1


def test_one_file_in_two_repositories_is_one_card(service: HubService, hub: HubClient) -> None:
    service.add(
        a_repo("first/fox", stated={"downloads": 9}), a_repo("second/copy", stated={"downloads": 1})
    )
    page = HubCatalogue(hub).page(Wanted(top=5), None, 5, no_check)
    assert [card.creator for card in page.cards] == ["first"]


def test_only_so_many_are_read(service: HubService, hub: HubClient) -> None:
    service.add(*(a_repo(f"somebody/fox-{number}", b"%d" % number) for number in range(5)))
    page = HubCatalogue(hub).page(Wanted(top=2), None, 2, no_check)
    assert (page.models, len(page.cards)) == (2, 2)
    assert len([one for one in service.seen if "/tree/" in one.path]) == 2


def test_an_error_ends_the_page(service: HubService, hub: HubClient) -> None:
    service.add(a_repo(), a_repo("somebody/elk", b"elk"))
    service.faults.add(Fault("/somebody/elk/tree", status=500, times=-1))
    with pytest.raises(SourceUnavailable):
        HubCatalogue(hub).page(Wanted(), None, None, no_check)


def test_cancelling_ends_the_page(service: HubService, hub: HubClient) -> None:
    service.add(a_repo())

    def stop() -> None:
        raise Cancelled("Stopped, as you asked.")

    with pytest.raises(Cancelled):
        HubCatalogue(hub).page(Wanted(), None, None, stop)


def test_it_knows_no_files_by_their_hashes(service: HubService, hub: HubClient) -> None:
    assert HubCatalogue(hub).identify(["a" * 64], no_check).cards == ()
    assert not service.seen
