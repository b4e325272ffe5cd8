"""What must hold for any catalogue, any history of changes and any prompt."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterKey, Example
from stylus_ext.core.entry import STATES, Edits, Entry
from stylus_ext.core.family import ANY, Compatibility, compatibility
from stylus_ext.core.prompt.words import content_words
from stylus_ext.selection.lexical.catalogue import LexicalCatalogue
from stylus_ext.selection.lexical.index import LexicalIndex
from stylus_ext.selection.lexical.segment import build
from stylus_ext.selection.ranker import ranker
from stylus_ext.selection.retrieve.features import (
    CAPTION_WEIGHTS,
    FEATURES,
    TAG_WEIGHTS,
    span_features,
)
from tests.fakes import make_entry
from tests.selection.retrieve.house import House

WORDS = "heron copper train teapot velvet gown lantern market fox snow 狐狸 Brücke".split()
PHRASES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)
FAMILIES = ("sd1", "sdxl", "pony", "illustrious", "flux1", "unknown")


@st.composite
def made(draw: st.DrawFn) -> Entry:
    return make_entry(
        draw(st.integers(1, 9)),
        draw(PHRASES),
        draw(PHRASES),
        tags=tuple(draw(st.lists(PHRASES, max_size=2))),
        triggers=tuple(draw(st.lists(PHRASES, max_size=2))),
        examples=tuple(map(Example, draw(st.lists(PHRASES, max_size=2)))),
        family=draw(st.sampled_from(FAMILIES)),
    )


CHANGES = st.lists(
    st.one_of(made(), st.integers(1, 9).map(AdapterKey.civitai)), min_size=1, max_size=6
)


def scores(index: LexicalIndex, text: str) -> dict[str, list[float]]:
    """By key: how the card, the best example, and the whole of a name or trigger answer to the
    text; idf set aside.
    """
    asked = index.weigh(content_words(text))
    asked = type(asked)(asked.words, np.ones_like(asked.idf))
    called = index.named(asked)
    masses = np.zeros(len(index.alive), dtype=np.float32)
    np.maximum.at(masses, called.rows, called.masses)
    columns = (index.card_scores(asked), index.example_scores(asked), masses)
    return {
        key: [round(float(column[row]), 3) for column in columns] for key, row in index.rows.items()
    }


@settings(max_examples=15, deadline=None)
@given(st.lists(made(), max_size=5), st.lists(CHANGES, max_size=4), PHRASES)
def test_small_segments_say_what_one_made_anew_says(
    first: list[Entry], history: list[list[Entry | AdapterKey]], text: str
) -> None:
    """Whatever was added, replaced and removed in between; the lengths of fields are compared with
    a mean of their segment.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder))
        try:
            store.write(first)
            kept = LexicalCatalogue(store, Path(folder) / "lexical")
            kept.current()
            for changes in history:
                for change in changes:
                    if isinstance(change, Entry):
                        store.write([change])
                    else:
                        store.remove([change])
                small = kept.current()
                whole = LexicalIndex.of(
                    [build(change.entry for change in store.changes(0) if change.entry is not None)]
                )
                assert set(small.rows) == set(whole.rows)
                held, wanted = scores(small, text), scores(whole, text)
                assert {key: [value > 0 for value in values] for key, values in held.items()} == {
                    key: [value > 0 for value in values] for key, values in wanted.items()
                }
                assert {key: values[2] for key, values in held.items()} == {
                    key: values[2] for key, values in wanted.items()
                }
                assert small.alive.sum() == len(small.rows)
        finally:
            store.close()


