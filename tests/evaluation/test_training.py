"""Training the ranker on a small invented benchmark, with the real encoder: what is learnt, what is
left out, what is written.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylus_ext.core.composition import Candidate, Candidates, Evidence
from stylus_ext.core.errors import InvalidInput
from stylus_ext.evaluation import out_of_fold
from stylus_ext.evaluation.out_of_fold import shifts, with_midpoint, with_scores
from stylus_ext.evaluation.ranker import (
    FOLDS,
    TrainingExample,
    examples_without,
    fold_of,
    folds_of,
    train,
)
from stylus_ext.selection.ranker import Ranker, ranker_of
from stylus_ext.selection.retrieve.features import FEATURES
from tests.evaluation.test_selection import write
from tests.fakes import Watch, make_entry

THINGS = (
    "copper train",
    "glass teapot",
    "night market",
    "velvet gown",
    "moss golem",
    "paper whale",
    "clay fox",
    "neon harbor",
    "iron orchard",
    "woven castle",
)
ADAPTERS: list[dict[str, Any]] = [
    {
        "id": f"x:{number}",
        "name": thing.title(),
        "description": f"Draws a {thing}.",
        "tags": thing.split(),
        "base_model": "SD 1.5",
        "creator": f"maker {number}",
        "trained_words": [thing.replace(" ", "")],
        "example_prompts": [f"{thing.replace(' ', '')}, {thing}, fog"],
    }
    for number, thing in enumerate(THINGS)
]
QUERIES: list[dict[str, Any]] = [
    *(
        {
            "id": f"n{number}",
            "prompt": f"{thing.replace(' ', '')}, bridge, rain, clouds",
            "kind": "named",
            "gold": [{"id": f"x:{number}"}],
        }
        for number, thing in enumerate(THINGS)
    ),
    *(
        {
            "id": f"s{number}",
            "prompt": f"a {thing} on a hill",
            "kind": "stylus-choice",
            "gold": [{"id": f"x:{number}"}],
        }
        for number, thing in enumerate(THINGS)
    ),
    *(
        {
            "id": f"h{number}",
            "prompt": f"{word}, smile, standing, day",
            "kind": "none",
            "none_basis": "human-no-lora",
            "gold": [],
        }
        for number, word in enumerate(("zebra", "desk", "ladder", "pillow", "spoon", "cactus"))
    ),
    *(
        {
            "id": f"l{number}",
            "prompt": f"a {word} in a room",
            "kind": "none",
            "none_basis": "lexical",
            "gold": [],
        }
        for number, word in enumerate(("zebra", "desk", "ladder", "pillow", "spoon", "cactus"))
    ),
]


@pytest.mark.long
def test_the_whole_way_with_the_real_encoder(tmp_path: Path) -> None:
    catalogue, queries = (
        write(tmp_path / "catalogue.jsonl", ADAPTERS),
        write(tmp_path / "queries.jsonl", QUERIES),
    )
    report = out_of_fold.run_training(
        catalogue, [queries], tmp_path / "ranker.json", Watch(), tmp_path / "ranking.jsonl"
    )
    made = ranker_of(json.loads((tmp_path / "ranker.json").read_text("utf-8")), FEATURES)
    assert made.tags.net.hidden.shape[1] == len(FEATURES)
    assert (made.captions.line.weights >= 0).all()
    kinds = {kind["kind"]: kind for kind in report["kinds"]}
    assert kinds["named"]["recall_at_1"] == kinds["stylus-choice"]["recall_at_1"] == 1.0
    assert kinds["none:lexical"]["left_alone"] >= 0.5
    ranking = [
        json.loads(line) for line in (tmp_path / "ranking.jsonl").read_text("utf-8").splitlines()
    ]
    assert [line["id"] for line in ranking] == [query["id"] for query in QUERIES]
    assert ranking[3]["ranking"][0] == "x:3"


def made_example(
    kind: str,
    fold: int,
    right: int,
    owners: list[int],
    tag_likeness: float = 1.0,
    shift: float = 0.0,
) -> TrainingExample:
    rng = np.random.default_rng(fold * 100 + right + 1)
    features = rng.normal(size=(len(owners), len(FEATURES))).astype(np.float32)
    marks = np.zeros(len(owners), dtype=bool)
    if right >= 0:
        marks[right] = True
        features[right, :9] += 3
        features[right, -2:] += 3
    features += np.float32(shift)
    features[:, FEATURES.index("tag_likeness")] = tag_likeness
    return TrainingExample(
        kind,
        tag_likeness,
        fold,
        frozenset((fold,)),
        features,
        marks,
        np.array(owners),
    )


def examples() -> list[TrainingExample]:
    owners = [0, 1, 2, 3, 4] * 3
    return [
        made_example(kind, fold, right, owners, share)
        for fold in range(FOLDS)
        for right in range(4)
        for share, kind in ((1.0, "named"), (0.0, "stylus-choice"))
    ] + [
        made_example(kind, fold, -1, owners, share)
        for fold in range(FOLDS)
        for share, kind in ((1.0, "none:human-no-lora"), (0.0, "none:lexical"))
    ]


@pytest.fixture(scope="module")
def made() -> Ranker:
    return train(examples(), FEATURES)


def test_what_is_right_is_learnt_and_twice_the_same(made: Ranker) -> None:
    second = train(examples(), FEATURES)
    for each in examples():
        scores = made.scores(each.features)
        assert np.array_equal(scores, second.scores(each.features))
        assert not each.right.any() or scores.argmax() == np.flatnonzero(each.right)[0]


def test_a_fold_sees_nothing_of_its_own_creators() -> None:
    for each in examples_without(examples(), 2):
        assert 2 not in each.folds
        assert 2 not in each.owners
        assert len(each.features) == len(each.right) == len(each.owners) == 12
    assert len(list(examples_without(examples(), None))) == len(examples())


def test_a_prompt_is_asked_in_the_fold_of_its_first_adapter_and_kept_from_all() -> None:
    creators = {"a": "ann", "b": "bob"}
    fold, folds = folds_of({"gold": [{"id": "a"}, {"id": "b"}], "prompt": "x"}, creators)
    assert fold == fold_of("ann")
    assert folds == {fold_of("ann"), fold_of("bob")}
    assert folds_of({"gold": [], "prompt": "x"}, creators) == (
        fold_of("x"),
        frozenset((fold_of("x"),)),
    )


@pytest.mark.parametrize(
    "kinds", [("named", "stylus-choice"), ("none:human-no-lora", "none:lexical")]
)
def test_too_little_to_learn_from_is_said(kinds: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput):
        train([each for each in examples() if each.kind in kinds], FEATURES)


def test_rescoring_puts_the_best_first_and_loses_nobody(made: Ranker) -> None:
    features = examples()[0].features
    found = Candidates(
        tuple(
            Candidate(make_entry(number), 1.0, Evidence(), {})
            for number, _ in enumerate(features, 1)
        ),
        (),
    )
    scores, sure = made.scores(features), made.certainties(features)
    again = with_scores(found, scores, sure)
    assert {each.key for each in again.found} == {each.key for each in found.found}
    assert [each.score for each in again.found] == sorted(
        (each.score for each in again.found), reverse=True
    )
    assert again.confidence == max(each.evidence.sure for each in again.found)
    assert again.found[0].key == found.found[int(scores.argmax())].key
    assert with_scores(Candidates((), ()), scores[:0], sure[:0]) == Candidates((), ())


def test_a_moved_half_makes_less_sure(made: Ranker) -> None:
    moved = with_midpoint(made, {"tags": 1.0, "captions": 0.0})
    features = examples()[0].features
    assert (moved.certainties(features) <= made.certainties(features)).all()
    features[:, FEATURES.index("tag_likeness")] = 0
    assert np.array_equal(moved.certainties(features), made.certainties(features))


def test_without_prompts_for_nothing_no_half_moves() -> None:
    assert shifts([], None) == {"captions": 0.0, "tags": 0.0}  # type: ignore[arg-type]
