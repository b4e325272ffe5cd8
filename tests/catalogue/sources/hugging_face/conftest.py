from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from stylus_ext.catalogue.sources.hugging_face import HubClient
from stylus_ext.net import Http, Key, TimeLimits, origin_of
from tests.hub_service.service import HubService, serving

QUICK = TimeLimits(
    first_pause_s=0.01, stall_s=1.0, total_s=3.0, connect_s=2.0, longest_retry_after_s=1.0, tries=3
)


@pytest.fixture
def service() -> Iterator[HubService]:
    with serving() as service:
        yield service


@pytest.fixture
def hub_with(service: HubService) -> Iterator[Callable[[str], HubClient]]:
    """A client with this key, or none."""
    made: list[Http] = []

    def build(key: str) -> HubClient:
        made.append(Http(Key(origin_of(service.api), key) if key else None, limits=QUICK))
        return HubClient(made[-1], service.api, has_key=bool(key))

    yield build
    for http in made:
        http.close()


@pytest.fixture
def hub(hub_with: Callable[[str], HubClient]) -> HubClient:
    return hub_with("")