class TestWhatMayBeFound:
    @pytest.mark.parametrize("family", [*FAMILIES[:-1], ANY])
    @pytest.mark.parametrize("partial", [False, True])
    def test_only_what_works_with_the_model_and_relatives_after_their_own(
        self, house: House, family: str, partial: bool
    ) -> None:
        house.add(
            [
                make_entry(
                    600 + number, "Moss Golem", kind="concept", family=each, model_id=600 + number
                )
                for number, each in enumerate(FAMILIES)
            ]
        )
        found = [
            each.entry for each in house.find("a moss golem", family=family, partial=partial).found
        ]
        assert any(entry.card.name == "Moss Golem" for entry in found)
        if family != ANY:
            levels = {compatibility(entry.family, family) for entry in found}
            assert (
                levels <= {Compatibility.FULL, Compatibility.PARTIAL}
                if partial
                else levels == {Compatibility.FULL}
            )
            assert found[0].family == family

    @pytest.mark.parametrize("policy", ["hybrid", "cosine", "lexical", "random"])
    @pytest.mark.parametrize("state", STATES)
    def test_only_wins_over_every_state(self, house: House, policy: str, state: Any) -> None:
        house.store.edit(AdapterKey.civitai(3), Edits(state=state))
        only = frozenset((AdapterKey.civitai(4), AdapterKey.civitai(5)))
        assert {
            each.key for each in house.find("a copper train", policy=policy, only=only).found
        } == only

    def test_always_wins_over_veto_and_nsfw_but_not_over_the_family(self, house: House) -> None:
        house.add([make_entry(60, "Boudoir Light", nsfw=True, edits=Edits(state="always"))])
        assert "Boudoir Light" in house.names("a teapot", negative="boudoir light")
        assert "Boudoir Light" not in house.names("a teapot", family="flux1")

    @pytest.mark.parametrize(
        ("negative", "there"),
        [
            ("teapot", False),
            ("(teapot:1.4)", False),
            ("(teapot:0.3)", True),
            ("[[[[teapot]]]]", False),
            ("[[[[[[[[teapot]]]]]]]]", True),
            ("teapots", False),
            ("tea", True),
            ("pot", True),
            ("red teapot", True),
            ("worst quality, lowres, bad hands", True),
            ("", True),
        ],
    )
    def test_the_veto_wants_the_whole_name_trigger_or_tag(
        self, house: House, negative: str, there: bool
    ) -> None:
        assert ("Teapot World" in house.names("a teapot", negative=negative)) is there

    @pytest.mark.parametrize(
        ("prompt", "there"),
        [
            ("boudoir light, woman, bed", False),
            ("boudoir light, (nude:0.8) woman", True),
            ("nsfw, boudoir light", True),
            ("boudoir light, analysis", False),
            ("boudoir light, a cockatoo", False),
        ],
    )
    def test_what_asks_for_it_is_a_word_and_no_part_of_one(
        self, house: House, prompt: str, there: bool
    ) -> None:
        house.add([make_entry(60, "Boudoir Light", nsfw=True)])
        assert ("Boudoir Light" in house.names(prompt)) is there


class TestSurety:
    def test_more_of_what_speaks_for_a_row_never_lowers_its_score(self) -> None:
        assert (TAG_WEIGHTS >= 0).all()
        assert (CAPTION_WEIGHTS >= 0).all()

    @pytest.mark.parametrize("is_tags", [True, False])
    def test_the_lines_rise_with_coverage_and_with_closeness(self, is_tags: bool) -> None:
        """The surety is monotone: everything that a line looks at, spans included, grows with what
        speaks for a row.
        """
        rng = np.random.default_rng(3)
        line = (ranker().tags if is_tags else ranker().captions).line
        looked_at = {
            name for name, weight in zip(FEATURES, line.weights, strict=True) if weight > 0
        }
        assert (line.weights >= 0).all()
        assert not looked_at & {
            "words",
            "mass",
            "spans",
            "tag_likeness",
            "title_usual",
            "text_usual",
            "character",
            "style",
            "tool",
            "weak",
        }
        for _ in range(50):
            coverage, closeness, meaning = rng.random((3, 4, 30)).astype(np.float32)
            more = [part.copy() for part in (coverage, closeness, meaning)]
            more[rng.integers(3)][rng.integers(4), 7] += np.float32(rng.random())
            before, after = (
                span_features(coverage, closeness, meaning, (0, 2, 3)),
                span_features(more[0], more[1], more[2], (0, 2, 3)),
            )
            assert all(new[7] >= old[7] - 1e-6 for old, new in zip(before, after, strict=True))

    def test_a_name_makes_surer_than_a_neighbouring_word(self, house: House) -> None:
        def sure(prompt: str, name: str) -> float:
            return next(
                each.evidence.sure
                for each in house.find(prompt).found
                if each.entry.card.name == name
            )

        assert sure("knittedthing, bridge, fog, rain", "Knitted Everything") > sure(
            "wool, bridge, fog, rain", "Knitted Everything"
        )
        assert sure("wool, bridge, fog, rain", "Knitted Everything") > sure(
            "zebra, bridge, fog, rain", "Knitted Everything"
        )


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.sampled_from([*WORDS, "zebra", "(fog:1.2)", "<lora:x:1>", "BREAK", "AND", "{a|b}"]),
        max_size=8,
    ),
    st.sampled_from([", ", " "]),
)
def test_any_prompt_gives_a_ranking_twice_the_same(words: list[str], joint: str) -> None:
    house = _shared_house()
    prompt = joint.join(words)
    found = house.find(prompt)
    assert found == house.find(prompt)
    assert [each.score for each in found.found] == sorted(
        (each.score for each in found.found), reverse=True
    )
    assert found.confidence == max((each.evidence.sure for each in found.found), default=0.0)
    assert not {each.key for each in found.found} & {miss.key for miss in found.refused}
    assert all(prompt[span.start : span.end] == span.text for span in found.spans)


_HOUSES: list[House] = []


def _shared_house() -> House:
    return _HOUSES[0]


@pytest.fixture(scope="module", autouse=True)
def _opened(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from tests.selection.retrieve.house import catalogue, filling, open_house

    house = open_house(tmp_path_factory.mktemp("house"), [*catalogue(), *filling(60)])
    _HOUSES.append(house)
    yield
    _HOUSES.clear()
    house.store.close()
