from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stylus_ext.catalogue.sources.civitai import CivitaiClient
from stylus_ext.catalogue.sources.civitai.client import TYPES
from stylus_ext.catalogue.sources.common import (
    SourceNotFound,
    SourceRateLimited,
    SourceUnavailable,
)
from stylus_ext.core.errors import InvalidInput, Unavailable
from stylus_ext.core.fetching import NotFetched
from stylus_ext.core.sources import CursorLost
from stylus_ext.net import BadAnswer, no_check
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService
from tests.civitai_service.shapes import a_file, a_made_picture, a_model, a_version, hashes_of

MODELS = {"types": TYPES, "limit": "2", "sort": "Newest", "nsfw": "false"}


def all_pages(civitai: CivitaiClient, params: dict[str, Any]) -> list[Any]:
    found: list[Any] = []
    cursor: str | None = None
    while True:
        page = civitai.models(params, cursor, no_check)
        found += [model["id"] for model in page.items]
        cursor = page.cursor
        if cursor is None:
            return found


def test_all_pages_are_read_by_cursor(service: CivitaiService, civitai: CivitaiClient) -> None:
    service.add(*(a_model(number) for number in range(1, 8)), a_model(50, type="Checkpoint"))
    assert sorted(all_pages(civitai, MODELS)) == list(range(1, 8))
    assert all("page" not in one.query for one in service.seen)
    assert all(one.many("types") == list(TYPES) for one in service.seen)
    assert sorted(all_pages(civitai, {**MODELS, "query": "Adapter 3"})) == [3]


@pytest.mark.parametrize(
    ("metadata", "cursor"),
    [
        ({"nextCursor": "12|34|56"}, "12|34|56"),
        ({"nextCursor": 1234}, "1234"),
        ({}, None),
        (None, None),
        ({"nextCursor": None}, None),
        ({"nextCursor": ""}, None),
        ({"nextCursor": True}, None),
        ({"nextCursor": ["x"]}, None),
        ({"nextPage": "https://civitai.com/api/v1/models?limit=1&cursor=9%7C8"}, "9|8"),
        ({"nextPage": "https://civitai.com/?page=2"}, None),
        ({"nextPage": "http://[broken"}, None),
    ],
    ids=str,
)
def test_the_next_cursor_in_all_its_forms(
    service: CivitaiService, civitai: CivitaiClient, metadata: Any, cursor: str | None
) -> None:
    service.faults.add(Fault("/models$", status=200, body={"items": [], "metadata": metadata}))
    assert civitai.models({}, None, no_check).cursor == cursor


@pytest.mark.parametrize("body", [[], {"items": None}, {"items": {}}, "text", 5, None])
def test_an_answer_of_another_shape_is_asked_for_again_and_then_refused(
    service: CivitaiService, civitai: CivitaiClient, body: Any
) -> None:
    service.add(a_model(1))
    answer = body if body is not None else b"null"
    service.faults.add(Fault("/models$", status=200, body=answer))
    assert len(civitai.models({}, None, no_check).items) == 1
    service.faults.add(Fault("/models$", status=200, body=answer, times=-1))
    with pytest.raises(BadAnswer):
        civitai.models({}, None, no_check)


def test_an_old_cursor_is_lost_and_an_invalid_request_is_not(
    service: CivitaiService, civitai: CivitaiClient
) -> None:
    service.faults.add(Fault("/models$", status=400, body={"error": "Invalid cursor"}, times=2))
    with pytest.raises(CursorLost):
        civitai.models(MODELS, "old", no_check)
    with pytest.raises(InvalidInput, match="Invalid cursor") as caught:
        civitai.models(MODELS, None, no_check)
    assert not isinstance(caught.value, CursorLost)


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, InvalidInput, None),
        (401, NotFetched, "key_refused"),
        (403, NotFetched, "forbidden"),
        (404, SourceNotFound, "missing"),
        (429, SourceRateLimited, "too_many"),
        (500, SourceUnavailable, "trouble"),
        (503, Unavailable, "trouble"),
        (451, NotFetched, "region"),
        (418, NotFetched, "not_given"),
    ],
)
def test_each_refusal_has_its_error(
    service: CivitaiService,
    civitai: CivitaiClient,
    status: int,
    kind: type[Exception],
    code: str | None,
) -> None:
    service.faults.add(
        Fault("/model-versions/5$", status=status, body={"error": "because"}, times=-1)
    )
    with pytest.raises(kind) as caught:
        civitai.version(5, no_check)
    assert getattr(caught.value, "code", None) == code


