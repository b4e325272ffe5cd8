"""The refiner's figures: a real server in another process, the real package, the real catalogue;
and what 1,000 adapters cost.
"""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from stylus_ext.core.ports import Filter
from stylus_ext.core.refining import Expense
from stylus_ext.engine.operations.sources import llm_refiner
from stylus_ext.evaluation import llm
from stylus_ext.evaluation.llm import fill, measure_refiner
from stylus_ext.evaluation.measuring import opened
from stylus_ext.evaluation.servers import serving
from stylus_ext.llm import picture_tokens
from tests.fakes import Watch


def test_the_server_takes_its_time_and_answers_in_the_protocol() -> None:
    with serving("chat", 0.05) as url:
        where = urlsplit(url)
        connection = http.client.HTTPConnection(where.hostname or "", where.port)
        for _ in range(2):
            began = time.monotonic()
            connection.request("POST", "/v1/chat/completions", b"{}" * 50)
            answer = json.loads(connection.getresponse().read())
            assert time.monotonic() - began >= 0.045
            assert json.loads(answer["choices"][0]["message"]["content"])["kind"] == "background"
        connection.close()


def test_the_figures(tmp_path: Path) -> None:
    found = measure_refiner(tmp_path, Watch(), cards=48)
    assert found["refiner_cards"] == 48
    assert found["refiner_ideal_s"] == pytest.approx(0.3)
    assert 0 < found["refiner_efficiency"] <= 1.0
    assert 0 < found["refiner_bare_efficiency"] <= 1.0
    assert json.loads(json.dumps(found)) == found


@pytest.mark.long
def test_refining_comes_near_the_servers_own_time(tmp_path: Path) -> None:
    """On a machine that is busy with something else the bare questions are late, too, and nothing
    can be said.
    """
    found = measure_refiner(tmp_path, Watch(), llm.REFINER_CARDS)
    if found["refiner_bare_efficiency"] < 0.97:
        pytest.skip(
            f"the machine is busy: bare questions reach {found['refiner_bare_efficiency']:.0%} of"
            " the ideal"
        )
    assert found["refiner_efficiency"] >= 0.9, found


def cost_of_1000(folder: Path, models: list[str], pictures: int = 3) -> dict[str, Expense]:
    """What refining 1,000 adapters costs, by the mean of 200."""
    return {model: _cost_of_1000(folder, model, pictures) for model in models}


def _cost_of_1000(folder: Path, model: str, pictures: int) -> Expense:
    chat = {"chat_url": "https://models.example/v1", "chat_model": model}
    with opened(folder, {"chat": chat}) as stylus:
        store = stylus.catalogue.store
        if not store.search("", Filter(), limit=1).total:
            fill(stylus, 0, 200)
        cards = [change.entry.card for change in store.changes(0) if change.entry]
        with llm_refiner(stylus.services.language_model, pictures, fetch=True) as refiner:
            total = sum((refiner.estimate(card) for card in cards), Expense())
    share = 1000 / len(cards)
    return Expense(
        round(total.tokens_in * share),
        round(total.tokens_out * share),
        None if total.cost is None else round(total.cost * share, 2),
    )


def test_what_1000_adapters_cost_follows_from_their_tokens(tmp_path: Path) -> None:
    found = cost_of_1000(tmp_path, ["gpt-4o-mini", "gpt-4o", "unknown-model"])
    mini, large, unknown = found["gpt-4o-mini"], found["gpt-4o"], found["unknown-model"]
    assert mini.tokens_in - large.tokens_in == 1000 * 3 * (
        picture_tokens("gpt-4o-mini") - picture_tokens("gpt-4o")
    ), "three pictures each"
    assert large.tokens_in > 500_000
    assert mini.cost == pytest.approx(
        (mini.tokens_in * 0.15 + mini.tokens_out * 0.60) / 1e6, abs=0.01
    )
    assert large.cost is not None
    assert mini.cost is not None
    assert large.cost > mini.cost
    assert unknown.cost is None
    text_alone = cost_of_1000(tmp_path, ["gpt-4o-mini"], pictures=0)["gpt-4o-mini"]
    assert mini.tokens_in - text_alone.tokens_in == 1000 * 3 * picture_tokens("gpt-4o-mini")
