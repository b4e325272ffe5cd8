"""Captions are cut into tasks by what was learnt, while what the ranker looks at stays with the
spans of the rules.
"""

from __future__ import annotations

import numpy as np
import pytest

from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.prompt.phrases import runs, spans
from stylus_ext.selection.lexical.catalogue import LexicalCatalogue
from stylus_ext.selection.retrieve import query as module
from stylus_ext.selection.retrieve.query import (
    MAX_EMBEDDED_SPANS,
    MAX_EMBEDDED_TASKS,
    caption_segmenter,
    retrieval_query,
)
from tests.selection.retrieve.house import House, query

CAPTION = (
    "A teddy bear knitted from wool sitting beside a glass teapot on a wooden table in the morning"
)


def test_the_tasks_are_those_of_the_segmenter(house: House) -> None:
    found = house.find(CAPTION)
    assert found.spans == spans(parse_prompt(CAPTION), caption_segmenter())
    assert found.spans != spans(parse_prompt(CAPTION))
    starts = {span.start for span in found.spans}
    assert all(set(candidate.spans) <= starts for candidate in found.found)


@pytest.mark.parametrize(
    "prompt",
    [
        CAPTION,
        "a copper train passing a crooked lighthouse at dusk",
        "mira vanthal, goggles, castle, fog",
        "",
    ],
)
def test_what_the_ranker_sees_does_not_change_with_the_tasks(
    house: House, monkeypatch: pytest.MonkeyPatch, prompt: str
) -> None:
    learnt = house.find(prompt)
    monkeypatch.setattr(module, "caption_segmenter", lambda: runs)
    by_rule = house.find(prompt)
    assert [each.key for each in learnt.found] == [each.key for each in by_rule.found]
    for one, other in zip(learnt.found, by_rule.found, strict=True):
        assert np.allclose(one.features, other.features, atol=1e-5)


def test_a_task_that_is_no_span_has_its_own_evidence(house: House) -> None:
    found = house.find(CAPTION)
    teapot = next(span for span in found.spans if "teapot" in span.text)
    seen = [
        candidate.spans[teapot.start]
        for candidate in found.found
        if teapot.start in candidate.spans
    ]
    assert max(each.cosine for each in seen) > 0.3
    assert max(each.lexical for each in seen) > 0.3


def test_a_long_text_asks_for_no_more_vectors_than_it_may(house: House) -> None:
    text = " ".join(
        f"a brown dog number{chr(97 + place)} sitting beside the old wooden house and two boys"
        f" watching {thing}s."
        for place, thing in enumerate(
            (
                "train",
                "boat",
                "kite",
                "horse",
                "tower",
                "garden",
                "bridge",
                "market",
                "castle",
                "river",
                "forest",
                "window",
                "teapot",
                "lantern",
            )
        )
    )
    put = retrieval_query(
        query(text),
        LexicalCatalogue(house.store, house.folder / "lexical").current(),
        house.embedder,
    )
    assert len(put.ranked_embedded) == MAX_EMBEDDED_SPANS
    assert 0 < len(put.embedded) - MAX_EMBEDDED_SPANS <= MAX_EMBEDDED_TASKS
    assert len(put.span_vectors) == len(put.embedded)
    assert put.embedded[:MAX_EMBEDDED_SPANS] == put.ranked_embedded
    assert {put.spans[number] for number in put.tasks} == set(
        spans(parse_prompt(text), caption_segmenter())
    )
