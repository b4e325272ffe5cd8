from __future__ import annotations

from pathlib import Path

import pytest

from stylus_ext.core.entry import embedded_text
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.settings import POLICIES
from stylus_ext.selection.retrieve.retrievers import retriever_for
from tests.selection.retrieve.house import House, query

PROMPT = "a teapot in a night market, mira vanthal, fog, rain"


def test_cosine_ranks_by_the_cosine_of_the_card(house: House) -> None:
    found = house.find(PROMPT, policy="cosine").found
    entries = [candidate.entry for candidate in found]
    asked = house.embedder.embed(["a teapot in a night market, mira vanthal, fog, rain"])[0]
    cosines = [
        float(asked @ house.embedder.embed([embedded_text(entry, "card")])[0]) for entry in entries
    ]
    assert [candidate.score for candidate in found] == pytest.approx(
        sorted(cosines, reverse=True), abs=1e-4
    )


def test_lexical_needs_no_vectors(house: House) -> None:
    house.index.rows.clear()
    assert set(house.names("mira vanthal, velvet gown", policy="lexical")[:2]) == {
        "Mira Vanthal | Skyreach Saga",
        "Velvet Gown",
    }


def test_random_is_drawn_by_the_prompt(house: House) -> None:
    assert house.names(PROMPT, policy="random") == house.names(PROMPT, policy="random")
    assert house.names(PROMPT, policy="random") != house.names("something else", policy="random")


def test_an_unknown_policy_is_refused(house: House, tmp_path: Path) -> None:
    policies = retriever_for(house.store, house.index, house.embedder, tmp_path)
    with pytest.raises(InvalidInput, match="telepathy"):
        policies("telepathy")


def test_all_share_one_lexical_index(house: House, tmp_path: Path) -> None:
    policies = retriever_for(house.store, house.index, house.embedder, tmp_path / "shared")
    for policy in POLICIES:
        assert policies(policy).find(query(PROMPT)).found
    assert len(list((tmp_path / "shared").iterdir())) == 1
    assert policies("hybrid") is policies("hybrid")
