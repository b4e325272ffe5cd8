"""The measure of crawls, in small: what it reports, what its server sends, and that it sees what is
wrong.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.catalogue.sources.civitai.cards import CardFilter, cards_of_model
from stylus_ext.cli import main
from stylus_ext.core.card import AdapterCard
from stylus_ext.core.errors import Unavailable
from stylus_ext.evaluation import invented, sync
from tests.catalogue.sources.civitai.test_cards import NOW
from tests.fakes import Watch


def test_its_models_make_the_cards_that_they_were_made_from() -> None:
    for place, card in enumerate(invented.cards(20, seed=21), 1):
        (made,) = cards_of_model(sync.as_model(place, card), CardFilter(NOW))
        assert isinstance(made, AdapterCard)
        assert (made.name, made.base_model, made.triggers, made.downloads) == (
            card.name,
            card.base_model,
            card.triggers,
            card.downloads,
        )
        assert len(made.examples) == len(card.examples)
        assert card.text.partition(". ")[0] in made.text


def test_pages_lead_from_one_to_the_next_and_parts_hold_all() -> None:
    found = sync.pages(530, 2)
    assert [len(found[sync.part(number)]) for number in range(2)] == [3, 3]
    read = [json.loads(page) for pages in found.values() for page in pages]
    assert len({model["id"] for page in read for model in page["items"]}) == 530
    assert [page["metadata"].get("nextCursor") for page in read] == ["1", "2", None] * 2


def test_it_serves_what_it_was_told_to() -> None:
    with sync.serving_catalogue(30) as url:
        with urllib.request.urlopen(f"{url}/api/v1/models?tag=part0") as answer:  # noqa: S310
            assert len(json.load(answer)["items"]) == 6
        for query in ("tag=part9", "tag=part0&cursor=5", "tag=part0&cursor=x"):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(f"{url}/api/v1/models?{query}")  # noqa: S310
            caught.value.close()


def test_a_small_measure_reports_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["bench", "sync", "--json", "--cards", "20"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["cards"] == 20
    assert len(found["shares"]) == sync.PARTS
    assert min(found["shares"]) <= found["share_of_encoder_speed"] <= max(found["shares"])
    assert found["seconds"] > 0
    assert "share_of_encoder_speed" in next(iter(sync.lines(found)))


def test_too_few_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["bench", "sync", "--cards", "3"]) == 1
    assert "--cards" in capsys.readouterr().err


def test_what_was_not_all_read_is_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "PARTS", 2)
    monkeypatch.setattr(sync, "part", lambda number: "part0")
    with pytest.raises(Unavailable):
        sync.measure(tmp_path, 20, Watch())
