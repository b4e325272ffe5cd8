from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylus_ext.core.card import Example
from stylus_ext.core.entry import Entry
from stylus_ext.core.prompt.words import content_words
from stylus_ext.selection.lexical.index import NAME, TRIGGER, LexicalIndex
from stylus_ext.selection.lexical.segment import FIELD_WEIGHTS, SATURATION, build
from stylus_ext.selection.retrieve.features import example_scores
from tests.fakes import make_entry
from tests.selection.retrieve.house import catalogue, filling


def index_of(*entries: Entry) -> LexicalIndex:
    return LexicalIndex.of([build(entries)])


def score(index: LexicalIndex, text: str, key: str) -> float:
    return float(index.card_scores(index.weigh(content_words(text)))[index.rows[key]])


def test_a_name_counts_more_than_a_tag_and_a_tag_more_than_the_text() -> None:
    index = index_of(
        make_entry(1, "heron", "plain words here"),
        make_entry(2, "plain", "plain words here", tags=("heron",)),
        make_entry(3, "plain", "heron words here"),
        make_entry(4, "plain", "plain words here", triggers=("heron",)),
    )
    name, tag, text, trigger = (
        score(index, "heron", f"civitai:{number}") for number in (1, 2, 3, 4)
    )
    assert name > tag == pytest.approx(trigger)
    assert tag > text > 0


def test_impacts_saturate() -> None:
    index = index_of(make_entry(1, "heron " * 40, "heron " * 200))
    asked = index.weigh(["heron"])
    assert score(index, "heron", "civitai:1") <= float(asked.idf[0]) * (1 + SATURATION)
    assert FIELD_WEIGHTS[0] > FIELD_WEIGHTS[-1]


def test_rare_words_tell_more() -> None:
    index = index_of(
        *(make_entry(number, f"fox {number}", "fox") for number in range(1, 30)),
        make_entry(50, "heron", "heron"),
    )
    fox, heron, unknown = index.weigh(["fox", "heron", "zorblax"]).idf
    assert fox < 0.3 < heron < unknown


def test_words_of_examples_count_for_rarity_too() -> None:
    plain = index_of(make_entry(1, "heron"), make_entry(2, "fox"), make_entry(3, "owl"))
    spoken = index_of(
        make_entry(1, "heron"),
        make_entry(2, "fox", examples=(Example("heron"),)),
        make_entry(3, "owl", examples=(Example("heron"),)),
    )
    assert spoken.weigh(["heron"]).idf[0] < plain.weigh(["heron"]).idf[0]


def test_weighing_takes_each_word_once() -> None:
    asked = index_of(make_entry()).weigh(["fox", "fox", "owl"])
    assert asked.words == ("fox", "owl")
    assert asked.mass == pytest.approx(float(asked.idf.sum()))
    assert asked.scale == pytest.approx(math.sqrt(asked.mass))
    assert asked.where(np.array([False, True])).words == ("owl",)


def test_the_best_example_and_all_together() -> None:
    entry = make_entry(
        1, "plain", examples=(Example("fox, snow"), Example("owl, night"), Example("owl, night"))
    )
    index = index_of(entry, make_entry(2, "plain"))
    asked = index.weigh(["fox", "snow", "owl", "night"])
    rows = np.array([0, 1], dtype=np.int32)
    said = example_scores(index.segments, asked, rows)
    assert said.best[0] == pytest.approx(index.example_scores(asked)[0])
    assert 0.9 * said.best[0] < said.second[0] <= said.best[0]
    assert said.second[0] <= said.mean[0] <= said.best[0]
    assert said.together[0] == pytest.approx(2 * said.best[0], rel=0.1)
    assert said.count.tolist() == [2, 0]
    assert said.number.tolist() == [2, 0]
    assert said.mass[0] == pytest.approx(
        max(float(asked.idf[:2].sum()), float(asked.idf[2:].sum()))
    )
    assert said.rarest[0] == pytest.approx(float(asked.idf.max()))
    assert said.holders.tolist() == [[1, 0]] * 4
    assert said.best[1] == said.together[1] == 0


def test_common_words_of_english_are_no_rarity_in_a_small_catalogue() -> None:
    """Ten files of somebody's own do not tell that power and glass are words like others; a coined
    one is rare anywhere.
    """
    index = index_of(
        *(
            make_entry(number, name)
            for number, name in enumerate(("Power", "Glass", "Vanthal", *"abcdefg"), 1)
        )
    )
    power, glass, coined = index.weigh(["power", "glass", "vanthal"]).idf
    assert power < 4.5 < coined
    assert glass < coined - 1.5


