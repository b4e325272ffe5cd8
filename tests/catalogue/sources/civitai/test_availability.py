from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from stylus_ext.catalogue.sources.civitai import cards as why
from stylus_ext.catalogue.sources.civitai.cards import (
    early_access_end,
    exclusion_reason,
    parse_time,
    unavailable_reason,
)

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
LATER, BEFORE = "2026-06-02T00:00:00.000Z", "2026-05-31T00:00:00.000Z"


@pytest.mark.parametrize(
    "kind", ["LORA", "LoCon", "DoRA", "lora", "Locon", "TextualInversion", "Hypernetwork"]
)
def test_every_kind_of_lora_is_one(kind: str) -> None:
    assert exclusion_reason({"type": kind}) is None


@pytest.mark.parametrize("kind", ["Checkpoint", "Controlnet", "", None, 5, "LORA2"])
def test_invalid_numbers(kind: Any) -> None:
    assert exclusion_reason({"type": kind}) == why.NOT_A_LORA


@pytest.mark.parametrize("value", [True, "true", 1])
def test_persons_and_minors_never(value: Any) -> None:
    assert exclusion_reason({"type": "LORA", "poi": value}) == why.PERSON
    assert exclusion_reason({"type": "LORA", "minor": value}) == why.MINOR
    assert exclusion_reason({"type": "LORA", "poi": False, "minor": None}) is None


@pytest.mark.parametrize(
    ("model", "version", "reason"),
    [
        ({}, {}, None),
        (
            {"availability": "Public"},
            {"availability": "Public", "status": "Published", "usageControl": "Download"},
            None,
        ),
        ({"mode": "Archived"}, {}, why.ARCHIVED),
        ({"mode": "TakenDown"}, {}, why.TAKEN_DOWN),
        ({}, {"status": "Draft"}, why.NOT_PUBLIC),
        ({"availability": "Private"}, {}, why.NOT_PUBLIC),
        ({}, {"availability": "Unsearchable"}, why.NOT_PUBLIC),
        ({}, {"usageControl": "Generation"}, why.DISABLED),
        ({}, {"availability": "EarlyAccess", "earlyAccessEndsAt": LATER}, why.EARLY_ACCESS),
        ({}, {"availability": "EarlyAccess"}, why.EARLY_ACCESS),
        ({}, {"availability": "EarlyAccess", "earlyAccessEndsAt": BEFORE}, None),
        ({}, {"availability": "Public", "earlyAccessEndsAt": LATER}, why.EARLY_ACCESS),
        ({}, {"earlyAccessTimeFrame": 7, "publishedAt": BEFORE}, why.EARLY_ACCESS),
        ({}, {"earlyAccessTimeFrame": 0, "publishedAt": BEFORE}, None),
        ({}, {"earlyAccessTimeFrame": 7}, None),
        ({}, {"paidAccess": {"permanent": True}}, why.PAID),
        ({}, {"paidAccess": json.dumps({"permanent": False, "endsAt": LATER})}, why.PAID),
        ({}, {"paidAccess": {"permanent": False, "endsAt": BEFORE}}, None),
        ({}, {"paidAccess": "not json {"}, None),
        ({}, {"paidAccess": None}, None),
        ({"mode": "Archived"}, {"availability": "Private"}, why.ARCHIVED),
    ],
)
def test_why_a_file_is_unavailable(model: Any, version: Any, reason: str | None) -> None:
    assert unavailable_reason(model, version, NOW) == reason


def test_when_early_access_ends() -> None:
    assert early_access_end({"earlyAccessEndsAt": LATER}, NOW) == NOW + timedelta(days=1)
    assert early_access_end({"earlyAccessEndsAt": BEFORE}, NOW) is None
    assert early_access_end(
        {"earlyAccessTimeFrame": 3, "publishedAt": BEFORE}, NOW
    ) == NOW + timedelta(days=2)


@pytest.mark.parametrize("value", [None, 5, "", "soon", "2026-13-45", {}, "9" * 99])
def test_invalid_times(value: Any) -> None:
    assert parse_time(value) is None


def test_a_time_without_a_zone_is_universal() -> None:
    assert (
        parse_time("2026-06-01T00:00:00")
        == parse_time("2026-06-01T00:00:00.000Z")
        == parse_time("2026-06-01T02:00:00+02:00")
        == NOW
    )
