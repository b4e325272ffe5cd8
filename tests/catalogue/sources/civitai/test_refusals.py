"""Civitai's answers to downloads, over real sockets, and the errors made of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stylus_ext.catalogue.sources.civitai import CivitaiClient, download_refusal
from stylus_ext.catalogue.sources.common import SourceRateLimited, SourceUnavailable
from stylus_ext.core.errors import StylusError, Unavailable
from stylus_ext.core.fetching import NotFetched
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
    ("rule", "secret", "code"),
    [
        ("login", "", "key_needed"),
        ("login", "wrong", "key_refused"),
        ("disabled", "", "downloads_disabled"),
        ("disabled", "the-right-key", "downloads_disabled"),
        ("early", "", "early_access"),
        ("archived", "", "archived"),
        ("missing", "", "missing"),
        ("limit", "", "too_many"),
        ("blacklist", "", "forbidden"),
    ],
)
def test_each_refused_download_has_a_code(
    service: CivitaiService, rule: str, secret: str, code: str
) -> None:
    service.add(a_model(1, a_version(11)), files={11: b"x"})
    service.rules[11] = rule
    error = refused(service, secret)
    assert getattr(error, "code", None) == code
    assert "Rainy Alley" in str(error)
    assert secret == "" or secret not in str(error)


def test_early_access_names_the_day(service: CivitaiService) -> None:
    service.add(a_model(1, a_version(11)), files={11: b"x"})
    service.rules[11] = "early"
    assert "2099-01-01" in str(refused(service))


@pytest.mark.parametrize(
    ("status", "code"), [(451, "region"), (500, "trouble"), (503, "trouble"), (418, "not_given")]
)
def test_every_other_status_has_a_code(service: CivitaiService, status: int, code: str) -> None:
    service.faults.add(Fault("/api/download", status=status, times=-1))
    error = refused(service)
    assert getattr(error, "code", None) == code
    assert "Rainy Alley" in str(error)


def test_only_temporary_refusals_are_unavailable() -> None:
    assert issubclass(SourceRateLimited, Unavailable)
    assert issubclass(SourceUnavailable, Unavailable)
    assert not issubclass(NotFetched, Unavailable)


def test_the_message_says_when_to_retry(service: CivitaiService) -> None:
    service.faults.add(Fault("/api/download", status=429, headers={"Retry-After": "600"}, times=-1))
    assert "10 min" in str(refused(service))


def test_the_login_page_is_not_followed(service: CivitaiService) -> None:
    service.add(a_model(1, a_version(11)), files={11: b"x"})
    service.rules[11] = "login"
    refused(service)
    assert [one.path for one in service.seen] == ["/api/download/models/11"]
