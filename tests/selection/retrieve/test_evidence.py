from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stylus_ext.selection.lexical.catalogue import LexicalCatalogue
from stylus_ext.selection.ranker import ranker
from stylus_ext.selection.retrieve.features import (
    CAPTION_WEIGHTS,
    FEATURES,
    MAIN,
    TAG_WEIGHTS,
    Features,
    features,
)
from stylus_ext.selection.retrieve.query import MAX_EMBEDDED_SPANS, RetrievalQuery, retrieval_query
from stylus_ext.selection.retrieve.retrievers import confidence
from tests.fakes import make_entry
from tests.selection.retrieve.house import House, filling, open_house, query


def asked(house: House, prompt: str) -> tuple[RetrievalQuery, Features, dict[str, int]]:
    lexical = LexicalCatalogue(house.store, house.folder / "lexical").current()
    put = retrieval_query(query(prompt), lexical, house.embedder)
    rows = np.arange(len(lexical.alive), dtype=np.int32)
    return (
        put,
        features(put, lexical, house.index, rows, lexical.named(put.words)),
        dict(lexical.rows),
    )


def column(found: Features, name: str) -> np.ndarray:  # type: ignore[type-arg]
    return found.values[:, FEATURES.index(name)]


class TestFeatures:
    def test_each_weight_has_its_column(self, house: House) -> None:
        put, found, _ = asked(house, "a copper train")
        assert ranker().features == FEATURES
        assert found.values.shape[1] == len(FEATURES)
        assert len(MAIN) == len(TAG_WEIGHTS) == len(CAPTION_WEIGHTS)
        weights = put.tag_likeness * TAG_WEIGHTS + (1 - put.tag_likeness) * CAPTION_WEIGHTS
        assert column(found, "score") == pytest.approx(
            found.values[:, : len(MAIN)] @ weights, rel=1e-5
        )

    def test_a_lead_is_over_the_tenth(self, house: House) -> None:
        _, found, _ = asked(house, "a copper train")
        ranked = np.sort(column(found, "score"))[::-1]
        assert column(found, "lead").max() == pytest.approx(ranked[0] - ranked[9], abs=1e-5)

    def test_below_is_how_far_a_row_lies_under_the_best(self, house: House) -> None:
        _, found, _ = asked(house, "a copper train")
        for name in ("card", "title", "example_share"):
            assert column(found, f"{name}_below").max() == 0
            assert np.ptp(column(found, f"{name}_below")) == pytest.approx(
                np.ptp(column(found, name)), abs=1e-5
            )

    def test_exact_wants_the_whole_span(self, house: House) -> None:
        put, found, rows = asked(house, "mira vanthal, goggles, castle, fog")
        assert column(found, "exact")[rows["civitai:2"]] == pytest.approx(
            np.sqrt(float(put.words.idf[put.span_words[0]].sum()))
        )
        _, found, rows = asked(house, "mira vanthal smiling, castle, rain, fog")
        assert column(found, "exact")[rows["civitai:2"]] == 0
        assert column(found, "name")[rows["civitai:2"]] > 0

    def test_coverage_is_a_share(self, house: House) -> None:
        _, found, rows = asked(house, "a copper train beside a teapot")
        assert found.coverage.min() >= 0
        assert found.coverage.max() <= 1
        assert found.coverage[0].argmax() == rows["civitai:3"]
        assert found.coverage[1].argmax() == rows["civitai:4"]

    def test_closeness_is_the_cosine_of_the_title(self, house: House) -> None:
        put, found, rows = asked(house, "a copper train beside a teapot")
        vector = house.index.rows[
            "title", next(key for _, key in house.index.rows if str(key) == "civitai:3")
        ][1]
        spoken = house.embedder.embed([put.spans[0].text])[0]
        assert found.closeness[0, rows["civitai:3"]] == pytest.approx(
            float(spoken @ vector), abs=1e-5
        )

    def test_a_prompt_without_spans_has_features(self, house: House) -> None:
        put, found, _ = asked(house, "masterpiece, best quality")
        assert put.spans == ()
        assert np.isfinite(found.values).all()
        assert np.isfinite(ranker().certainties(found.values)).all()


class TestQuestion:
    def test_only_the_telling_spans_get_a_vector(self, house: House) -> None:
        put, _, _ = asked(
            house, ", ".join(f"word{number} thing" for number in range(40)) + ", mira vanthal"
        )
        assert len(put.spans) == 41
        assert len(put.embedded) == len(put.span_vectors) == MAX_EMBEDDED_SPANS
        assert list(put.embedded) == sorted(put.embedded)

    def test_the_same_span_twice_is_embedded_once(self, house: House) -> None:
        put, _, _ = asked(house, "teapot, train, teapot, fog")
        assert put.embedded == (0, 1, 3)

    def test_networks_are_no_words(self, house: House) -> None:
        put, _, _ = asked(house, "a fox <lora:teapot:1>")
        assert "teapot" not in put.words.words


class TestSurety:
    def test_between_nothing_and_certainty(self, house: House) -> None:
        put, found, _ = asked(house, "mira vanthal, goggles, castle, fog")
        sure = ranker().certainties(found.values)
        assert 0 <= sure.min() <= sure.max() <= 1

    def test_nothing_found_nothing_sure(self, house: House) -> None:
        _, found, _ = asked(house, "a fox")
        assert ranker().certainties(found.values[:0]).shape == (0,)
        assert confidence(()) == 0.0

    def test_nobody_to_look_at_has_no_features(self, house: House) -> None:
        lexical = LexicalCatalogue(house.store, house.folder / "lexical").current()
        put = retrieval_query(query("mira vanthal, fog, rain, castle"), lexical, house.embedder)
        none = features(
            put, lexical, house.index, np.zeros(0, dtype=np.int32), lexical.named(put.words)
        )
        assert none.values.shape == (0, len(FEATURES))


def test_a_whole_tag_is_exact_as_written_and_as_one_word(tmp_path: Path) -> None:
    entries = [
        make_entry(1, "Zorvel Pix", triggers=("zorvel pix",)),
        make_entry(2, "Zorvelpix", triggers=("zorvelpix",)),
        make_entry(3, "Zorvel", triggers=("zorvel",)),
    ]
    house = open_house(tmp_path / "house", [*entries, *filling(20)])
    _, found, rows = asked(house, "zorvel pix, castle, fog")
    exact = column(found, "exact")
    assert exact[rows["civitai:1"]] > 0
    assert exact[rows["civitai:2"]] > 0
    assert exact[rows["civitai:3"]] == 0
    house.store.close()
