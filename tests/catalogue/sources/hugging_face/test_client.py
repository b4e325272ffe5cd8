"""The hub's API over real sockets: paging, requests and refusals."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.sources.common import SourceNotFound, SourceRateLimited
from stylus_ext.catalogue.sources.hugging_face import HubClient, HubLocation
from stylus_ext.catalogue.sources.hugging_face.client import MAX_README, hub_refusal, next_cursor
from stylus_ext.core.errors import InvalidInput, StylusError
from stylus_ext.core.fetching import NotFetched
from stylus_ext.core.sources import CursorLost
from stylus_ext.net import BadAnswer, HttpRefusal, Unreachable, no_check
from tests.civitai_service.faults import Fault
from tests.hub_service.service import HubService
from tests.hub_service.shapes import COMMIT, a_repo

KEY = "hf_right"


def test_pages_follow_each_other_and_addresses_are_ours(
    service: HubService, hub: HubClient
) -> None:
    service.add(*(a_repo(f"somebody/fox-{number}") for number in range(5)))
    service.faults.add(Fault("/api/models$", headers={}, after=99))
    names, cursor, pages = [], None, 0
    while True:
        page = hub.models({"filter": ["lora", "text-to-image"], "limit": "2"}, cursor, no_check)
        names += [item["id"] for item in page.items]
        pages, cursor = pages + 1, page.cursor
        if cursor is None:
            break
    assert names == [f"somebody/fox-{number}" for number in range(5)]
    assert pages == 3
    first = service.asked("/api/models")[0]
    assert first.query["filter"] == ["lora", "text-to-image"]
    assert (first.one("full"), first.one("cardData")) == ("true", "true")
    assert first.headers["user-agent"].startswith("sd-webui-stylus/")


@pytest.mark.parametrize(
    ("link", "cursor"),
    [
        ('<https://x/api?cursor=abc%3D&limit=2>; rel="next"', "abc="),
        ('<https://x?cursor=p>; rel="prev", <https://x?cursor=n>; rel="next"', "n"),
        ("<https://x?cursor=abc>; rel=next", "abc"),
        ('<https://x?limit=5>; rel="next"', None),
        ('<https://x?cursor=abc>; rel="last"', None),
        ("", None),
        ("nonsense", None),
        ('<https://[x?cursor=abc>; rel="next"', None),
    ],
)
def test_the_next_page_in_a_link_header(link: str, cursor: str | None) -> None:
    assert next_cursor(link) == cursor


@given(st.text(st.sampled_from('<>;,="relnxtcuso? /&'), max_size=300))
def test_any_header_is_a_cursor_or_none(link: str) -> None:
    found = next_cursor(link)
    assert found is None or found


def test_a_lost_cursor(service: HubService, hub: HubClient) -> None:
    service.add(a_repo())
    with pytest.raises(CursorLost):
        hub.models({}, "no-cursor", no_check)
    with pytest.raises(InvalidInput) as caught:
        hub.models({"sort": "nonsense"}, None, no_check)
    assert not isinstance(caught.value, CursorLost)


def test_files_with_their_hashes_over_several_pages(service: HubService, hub: HubClient) -> None:
    service.add(a_repo(files={f"f{number:04}.txt": b"x" for number in range(1200)}))
    found = hub.files("somebody/rain-fox", COMMIT, no_check)
    assert len(found) == 1205
    assert sum("lfs" in row for row in found) == 1


def test_a_file_and_what_the_scanners_say(service: HubService, hub: HubClient) -> None:
    service.add(a_repo(security={"rain-fox.safetensors": "unsafe"}))
    row = hub.file(
        HubLocation("somebody/rain-fox", COMMIT, "rain-fox.safetensors"), "Rain Fox", no_check
    )
    assert row is not None
    assert row["securityFileStatus"] == {
        "status": "unsafe",
        "avScan": None,
        "pickleImportScan": None,
    }
    assert (
        hub.file(HubLocation("somebody/rain-fox", COMMIT, "none.safetensors"), "Rain Fox", no_check)
        is None
    )
    assert (
        hub.file(
            HubLocation("somebody/rain-fox", "d" * 40, "rain-fox.safetensors"), "Rain Fox", no_check
        )
        is None
    )
    with pytest.raises(SourceNotFound):
        hub.file(HubLocation("somebody/none", COMMIT, "x.safetensors"), "Rain Fox", no_check)


def test_a_readme_or_nothing(service: HubService, hub: HubClient) -> None:
    service.add(
        a_repo(text=b"# Fox \xff\n"),
        a_repo("somebody/long", text=b"x" * 1_000_000),
        a_repo("somebody/none"),
    )
    del service.repos[2].files["README.md"]
    assert hub.readme("somebody/rain-fox", COMMIT, no_check) == "# Fox \ufffd\n"
    assert len(hub.readme("somebody/long", COMMIT, no_check)) == MAX_README
    assert hub.readme("somebody/none", COMMIT, no_check) == ""
    service.faults.add(Fault("README", cut_at=3))
    assert hub.readme("somebody/rain-fox", COMMIT, no_check) == ""
    service.faults.add(Fault("README", status=429, times=-1))
    with pytest.raises(SourceRateLimited):
        hub.readme("somebody/rain-fox", COMMIT, no_check)


def test_the_key_goes_to_the_hub_and_to_nobody_else(
    service: HubService, hub_with: Callable[[str], HubClient]
) -> None:
    service.add(a_repo(files={"README.md": b"x" * 2_000_000}))
    hub = hub_with(KEY)
    assert hub.user_name(no_check) == "somebody"
    assert len(hub.readme("somebody/rain-fox", COMMIT, no_check)) == MAX_README
    assert [one.headers.get("authorization") for one in service.seen] == [f"Bearer {KEY}"] * 2 + [
        None
    ]
    assert service.seen[-1].on == "storage"
    with pytest.raises(NotFetched) as caught:
        hub_with("hf_wrong").user_name(no_check)
    assert caught.value.code == "key_refused"


def test_rate_limited_requests_are_retried(service: HubService, hub: HubClient) -> None:
    service.add(a_repo())
    service.faults.add(
        Fault("/api/models$", status=429, headers={"Retry-After": "0"}),
        Fault("/api/models$", status=503),
    )
    assert len(hub.models({}, None, no_check).items) == 1
    assert len(service.asked("/api/models")) == 3


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (
            Fault(
                "/api/models$",
                status=200,
                body="<html>hello</html>",
                headers={"Content-Type": "text/html"},
                times=-1,
            ),
            BadAnswer,
        ),
        (Fault("/api/models$", status=200, body={"error": "later"}, times=-1), BadAnswer),
        (Fault("/api/models$", headless=True, times=-1), Unreachable),
        (Fault("/api/models$", stall_at=5, times=-1), Unreachable),
    ],
)
def test_unusable_answers(
    service: HubService, hub: HubClient, fault: Fault, error: type[StylusError]
) -> None:
    service.add(a_repo())
    service.faults.add(fault)
    with pytest.raises(error):
        hub.models({}, None, no_check)


@pytest.mark.parametrize(
    ("status", "reason", "has_key", "code"),
    [
        (401, "GatedRepo", False, "key_needed"),
        (403, "GatedRepo", True, "gated"),
        (401, "RepoNotFound", False, "missing"),
        (404, "EntryNotFound", True, "missing"),
        (404, "RevisionNotFound", True, "missing"),
        (404, "", True, "missing"),
        (410, "", True, "missing"),
        (401, "", False, "key_needed"),
        (401, "", True, "key_refused"),
        (403, "", True, "forbidden"),
        (400, "", True, None),
        (429, "", True, "too_many"),
        (500, "", True, "trouble"),
        (418, "", True, "not_given"),
    ],
)
def test_each_refusal_has_a_code(status: int, reason: str, has_key: bool, code: str | None) -> None:
    error = hub_refusal(
        HttpRefusal("https://huggingface.co/x", status, code=reason),
        "Rain Fox",
        has_key=has_key,
    )
    assert getattr(error, "code", None) == code
    assert isinstance(error, InvalidInput) == (code is None)
    assert "Rain Fox" in str(error)


def test_the_message_says_when_to_retry() -> None:
    error = hub_refusal(HttpRefusal("x", 429, retry_after=290.0), "Rain Fox", has_key=False)
    assert "5 min" in str(error)
