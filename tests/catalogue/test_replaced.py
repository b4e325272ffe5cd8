"""A file that is replaced in place by another LoRA leaves nothing of the old one behind, and takes
nothing along.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stylus_ext.catalogue.refresh import HashFiles
from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import Digests, LocalFile
from stylus_ext.core.entry import Edits
from stylus_ext.core.ports import Progress, Sighting
from tests.catalogue.shelves import SIZES, STARTED, Shelf, civitai, path_key, place, sha
from tests.fakes import Watch, make_card

NAMES = ("fox", "owl")


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path)
    yield made
    made.store.close()


def settled(shelf: Shelf, name: str, content: int) -> None:
    shelf.put(name, content)
    shelf.settle()


# --- as a property

PUT = st.tuples(
    st.just("put"), st.sampled_from(NAMES), st.integers(0, len(SIZES) - 1), st.booleans()
)
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
            shelf.put(name, content, stated=stated)
        case ("remove", str(name)):
            shelf.files.pop(name, None)
        case ("settle",):
            shelf.settle()
        case ("index",):
            shelf.index()
        case ("stock",):
            shelf.load_starter()
        case ("hash",):
            shelf.learn_hashes()
        case ("reopen",):
            shelf.store.close()
            shelf.open()
        case (_, target, int(tenths)):
            key = path_key(target) if isinstance(target, str) else civitai(int(str(target)))
            if shelf.store.resolve([key]):
                shelf.store.edit(
                    key,
                    (
                        Edits(weight=tenths / 10)
                        if tenths < 6
                        else Edits(state="never", text=f"mine {tenths}")
                    ),
                )


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


@pytest.mark.parametrize("settled_before", [False, True])
@pytest.mark.parametrize("stated", [False, True])
def test_words_about_a_file_are_found_again_when_it_is_gone(
    tmp_path: Path, stated: bool, settled_before: bool
) -> None:
    """By the names that it got after they were said."""
    steps = [
        ("put", "owl", 1, stated),
        ("settle",),
        ("put", "owl", 0, stated),
        ("edit file", "owl", 3),
        ("remove", "owl"),
    ]
    check(tmp_path, [*steps[:4], ("settle",), steps[4]] if settled_before else list(steps))


# --- one by one


def test_the_old_words_go_and_the_listed_adapter_is_an_entry_of_its_own_again(shelf: Shelf) -> None:
    settled(shelf, "fox", 0)
    assert shelf.at(path_key("fox")).triggers == ("starter0",)
    assert shelf.at(civitai(0)).key == path_key("fox")
    since = shelf.store.revision
    settled(shelf, "fox", 1)
    entry, old = shelf.at(path_key("fox")), shelf.at(civitai(0))
    assert (entry.triggers, entry.family, entry.stem) == (("starter1",), "sdxl", "fox")
    assert (old.key, old.triggers, old.files) == (civitai(0), ("starter0",), ())
    assert shelf.store.resolve([sha(0), sha(1)]) == {sha(0): civitai(0), sha(1): path_key("fox")}
    assert {path_key("fox"), civitai(0), civitai(1)} <= {
        change.key for change in shelf.store.changes(since)
    }


def test_another_size_tells_at_once_and_the_same_size_when_the_hash_is_known(shelf: Shelf) -> None:
    settled(shelf, "fox", 0)
    shelf.put("fox", 3)
    shelf.index()
    assert (shelf.at(path_key("fox")).triggers, shelf.at(civitai(0)).files) == ((), ())
    settled(shelf, "fox", 0)
    shelf.put("fox", 1)
    shelf.index()
    assert shelf.at(path_key("fox")).triggers == ("starter0",)
    assert shelf.store.files()[place("fox")].sha256 is None
    shelf.learn_hashes()
    assert shelf.at(path_key("fox")).triggers == ("starter1",)
    assert shelf.at(civitai(0)).triggers == ("starter0",)


def test_a_file_that_was_only_touched_stays_what_it_is(shelf: Shelf) -> None:
    settled(shelf, "fox", 0)
    shelf.put("fox", 0)
    shelf.settle()
    assert shelf.at(civitai(0)) == shelf.at(path_key("fox"))
    assert shelf.store.files()[place("fox")].sha256 == sha(0).value
    assert len(shelf.store.text_fingerprints("card")) == len(STARTED)


def test_a_rewritten_header_leaves_the_tensors_and_so_the_adapter(shelf: Shelf) -> None:
    for content in (0, 3):
        shelf.put("fox", content)
        shelf.refresh.take([shelf.sighting("fox", shelf.files["fox"], auto_v3="abcdef012345")])
        shelf.load_starter()
        shelf.learn_hashes()
    entry = shelf.at(path_key("fox"))
    assert shelf.at(civitai(0)) == entry
    assert {sha(0), sha(3)} <= set(entry.card.equivalents)
    shelf.put("fox", 3)
    shelf.refresh.take([shelf.sighting("fox", shelf.files["fox"], auto_v3="123456abcdef")])
    assert shelf.at(civitai(0)).files == ()


def test_edits_stay_with_a_path_that_came_first(shelf: Shelf) -> None:
    settled(shelf, "fox", 0)
    shelf.store.edit(civitai(0), Edits(weight=0.3, state="always"))
    settled(shelf, "fox", 1)
    assert shelf.at(path_key("fox")).edits == Edits(weight=0.3, state="always")
    assert shelf.at(civitai(0)).edits == Edits()


def test_edits_of_a_listed_adapter_stay_with_it_and_meet_the_file_again_when_it_is_put_back(
    shelf: Shelf,
) -> None:
    shelf.load_starter()
    shelf.put("fox", 0, stated=True)
    shelf.index()
    shelf.store.edit(path_key("fox"), Edits(weight=0.3))
    settled(shelf, "fox", 1)
    assert shelf.at(path_key("fox")).edits == Edits()
    assert shelf.at(civitai(0)).edits == Edits(weight=0.3)
    settled(shelf, "fox", 0)
    assert shelf.at(path_key("fox")).edits == Edits(weight=0.3)
    assert shelf.at(path_key("fox")).triggers == ("starter0",)


def test_edits_of_both_meet_when_what_nobody_lists_is_put_back(
    shelf: Shelf, tmp_path: Path
) -> None:
    shelf.put("fox", 2, stated=True)
    shelf.index()
    shelf.store.edit(path_key("fox"), Edits(weight=0.3, state="always"))
    settled(shelf, "fox", 1)
    assert shelf.at(path_key("fox")).edits == Edits()
    shelf.store.edit(path_key("fox"), Edits(weight=0.9, text="mine"))
    shelf.put("fox", 2, stated=True)
    shelf.settle()
    together = Edits(weight=0.9, text="mine", state="always")
    assert shelf.at(path_key("fox")).edits == together
    shelf.store.close()
    for path in tmp_path.glob("catalogue.sqlite*"):
        path.unlink()
    shelf.open()
    shelf.settle()
    assert shelf.at(path_key("fox")).edits == together


def test_of_two_files_of_one_content_the_other_keeps_all(shelf: Shelf) -> None:
    for name in NAMES:
        shelf.put(name, 0)
    shelf.settle()
    assert (
        shelf.at(path_key("fox")).key == shelf.at(path_key("owl")).key == shelf.at(civitai(0)).key
    )
    first = shelf.at(civitai(0)).key
    for name in NAMES:
        settled(shelf, name, 2)
        assert shelf.at(path_key(name)).triggers == ("own2",)
        other = next(one for one in NAMES if one != name)
        assert shelf.at(civitai(0)) == shelf.at(path_key(other))
        assert (shelf.at(path_key(other)).triggers, shelf.at(path_key(other)).card.name) == (
            ("starter0",),
            "Starter 0",
        )
        settled(shelf, name, 0)
    assert first in {path_key(name) for name in NAMES}


def test_what_pictures_taught_waits_for_the_old_file(shelf: Shelf) -> None:
    shelf.put("fox", 2)
    shelf.settle()
    lesson = make_card(
        name="fox", key=path_key("fox"), source="pictures", base_model="", weight=0.55
    )
    shelf.refresh.take([Sighting(card=lesson)])
    assert shelf.at(path_key("fox")).weight == 0.55
    settled(shelf, "fox", 1)
    assert shelf.at(path_key("fox")).weight is None
    assert shelf.store.resolve([sha(2)]) == {}
    settled(shelf, "fox", 2)
    assert shelf.at(path_key("fox")).weight == 0.55


def test_what_comes_back_after_it_was_gone_is_believed_when_its_hash_is_known(shelf: Shelf) -> None:
    settled(shelf, "fox", 0)
    del shelf.files["fox"]
    shelf.settle()
    assert shelf.at(civitai(0)).files == ()
    shelf.put("fox", 1)
    shelf.index()
    assert (shelf.at(path_key("fox")).triggers, shelf.at(civitai(0)).key) == ((), civitai(0))
    shelf.learn_hashes()
    assert shelf.at(path_key("fox")).triggers == ("starter1",)


def test_a_file_that_changed_while_it_was_hashed_waits(shelf: Shelf) -> None:
    shelf.put("fox", 0)
    shelf.index()

    def meanwhile(file: LocalFile, progress: Progress) -> Digests | None:
        shelf.put("fox", 3)
        shelf.index()
        return shelf.digest(file, progress)

    assert HashFiles(shelf.store, shelf.refresh, meanwhile, nullcontext())(Watch()) == 0
    assert shelf.store.files()[place("fox")].sha256 is None
    assert shelf.hash(Watch()) == 1


def test_user_jsonl_does_not_tie_together_again_what_was_parted(
    shelf: Shelf, tmp_path: Path
) -> None:
    settled(shelf, "fox", 0)
    shelf.store.edit(path_key("fox"), Edits(weight=0.3))
    settled(shelf, "fox", 1)
    shelf.store.edit(civitai(0), Edits(weight=0.9))
    shelf.store.close()
    for path in tmp_path.glob("catalogue.sqlite*"):
        path.unlink()
    shelf.open()
    shelf.load_starter()
    shelf.settle()
    assert shelf.at(path_key("fox")).edits == Edits(weight=0.3)
    assert (shelf.at(civitai(0)).edits, shelf.at(civitai(0)).key) == (Edits(weight=0.9), civitai(0))


@pytest.mark.parametrize("left", range(4))
def test_a_stop_between_any_two_steps_is_made_good_by_the_next_refresh(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    settled(shelf, "fox", 0)
    shelf.store.edit(path_key("fox"), Edits(weight=0.3))
    shelf.put("fox", 3)
    with monkeypatch.context() as patch:
        steps = [left]
        for name in ("part", "keep", "write"):
            patch.setattr(SqliteStore, name, _stopping(getattr(SqliteStore, name), steps))
        if left < 3:
            with pytest.raises(Stopped):
                shelf.index()
        else:
            shelf.index()
    shelf.store.close()
    shelf.open()
    assert shelf.store.resolve([civitai(0)]) != {}
    shelf.settle()
    assert (shelf.at(path_key("fox")).triggers, shelf.at(path_key("fox")).edits) == (
        ("starter3",),
        Edits(weight=0.3),
    )
    assert (shelf.at(civitai(0)).triggers, shelf.at(civitai(0)).files) == (("starter0",), ())


class Stopped(BaseException):
    """As if the process were killed here."""


def _stopping(step: Callable[..., object], left: list[int]) -> Callable[..., object]:
    def run(*values: object) -> object:
        if left[0] == 0:
            raise Stopped
        left[0] -= 1
        return step(*values)

    return run
