"""A real, tiny cross-encoder of random weights, offline."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylus_ext.catalogue.embedders.local import model_files
from stylus_ext.core.composition import Candidate, Candidates
from stylus_ext.core.errors import DeadlineExceeded, StylusError, Unavailable
from stylus_ext.core.settings import Reranking
from stylus_ext.selection.rerank import CrossEncoderReranker, EndpointReranker, reranker_for
from tests.fakes import make_entry
from tests.selection.retrieve.house import query
from tests.tiny_models import cross_encoder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cross_encoder(tmp_path_factory.mktemp("model") / "tiny")


def found(number: int = 20) -> Candidates:
    return Candidates(
        tuple(
            Candidate(make_entry(at + 1, f"Copper train number {at} " + "fog " * at), 1 - at / 100)
            for at in range(number)
        ),
        (),
    )


def test_it_ranks_by_what_the_model_says(model: Path) -> None:
    one = CrossEncoderReranker(lambda: model_files(str(model)).folder)
    ranked = one.rerank(query("a copper train"), found())
    assert sorted(str(candidate.key) for candidate in ranked.found) == sorted(
        str(candidate.key) for candidate in found().found
    )
    scores = [candidate.score for candidate in ranked.found]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 5
    assert one.rerank(query("a copper train"), found()) == ranked
    assert one.rerank(query("\ud800 夜"), found(2)).found


def test_only_the_foremost_are_read(model: Path) -> None:
    ranked = CrossEncoderReranker(lambda: model, most=5).rerank(query("a copper train"), found())
    first = {str(candidate.key) for candidate in ranked.found[:5]}
    assert first == {str(candidate.key) for candidate in found().found[:5]}
    assert len(ranked.found) == 20


def test_the_deadline_is_kept_between_batches(model: Path) -> None:
    one = CrossEncoderReranker(lambda: model, deadline_s=-1.0)
    with pytest.raises(DeadlineExceeded, match="rerank_deadline"):
        one.rerank(query("a train"), found())


def test_a_model_of_several_classes_ranks_nothing(tmp_path: Path) -> None:
    many = cross_encoder(tmp_path / "classes", labels=3)
    with pytest.raises(Unavailable):
        CrossEncoderReranker(lambda: many).rerank(query("a train"), found(2))


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(StylusError):
        CrossEncoderReranker(lambda: tmp_path).rerank(query("a train"), found(2))
    with pytest.raises(StylusError):
        CrossEncoderReranker(lambda: model_files(str(tmp_path)).folder).rerank(
            query("a train"), found(2)
        )


def test_which_one_is_set(tmp_path: Path) -> None:
    def made(**said: str) -> object:
        return reranker_for(Reranking(**said), "cpu", Path, lambda url: None)  # type: ignore[arg-type]  # texts alone are said

    assert made() is None
    assert isinstance(made(rerank_model="tiny"), CrossEncoderReranker)
    assert isinstance(made(rerank_model="tiny", rerank_url="http://127.0.0.1:1"), EndpointReranker)
