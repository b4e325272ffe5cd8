from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from stylus_ext.catalogue.sources.civitai import CivitaiClient
from stylus_ext.net import Http, Key, TimeLimits
from tests.civitai_service.service import CivitaiService, serving

QUICK = TimeLimits(first_pause_s=0.01, stall_s=2.0, total_s=4.0)


@pytest.fixture
def service() -> Iterator[CivitaiService]:
    with serving() as service:
        yield service


@pytest.fixture
def asking(service: CivitaiService) -> Iterator[Callable[[str], CivitaiClient]]:
    """Makes a client with a key, or without one."""
    with ExitStack() as stack:

        def make(secret: str = "") -> CivitaiClient:
            http = Http(Key(service.api, secret) if secret else None, limits=QUICK)
            stack.callback(http.close)
            return CivitaiClient(http, service.api)

        yield make


@pytest.fixture
def civitai(asking: Callable[[str], CivitaiClient]) -> CivitaiClient:
    return asking("")
