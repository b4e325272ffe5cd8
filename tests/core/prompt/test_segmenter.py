from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.prompt.phrases import runs, spans
from stylus_ext.core.prompt.segmenter import (
    CLASSES,
    EDGES,
    PLAIN,
    Segmenter,
    best_runs,
    possible_runs,
    segmenter_of,
    values_of,
)
from stylus_ext.selection.retrieve.query import caption_segmenter

WORDS = ("fox", "snow", "red", "owl")
CAPTIONS = st.lists(
    st.sampled_from([*WORDS, "a", "the", "in", "sitting", ",", "zeppelin", "и", "\n", "two"]),
    max_size=14,
).map(" ".join)


def made(seed: int = 0) -> Segmenter:
    order, numbers, hidden = np.random.default_rng(seed), 3, 4
    width = (EDGES + 1) * (numbers + CLASSES) + PLAIN
    shapes = ((len(WORDS) + 2, numbers), (width, hidden), (hidden,), (hidden,))
    vectors, inner, bias, out = (order.normal(size=shape).astype(np.float32) for shape in shapes)
    return Segmenter(
        {word: number for number, word in enumerate(WORDS, 2)}, vectors, inner, bias, out, 0.1
    )


@pytest.mark.parametrize(
    ("caption", "found"),
    [
        ("a graffiti of a corgi on the wall", ["graffiti", "corgi", "wall"]),
        ("A man riding a wave on a surfboard.", ["man riding", "wave", "surfboard"]),
        ("a teddy bear sitting on a chair", ["teddy bear", "chair"]),
        ("two women are standing next to a large red umbrella", ["women", "red umbrella"]),
        ("a mira vanthal", ["mira vanthal"]),
        ("кот на крыше", ["кот на крыше"]),
        ("", []),
    ],
)
def test_captions_are_cut_as_people_would(caption: str, found: list[str]) -> None:
    assert [span.text for span in spans(parse_prompt(caption), caption_segmenter())] == found


def test_of_tags_the_commas_rule_whatever_it_learnt() -> None:
    prompt = parse_prompt("fox, tree, snow, a woman holding a lantern in the old harbor")
    assert spans(prompt, caption_segmenter()) == spans(prompt)


def test_of_what_it_does_not_know_the_rules_decide() -> None:
    text = "zorblax quindle vermont sassafras beside the frumious bandersnatch"
    assert list(made()(text)) == list(runs(text))


def test_it_is_small_enough_to_come_along() -> None:
    assert len(json.dumps(values_of(caption_segmenter()))) < 1_000_000


@settings(max_examples=150, deadline=None)
@given(CAPTIONS, st.integers(0, 3))
def test_what_is_cut_is_disjoint_in_order_and_telling(caption: str, seed: int) -> None:
    found = list(made(seed)(caption))
    assert all(one[1] <= two[0] for one, two in pairwise(found))
    for start, end in found:
        assert caption[start:end].strip() == caption[start:end]
        assert caption[start:end].split(maxsplit=1)[0] not in {"a", "the", "in"}


@settings(max_examples=100, deadline=None)
@given(CAPTIONS, st.integers(0, 1000))
def test_no_other_cut_is_worth_more(caption: str, seed: int) -> None:
    found = possible_runs(caption)
    worth = np.random.default_rng(seed).random(len(found.places)).astype(np.float32)
    value = {
        tuple(place): float(each) - 0.4
        for place, each in zip(found.places.tolist(), worth, strict=True)
    }
    mine = sum(value[place] for place in best_runs(found, worth))
    most = [0.0]
    for behind in range(1, len(found.words) + 1):
        most.append(
            max(
                [
                    most[-1],
                    *(
                        most[first] + gain
                        for (first, last), gain in value.items()
                        if last == behind
                    ),
                ]
            )
        )
    assert mine == pytest.approx(most[-1], abs=1e-5)


def test_written_and_read_again_it_cuts_alike() -> None:
    before = made()
    after = segmenter_of(json.loads(json.dumps(values_of(before))))
    assert after.words == before.words
    text = "a red fox in the snow beside an owl"
    found = possible_runs(text)
    assert np.allclose(before.scores(found), after.scores(found), atol=1e-3)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"words": ["fox"]},
        {"vectors": [[0.0]]},
        {"bias": [0.0]},
        {"out": None},
        {"rest": "much"},
        {"hidden": [[float("nan")]]},
    ],
)
def test_what_is_no_segmenter_is_refused(spoilt: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        segmenter_of({**values_of(made()), **spoilt})


def test_a_number_that_is_none_is_refused() -> None:
    broken = replace(made(), out=np.full(4, np.nan, dtype=np.float32))
    with pytest.raises(InvalidInput):
        segmenter_of({**values_of(broken)})
