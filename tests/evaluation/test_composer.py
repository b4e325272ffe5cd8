"""The composer's figures: a real server in another process, the real package, the real
tokenizer.
"""

from __future__ import annotations

import json
from pathlib import Path

from stylus_ext.core.composition import Candidate, Candidates
from stylus_ext.core.ports import Query
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.settings import Selection
from stylus_ext.evaluation import llm
from tests.evaluation.test_selection import write
from tests.evaluation.test_training import ADAPTERS
from tests.fakes import Watch, make_entry


def test_the_figures(tmp_path: Path) -> None:
    catalogue = write(tmp_path / "catalogue.jsonl", ADAPTERS)
    found = llm.measure_composer(tmp_path / "data", catalogue, Watch(), compositions=10)
    assert found["composed_by_rules"] == 0
    assert found["compositions"] == 10
    assert -5 < found["overhead_p50_ms"] < 500
    assert found["tokens"] > 500
    assert found["tokens_published"] > llm.INSTRUCTIONS + 20 * found["cards_published"]
    assert found["tokens_ratio"] > 1
    assert json.loads(json.dumps(found)) == found
    assert "published composer" in " ".join(llm.lines(found))


def test_the_published_catalogue_has_every_card_in_full() -> None:
    prompt = parse_prompt("a corgi")
    entries = [
        make_entry(number, f"Card {number}", "word " * 500, tags=("a", "b"))
        for number in range(200)
    ]
    text = llm.published_catalogue(
        Query(prompt, prompt, Selection()),
        Candidates(tuple(Candidate(entry, 1.0) for entry in entries), ()),
    )
    assert text.count("Index: ") == llm.CARDS
    assert "Title: Card 0\nTags: a, b\nDescription: word word" in text
    assert max(map(len, text.split("\n\n"))) < llm.LONGEST + 60