def test_a_web_page_is_a_bad_answer(service: CivitaiService, civitai: CivitaiClient) -> None:
    service.faults.add(
        Fault(
            "/models$",
            status=200,
            body="<!DOCTYPE html>",
            headers={"Content-Type": "text/html"},
            times=-1,
        )
    )
    with pytest.raises(BadAnswer):
        civitai.models({}, None, no_check)


def test_models_and_versions_by_their_ids(service: CivitaiService, civitai: CivitaiClient) -> None:
    service.add(a_model(1, a_version(11)), a_model(2, nsfw=True), a_model(3))
    assert civitai.model(1, no_check)["name"] == "Adapter 1"
    assert civitai.version(11, no_check)["modelId"] == 1
    assert civitai.download_facts(11, no_check)["fileName"] == "adapter_11.safetensors"
    assert [model["id"] for model in civitai.models_by_id([1, 2], no_check)] == [1, 2]
    with pytest.raises(SourceNotFound, match="99"):
        civitai.version(99, no_check)


def test_files_by_their_hashes(service: CivitaiService, civitai: CivitaiClient) -> None:
    one, other = b"one", b"other"
    service.add(
        a_model(1, a_version(11, files=[a_file(11, body=one)])),
        a_model(2, a_version(12, files=[a_file(12, body=other)])),
    )
    digests = [str(hashes_of(body)["SHA256"]).lower() for body in (one, other)]
    assert civitai.ids_by_hash([*digests, "ab" * 32], no_check) == dict(
        zip(digests, (11, 12), strict=True)
    )
    assert [version["id"] for version in civitai.versions_by_hash(digests, no_check)] == [11, 12]
    assert [one.method for one in service.seen] == ["POST", "POST"]
    assert service.seen[1].body == [one.upper() for one in digests]
    short = str(hashes_of(one)["AutoV3"])
    found = civitai.version_by_hash(short.lower(), no_check)
    assert found is not None
    assert found["id"] == 11
    assert civitai.version_by_hash("ab" * 6, no_check) is None


def test_pictures_have_metadata(service: CivitaiService, civitai: CivitaiClient) -> None:
    service.pictures[11] = [a_made_picture(11, "an alley", 0.7) for _ in range(30)]
    found = civitai.pictures(11, 20, no_check)
    assert len(found) == 20
    assert "meta" in found[0]
    asked = service.seen[0]
    assert (asked.one("withMeta"), asked.one("modelVersionId"), asked.one("modelId")) == (
        "true",
        "11",
        "",
    )


def test_the_list_of_base_models_is_asked_for(civitai: CivitaiClient) -> None:
    assert "Brand New 9" in civitai.base_models(no_check)


def test_a_key_is_checked_where_it_can_be(
    service: CivitaiService, asking: Callable[[str], CivitaiClient]
) -> None:
    assert asking("the-right-key").user_name(no_check) == "somebody"
    with pytest.raises(NotFetched) as caught:
        asking("a-wrong-key").user_name(no_check)
    assert caught.value.code == "key_refused"
    assert "a-wrong-key" not in str(caught.value)
    assert {one.path for one in service.seen} == {"/api/v1/me"}


def test_addresses_are_built_and_not_taken_from_answers(
    service: CivitaiService, civitai: CivitaiClient
) -> None:
    assert civitai.download_url(11) == f"{service.api}/api/download/models/11"
