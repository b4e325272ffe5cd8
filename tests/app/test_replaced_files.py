"""A file that is replaced in place by another LoRA leaves nothing of the old one behind, and takes nothing along."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stylus_ext.core.description import Edits
from tests.app.shelves import SIZES, STARTED, Put, Shelf, civitai, path_key

NAMES = ("fox", "owl")


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path)
    yield made
    made.store.close()


def put(shelf: Shelf, name: str, content: int, *, stated: bool = False) -> None:
    time = 1 + max((old.time for old in shelf.files.values()), default=0)
    shelf.files[name] = Put(content, time, stated)


def settled(shelf: Shelf, name: str, content: int) -> None:
    put(shelf, name, content)
    shelf.settle()


# --- as a property

PUT = st.tuples(st.just("put"), st.sampled_from(NAMES), st.integers(0, len(SIZES) - 1), st.booleans())
STEP = st.one_of(
    PUT,
    PUT,
    st.just(("settle",)),
    st.tuples(st.sampled_from(("index", "index", "stock", "hash", "reopen"))),
    st.tuples(st.just("remove"), st.sampled_from(NAMES)),
    st.tuples(st.just("edit file"), st.sampled_from(NAMES), st.integers(1, 9)),
    st.tuples(st.just("edit starter"), st.sampled_from(STARTED), st.integers(1, 9)),
)


def act(shelf: Shelf, step: tuple[object, ...]) -> None:
    match step:
        case ("put", str(name), int(content), bool(stated)):
            put(shelf, name, content, stated=stated)
        case ("remove", str(name)):
            shelf.files.pop(name, None)
        case ("settle",):
            shelf.settle()
        case ("index",):
            shelf.index()
        case ("stock",):
            shelf.stock()
        case ("hash",):
            shelf.learn_hashes()
        case ("reopen",):
            shelf.store.close()
            shelf.open()
        case (_, target, int(tenths)):
            key = path_key(target) if isinstance(target, str) else civitai(int(str(target)))
            if shelf.store.resolve([key]):
                shelf.store.edit(key, Edits(weight=tenths / 10))


def check(folder: Path, steps: list[tuple[object, ...]]) -> None:
    shelf = Shelf(folder / "lived")
    try:
        for step in steps:
            act(shelf, step)
        shelf.settle()
        lived, edits = shelf.seen(), shelf.edits()
    finally:
        shelf.store.close()
    fresh = Shelf(folder / "fresh", dict(shelf.files))
    try:
        fresh.settle()
        assert lived == fresh.seen()
    finally:
        fresh.store.close()
    again = folder / "again"
    again.mkdir()
    if (shelf.home / "user.jsonl").exists():
        shutil.copy(shelf.home / "user.jsonl", again)
    replayed = Shelf(again, dict(shelf.files))
    try:
        replayed.settle()
        assert lived == replayed.seen()
        assert edits == replayed.edits()
    finally:
        replayed.store.close()


SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


@settings(max_examples=20, deadline=None, suppress_health_check=SLOW)
@given(steps=st.lists(STEP, max_size=12))
def test_whatever_happened_the_catalogue_is_that_of_the_final_state(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[object, ...]]
) -> None:
    check(tmp_path_factory.mktemp("shelf"), steps)


@pytest.mark.long
@settings(max_examples=600, deadline=None, suppress_health_check=SLOW)
@given(steps=st.lists(STEP, max_size=20))
def test_whatever_happened_for_long_the_catalogue_is_that_of_the_final_state(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[object, ...]]
) -> None:
    check(tmp_path_factory.mktemp("shelf"), steps)
