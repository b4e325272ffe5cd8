from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.fetching import NotFetched
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.engine.services import CivitaiAccess
from stylus_ext.net import no_check
from tests.civitai_service.service import CivitaiService, serving

SECRET = "the-right-key"


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STYLUS_CIVITAI_KEY", "STYLUS_CIVITAI_KEY_ORIGIN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def service() -> Iterator[CivitaiService]:
    with serving() as service:
        yield service


def access_to(folder: Path, url: str, interval_s: float = 0.0) -> CivitaiAccess:
    return CivitaiAccess(
        folder,
        with_values(Settings(), {"civitai": {"civitai_url": url, "request_interval": interval_s}}),
    )


def test_a_key_is_entered_used_and_forgotten(service: CivitaiService, tmp_path: Path) -> None:
    access = access_to(tmp_path, service.api)
    assert not access.has_key()
    assert access.enter_key(SECRET) == service.api
    assert access.has_key()
    assert access.account() == "somebody"
    assert access.forget_key()
    assert not access.has_key()
    with pytest.raises(NotFetched) as caught:
        access.account()
    assert caught.value.code == "key_refused"


def test_a_changed_address_gets_no_key(service: CivitaiService, tmp_path: Path) -> None:
    access_to(tmp_path, "http://127.0.0.1:1").enter_key(SECRET)
    elsewhere = access_to(tmp_path, service.api)
    assert not elsewhere.has_key()
    with pytest.raises(NotFetched) as caught:
        elsewhere.account()
    assert caught.value.code == "key_refused"
    assert SECRET not in str(service.seen[0])


def test_a_separate_file_address_gets_the_key_and_the_api_none(
    service: CivitaiService, tmp_path: Path
) -> None:
    """As where one asks civitai.red and fetches from civitai.com, since the former sends on and the
    key does not go with that.
    """
    with serving() as red:
        values = {
            "civitai": {
                "civitai_url": red.api,
                "civitai_files_url": service.api,
                "request_interval": 0.0,
            }
        }
        access = CivitaiAccess(tmp_path, with_values(Settings(), values))
        assert access.enter_key(SECRET) == service.api
        assert access.account() == "somebody"
        with access.http() as http:
            civitai = access.client(http)
            civitai.base_models(no_check)
            assert civitai.download_url(11) == f"{service.api}/api/download/models/11"
        assert access.describe() == red.api
        assert access.describe_files() == f"{service.api}, with your key"
        assert [one.path for one in red.seen] == ["/api/v1/enums"]
        assert SECRET not in str(red.seen[0])


def test_a_key_of_the_environment_is_for_civitai_itself(
    service: CivitaiService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STYLUS_CIVITAI_KEY", SECRET)
    assert access_to(tmp_path, "https://civitai.com").has_key()
    assert not access_to(tmp_path, service.api).has_key()
    monkeypatch.setenv("STYLUS_CIVITAI_KEY_ORIGIN", service.api)
    assert access_to(tmp_path, service.api).account() == "somebody"


def test_a_key_entered_later_is_used(service: CivitaiService, tmp_path: Path) -> None:
    access = access_to(tmp_path, service.api)
    with access.http() as http:
        civitai = access.client(http)
        civitai.base_models(no_check)
    access_to(tmp_path, service.api).enter_key(SECRET)
    with access.http() as http:
        civitai = access.client(http)
        civitai.base_models(no_check)
    assert [SECRET in str(one) for one in service.seen] == [False, True]


def test_all_clients_keep_one_pace(service: CivitaiService, tmp_path: Path) -> None:
    access = access_to(tmp_path, service.api, 0.3)
    with access.http() as first_http, access.http() as second_http:
        one, other = access.client(first_http), access.client(second_http)
        one.base_models(no_check)
        other.base_models(no_check)
    assert service.seen[1].at - service.seen[0].at > 0.2


def test_the_default_pace_is_one_request_a_second() -> None:
    assert Settings().civitai.request_interval == 1.0
    assert Settings().civitai.civitai_url == "https://civitai.com"


@pytest.mark.parametrize("url", ["civitai.com", "https://me:word@civitai.com", "file:///etc"])
def test_an_invalid_address_is_named(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidInput, match="https://host"):
        access_to(tmp_path, url).account()
