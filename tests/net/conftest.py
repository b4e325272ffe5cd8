from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from stylus_ext.net import Http, TimeLimits
from tests.civitai_service.service import CivitaiService, serving

QUICK = TimeLimits(first_pause_s=0.01, stall_s=2.0, total_s=4.0)


@pytest.fixture
def civitai() -> Iterator[CivitaiService]:
    with serving() as service:
        yield service


@pytest.fixture
def make_http() -> Iterator[Callable[..., Http]]:
    with ExitStack() as stack:

        def make(key: Any = None, **named: Any) -> Http:
            http = Http(key, **{"limits": QUICK, **named})
            stack.callback(http.close)
            return http

        yield make


@pytest.fixture
def http(make_http: Callable[..., Http]) -> Http:
    return make_http()
