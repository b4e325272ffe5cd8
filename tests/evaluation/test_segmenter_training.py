"""Training the segmenter on a few invented captions: what is learnt, what is left out, what is
written.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.prompt.phrases import spans
from stylus_ext.core.prompt.segmenter import Segmenter, segmenter_of
from stylus_ext.evaluation.captions import (
    CaptionExample,
    batch_of,
    caption_example,
    run_segmenter,
    train_segmenter,
    vocabulary,
)
from stylus_ext.evaluation.tasks import score
from tests.fakes import Watch

ANIMALS = ("fox", "owl", "bear", "cat", "dog", "horse", "rabbit", "wolf")
PLACES = ("snow", "forest", "harbor", "kitchen", "meadow", "castle")


def record(number: int, animal: str, place: str) -> dict[str, Any]:
    """Whoever cut these counts what an animal does among the tasks, and no place."""
    return {
        "row": number,
        "prompt": f"a {animal} sleeping in a {place}",
        "tasks": {f"{animal} sleeping": 1},
    }


RECORDS = [
    record(number, animal, place)
    for number, (animal, place) in enumerate(
        (animal, place) for animal in ANIMALS for place in PLACES
    )
]


@pytest.fixture(scope="module")
def lessons() -> list[CaptionExample]:
    return [caption_example(each) for each in RECORDS] * 4


@pytest.fixture(scope="module")
def segmenter(lessons: list[CaptionExample]) -> Segmenter:
    return train_segmenter(lessons)


def test_how_well_each_run_matches() -> None:
    lesson = caption_example(RECORDS[0])
    text = RECORDS[0]["prompt"]
    said = {
        text[slice(*lesson.found.offsets_of(*place))]: match
        for place, match in zip(lesson.found.places.tolist(), lesson.matches[:, 0], strict=True)
    }
    assert said["fox sleeping"] == said["a fox sleeping"] == 1.0
    assert said["fox"] == pytest.approx(2 / 3)
    assert said["snow"] == said["a"] == 0.0


def test_the_same_caption_is_always_in_the_same_fold() -> None:
    assert (
        caption_example({"prompt": "A fox.", "tasks": {}}).fold
        == caption_example({"prompt": " a  FOX. ", "tasks": {}}).fold
    )


def test_rare_words_are_not_learnt_by_heart() -> None:
    known = vocabulary(
        [caption_example(each) for each in (*RECORDS, record(99, "axolotl", "snow"))]
    )
    assert {"fox", "snow"} <= set(known)
    assert "axolotl" not in known
    assert min(known.values()) == 2


def test_lessons_stand_beside_each_other_without_mixing(lessons: list[CaptionExample]) -> None:
    known = vocabulary(lessons)
    page, alone = batch_of(lessons[:3], known), batch_of(lessons[2:3], known)
    mine = page.owners == 2
    shift = sum(page.lengths[:2])
    nobody, nobody_alone = len(page.words) - 1, len(alone.words) - 1
    assert np.array_equal(page.words[page.edges[mine]], alone.words[alone.edges])
    assert np.array_equal(page.within[mine] - shift, alone.within)
    assert ((page.edges[mine] == nobody) == (alone.edges == nobody_alone)).all()
    assert np.array_equal(page.matches[mine], alone.matches)


def test_what_others_cut_is_learnt(segmenter: Segmenter) -> None:
    mine = [
        [span.text for span in spans(parse_prompt(each["prompt"]), segmenter)] for each in RECORDS
    ]
    by_rule = [[span.text for span in spans(parse_prompt(each["prompt"]))] for each in RECORDS]
    assert score(RECORDS, mine).f1 > score(RECORDS, by_rule).f1
    assert score(RECORDS, mine).f1 > 0.9


def test_twice_the_same(segmenter: Segmenter, lessons: list[CaptionExample]) -> None:
    again = train_segmenter(lessons)
    assert np.array_equal(segmenter.vectors, again.vectors)
    assert np.array_equal(segmenter.hidden, again.hidden)


def test_the_vector_of_no_word_stays_zero(segmenter: Segmenter) -> None:
    assert not segmenter.vectors[0].any()


@pytest.mark.long
def test_the_whole_way(tmp_path: Path) -> None:
    tasks, out = tmp_path / "tasks.jsonl", tmp_path / "segmenter.json"
    tasks.write_text("".join(json.dumps(each) + "\n" for each in RECORDS), "utf-8")
    report = run_segmenter(tasks, out, Watch())
    assert report["prompts"] == len(RECORDS)
    assert 0 < report["f1"] <= 1
    assert "fox" in segmenter_of(json.loads(out.read_text("utf-8"))).words


def test_one_caption_is_too_little(tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text(json.dumps(RECORDS[0]) + "\n", "utf-8")
    with pytest.raises(InvalidInput):
        run_segmenter(tasks, tmp_path / "segmenter.json", Watch())
