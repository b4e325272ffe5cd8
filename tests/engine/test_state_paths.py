"""`/health`, `/ready` and `/metrics` of a running engine, over its socket."""

from __future__ import annotations

import http.client
import json
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from stylus_ext.core.errors import EngineRefusal
from stylus_ext.engine.metrics import RequestMetrics
from stylus_ext.environment.engine_link import EngineLink
from tests.engine.conftest import TOKEN

ALLOWED = {"Authorization": f"Bearer {TOKEN}"}


def asked(
    engine: EngineLink, path: str, headers: dict[str, str] | None = None, method: str = "GET"
) -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(engine.url).netloc, timeout=30)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def samples(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_health_and_readiness_need_no_token_but_a_local_host(engine: EngineLink) -> None:
    for path, name in (("/health", "ok"), ("/ready", "ready")):
        status, text = asked(engine, path)
        assert (status, json.loads(text)) == (200, {name: True})
        assert asked(engine, path, {"Host": "evil.example"})[0] == 403
        assert asked(engine, path, method="POST")[0] == 401
        assert asked(engine, f"{path}/x")[0] == 401


def test_metrics_count_answers_and_errors_and_need_the_token(engine: EngineLink) -> None:
    assert asked(engine, "/metrics")[0] == 401
    before = samples(asked(engine, "/metrics", ALLOWED)[1])
    engine.call("POST", "/v1/plan", {"prompt": "a secret corgi"})
    with suppress(EngineRefusal):
        engine.call("POST", "/v1/show", {"key": "no such key"})
    status, text = asked(engine, "/metrics", ALLOWED)
    after = samples(text)
    assert status == 200
    assert "secret" not in text
    plans = 'stylus_requests_total{operation="plan",outcome="done"}'
    errors = 'stylus_requests_total{operation="show",outcome="invalid"}'
    for name in (plans, errors):
        assert after[name] == before.get(name, 0) + 1
    counted = after['stylus_request_seconds_count{operation="plan"}']
    assert after['stylus_request_seconds_bucket{operation="plan",le="+Inf"}'] == counted
    assert after["stylus_catalogue_entries"] > 100
    assert after['stylus_jobs{state="done"}'] >= 1


@pytest.mark.parametrize(("seconds", "first"), [(0.0, "0.025"), (0.2, "0.2"), (99.0, "+Inf")])
def test_a_duration_is_in_every_bucket_from_its_own(seconds: float, first: str) -> None:
    metrics = RequestMetrics()
    metrics.answered("plan", "done", seconds)
    found = samples(metrics.text(0, {}))
    buckets = [(name, count) for name, count in found.items() if "_bucket" in name]
    names = [name for name, count in buckets if count]
    assert names[0].endswith(f'le="{first}"}}')
    assert [count for _, count in buckets] == sorted(count for _, count in buckets)
