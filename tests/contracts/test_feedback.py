"""What every `Verdicts` keeps to. A new one adds a builder to `BUILDERS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.feedback import Feedback, Verdict
from tests.fakes import MemoryVerdicts

KEY, OTHER = AdapterKey.civitai(1), AdapterKey.path("my fox")


@contextmanager
def _sqlite(folder: Path) -> Iterator[Feedback]:
    with closing(SqliteStore(folder)) as store:
        yield store.verdicts


@contextmanager
def _memory(folder: Path) -> Iterator[Feedback]:
    yield MemoryVerdicts()


BUILDERS: dict[str, Callable[[Path], object]] = {"sqlite": _sqlite, "memory": _memory}


@pytest.fixture(params=BUILDERS)
def verdicts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Feedback]:
    with BUILDERS[request.param](tmp_path) as made:  # type: ignore[attr-defined]
        yield made


def test_they_are_counted_by_adapter_and_prompt(verdicts: Feedback) -> None:
    for key, prompt in ((KEY, "a fox"), (KEY, "a fox"), (OTHER, "a fox"), (KEY, "rain")):
        verdicts.tell(key, prompt, wrong=True)
    assert set(verdicts.all()) == {
        Verdict(KEY, "a fox", 2),
        Verdict(OTHER, "a fox", 1),
        Verdict(KEY, "rain", 1),
    }


def test_one_is_taken_back_for_just_its_prompt(verdicts: Feedback) -> None:
    verdicts.tell(KEY, "a fox", wrong=True)
    verdicts.tell(KEY, "rain", wrong=True)
    verdicts.tell(KEY, "a fox", wrong=False)
    verdicts.tell(OTHER, "never said", wrong=False)
    assert verdicts.all() == (Verdict(KEY, "rain", 1),)


def test_every_change_has_a_mark_of_its_own(verdicts: Feedback) -> None:
    marks = [verdicts.mark]
    for wrong in (True, True, False):
        verdicts.tell(KEY, "a fox", wrong=wrong)
        marks.append(verdicts.mark)
    assert len(set(marks)) == len(marks)
    assert verdicts.mark == verdicts.mark


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(min_size=1, max_size=200))
def test_any_text_is_kept(verdicts: Feedback, prompt: str) -> None:
    verdicts.tell(KEY, prompt, wrong=True)
    assert any(verdict.prompt == prompt for verdict in verdicts.all())