def test_in_a_big_catalogue_only_its_own_cards_tell_what_is_rare() -> None:
    index = index_of(
        *(make_entry(number, f"thing{number}") for number in range(1600)),
        make_entry(5000, "Power"),
        make_entry(5001, "Vanthal"),
    )
    power, coined = index.weigh(["power", "vanthal"]).idf
    assert power == pytest.approx(coined)


class TestCalled:
    def called(self, text: str, *entries: Entry) -> set[tuple[str, int]]:
        index = index_of(*entries)
        found = index.named(index.weigh(content_words(text)))
        assert (found.masses > 0).all()
        return {
            (index.key(row), kind)
            for row, kind in zip(found.rows.tolist(), found.kinds.tolist(), strict=True)
        }

    def test_every_word_must_stand_in_the_text(self) -> None:
        entry = make_entry(1, "Mira Vanthal", triggers=("red scarf",))
        assert self.called("vanthal and mira", entry) == {("civitai:1", NAME)}
        assert self.called("a red scarf", entry) == {("civitai:1", TRIGGER)}
        assert self.called("mira with a red hat", entry) == set()

    def test_a_word_said_twice_is_one_word(self) -> None:
        assert self.called("mira mira", make_entry(1, "Mira Vanthal")) == set()

    def test_nothing_asked_nothing_called(self) -> None:
        assert self.called("", make_entry(1, "Mira Vanthal")) == set()
        assert self.called("zorblax", make_entry(1, "Mira Vanthal")) == set()


def test_a_later_segment_replaces_and_the_gone_are_dead() -> None:
    first = build([make_entry(1, "heron"), make_entry(2, "fox"), make_entry(3, "owl")])
    second = build([make_entry(2, "heron")])
    index = LexicalIndex.of([first, second], frozenset(["civitai:3"]))
    assert len(index.rows) == 2
    assert index.alive.tolist() == [True, False, False, True]
    assert index.key(3) == "civitai:2"
    with pytest.raises(IndexError):
        index.key(4)


def test_labels_of_several_segments() -> None:
    first, second = (
        build([make_entry(1, family="sdxl"), make_entry(2, family="sd1")]),
        build([make_entry(3, family="sd1")]),
    )
    labels = LexicalIndex.of([first, second]).labels
    assert labels.rows_with(["=sd1"]).tolist() == [False, True, True]
    assert labels.rows_with([]).tolist() == [False, False, False]
    assert set(labels.families) == {"sdxl", "sd1"}


def test_an_index_of_nothing() -> None:
    index = LexicalIndex.of([])
    asked = index.weigh(["fox"])
    assert (
        len(index.card_scores(asked))
        == len(index.example_scores(asked))
        == len(index.named(asked).rows)
        == 0
    )
    empty = index_of()
    assert len(empty.card_scores(empty.weigh(["fox"]))) == 0


ENTRIES = [*catalogue(), *filling(40)]
WORDS = sorted(
    {word for entry in ENTRIES for word in content_words(f"{entry.card.name} {entry.text}")}
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=6), st.integers(0, len(ENTRIES)))
def test_few_rows_and_split_segments_say_the_same(asked: list[str], cut: int) -> None:
    index = LexicalIndex.of([build(ENTRIES[:cut]), build(ENTRIES[cut:])])
    words = index.weigh(asked)
    rows = np.arange(len(ENTRIES), dtype=np.int32)
    np.testing.assert_allclose(
        index.card_impacts(words, rows).sum(axis=0), index.card_scores(words), rtol=1e-4, atol=1e-5
    )
    best = example_scores(index.segments, words, rows).best
    np.testing.assert_allclose(best, index.example_scores(words), rtol=1e-4, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, len(ENTRIES) - 1), max_size=12, unique=True),
    st.lists(st.integers(0, len(ENTRIES) - 1), max_size=4, unique=True),
)
def test_what_was_replaced_or_removed_makes_no_word_more_common(
    again: list[int], gone: list[int]
) -> None:
    """A file that is hashed is written again, word for word: nothing may be less telling for it."""
    removed = frozenset(str(ENTRIES[at].key) for at in gone)
    parts = [build(ENTRIES), build([ENTRIES[at] for at in again if at not in gone])]
    index = LexicalIndex.of(parts, removed)
    fresh = LexicalIndex.of([build([entry for at, entry in enumerate(ENTRIES) if at not in gone])])
    np.testing.assert_allclose(index.weigh(WORDS).idf, fresh.weigh(WORDS).idf, rtol=1e-6)
