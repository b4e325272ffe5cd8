from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from stylus_ext.catalogue.sources.civitai import CivitaiClient, offer_of
from stylus_ext.catalogue.sources.civitai.catalogue import CivitaiOffer
from stylus_ext.catalogue.sources.common import SourceNotFound
from stylus_ext.net import no_check
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService
from tests.civitai_service.shapes import a_file, a_model, a_version, hashes_of

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
BODY = b"x" * 4096


def offered(service: CivitaiService, civitai: CivitaiClient, **changes: Any) -> CivitaiOffer:
    service.add(a_model(1, a_version(11, files=[a_file(11, "rain.safetensors", BODY)], **changes)))
    return offer_of(civitai, 11, NOW, no_check)


def test_an_offer_says_all_that_matters_before_a_download(
    service: CivitaiService, civitai: CivitaiClient
) -> None:
    offer = offered(service, civitai)
    assert offer.stated["id"] == 11
    assert replace(offer, stated={}) == CivitaiOffer(
        version_id=11,
        file="rain.safetensors",
        size=4096,
        sha256=str(hashes_of(BODY)["SHA256"]).lower(),
        scanned=True,
        needs_key=False,
        early_until=None,
        url=f"{service.api}/api/download/models/11",
    )


def test_who_may_download_it(service: CivitaiService, civitai: CivitaiClient) -> None:
    service.rules[11] = "login"
    offer = offered(service, civitai, earlyAccessEndsAt="2026-07-01T00:00:00.000Z")
    assert offer.needs_key
    assert offer.early_until == datetime(2026, 7, 1, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("file", "scanned"),
    [
        ({"pickleScanResult": "Pending"}, False),
        ({"virusScanResult": "Danger"}, False),
        ({"virusScanResult": "Error"}, False),
        ({}, True),
        ({"pickleScanResult": None, "virusScanResult": None}, None),
    ],
    ids=str,
)
def test_scan_results(
    service: CivitaiService, civitai: CivitaiClient, file: dict[str, Any], scanned: bool | None
) -> None:
    service.add(a_model(1, a_version(11, files=[a_file(11, **file)])))
    assert offer_of(civitai, 11, NOW, no_check).scanned is scanned


def test_an_empty_hash_is_empty(service: CivitaiService, civitai: CivitaiClient) -> None:
    service.add(a_model(1, a_version(11, files=[a_file(11, hashes={})])))
    offer = offer_of(civitai, 11, NOW, no_check)
    assert (offer.sha256, offer.size > 0) == ("", True)


def test_the_scans_are_not_asked_for_where_they_are_known(
    service: CivitaiService, civitai: CivitaiClient
) -> None:
    service.add(a_model(1, a_version(11)))
    assert offer_of(civitai, 11, NOW, no_check, scans=False).scanned is None
    assert [one.path for one in service.seen] == ["/api/v1/model-versions/mini/11"]


def test_missing_versions_are_not_offered(civitai: CivitaiClient) -> None:
    with pytest.raises(SourceNotFound):
        offer_of(civitai, 11, NOW, no_check)


def test_a_mirror_without_the_short_path_offers_the_same(
    service: CivitaiService, civitai: CivitaiClient
) -> None:
    whole = offered(service, civitai)
    service.faults.add(Fault("/mini/", status=404, times=-1))
    assert offer_of(civitai, 11, NOW, no_check) == whole
    assert offer_of(civitai, 11, NOW, no_check, scans=False) == whole


def test_of_a_pickle_and_its_safetensors_the_latter_is_offered(
    service: CivitaiService, civitai: CivitaiClient
) -> None:
    pickle = a_file(
        12, "rain.pt", b"pickle", metadata={"format": "PickleTensor"}, pickleScanResult="Danger"
    )
    service.add(
        a_model(
            1, a_version(11, files=[pickle, a_file(11, "rain.safetensors", BODY, primary=None)])
        )
    )
    offer = offer_of(civitai, 11, NOW, no_check)
    assert (offer.file, offer.size, offer.sha256, offer.scanned) == (
        "rain.safetensors",
        4096,
        str(hashes_of(BODY)["SHA256"]).lower(),
        True,
    )
    assert offer.url == f"{service.api}/api/download/models/11?format=SafeTensor"


def test_a_pickle_alone_is_what_it_is(service: CivitaiService, civitai: CivitaiClient) -> None:
    service.add(
        a_model(
            1,
            a_version(
                11, files=[a_file(12, "rain.pt", b"pickle", metadata={"format": "PickleTensor"})]
            ),
        )
    )
    offer = offer_of(civitai, 11, NOW, no_check)
    assert (offer.file, offer.url) == ("rain.pt", f"{service.api}/api/download/models/11")


@pytest.mark.parametrize("size", [1e308, -1, 0, "x", None, [], True, 2**60])
def test_a_size_that_is_none_is_taken_from_the_version(
    service: CivitaiService, civitai: CivitaiClient, size: Any
) -> None:
    service.add(a_model(1, a_version(11, files=[a_file(11, body=BODY)])))
    service.faults.add(Fault("/mini/", status=200, body={"size": size, "hashes": {}}))
    assert offer_of(civitai, 11, NOW, no_check).size == 4096
