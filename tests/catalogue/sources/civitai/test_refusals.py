"""CIVITAI's answers to a download, status by status, as they come over a socket from the
service.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stylus_ext.catalogue.sources.civitai import CivitaiClient, download_refusal
from stylus_ext.catalogue.sources.civitai.client import (
    Archived,
    CivitaiNotFound,
    CivitaiRateLimited,
    CivitaiUnavailable,
    DownloadsDisabled,
    EarlyAccess,
    Forbidden,
    KeyNeeded,
    KeyRefused,
    NotGiven,
    Region,
)
from stylus_ext.core.errors import StylusError, Unavailable
from stylus_ext.net import Http, HttpRefusal, Key, TimeLimits
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService
from tests.civitai_service.shapes import a_model, a_version

Asking = Callable[[str], CivitaiClient]


def refused(service: CivitaiService, secret: str = "") -> StylusError:
    http = Http(Key(service.api, secret) if secret else None, limits=TimeLimits(first_pause_s=0.01))
    try:
        with (
            pytest.raises(HttpRefusal) as caught,
            http.stream(f"{service.api}/api/download/models/11"),
        ):
            pass
    finally:
        http.close()
    return download_refusal(caught.value, "Rainy Alley", has_key=bool(secret))


@pytest.mark.parametrize(
    ("rule", "secret", "kind", "sentence"),
    [
        ("login", "", KeyNeeded, "only to people with an account"),
        ("login", "wrong", KeyRefused, "refuses your key for Rainy Alley"),
        ("disabled", "", DownloadsDisabled, "has disabled downloads"),
        ("disabled", "the-right-key", DownloadsDisabled, "has disabled downloads"),
        ("early", "", EarlyAccess, "early access until 2099-01-01"),
        ("archived", "", Archived, "is archived"),
        ("missing", "", CivitaiNotFound, "does not have Rainy Alley any more"),
        ("limit", "", CivitaiRateLimited, "no more downloads for now"),
        ("blacklist", "", Forbidden, "forbids the download of Rainy Alley"),
    ],
)
def test_each_answer_to_a_download_has_its_sentence(
    service: CivitaiService, rule: str, secret: str, kind: type[StylusError], sentence: str
) -> None:
    service.add(a_model(1, a_version(11)), files={11: b"x"})
    service.rules[11] = rule
    error = refused(service, secret)
    assert type(error) is kind
    assert sentence in str(error)
    assert "Rainy Alley" in str(error)
    assert secret == "" or secret not in str(error)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(451, Region), (500, CivitaiUnavailable), (503, CivitaiUnavailable), (418, NotGiven)],
)
def test_so_has_every_other_status(
    service: CivitaiService, status: int, kind: type[StylusError]
) -> None:
    service.faults.add(Fault("/api/download", status=status, times=-1))
    error = refused(service)
    assert type(error) is kind
    assert "Rainy Alley was not fetched" in str(error)


def test_what_may_pass_is_told_from_what_will_not() -> None:
    assert issubclass(CivitaiRateLimited, Unavailable)
    assert issubclass(CivitaiUnavailable, Unavailable)
    lasting = (
        KeyNeeded,
        KeyRefused,
        DownloadsDisabled,
        EarlyAccess,
        Archived,
        CivitaiNotFound,
        Forbidden,
        Region,
    )
    assert not any(issubclass(kind, Unavailable) for kind in lasting)
    assert (
        len({kind.code for kind in (*lasting, NotGiven, CivitaiRateLimited, CivitaiUnavailable)})
        == 11
    )


def test_a_wish_for_a_pause_is_passed_on(service: CivitaiService) -> None:
    service.faults.add(Fault("/api/download", status=429, headers={"Retry-After": "600"}, times=-1))
    assert "try again in 10 min" in str(refused(service))


def test_a_browser_would_get_a_page_and_we_do_not(service: CivitaiService) -> None:
    service.add(a_model(1, a_version(11)), files={11: b"x"})
    service.rules[11] = "login"
    refused(service)
    assert [one.path for one in service.seen] == ["/api/download/models/11"]
