"""What the SQLite store promises beyond the port: user.jsonl, threads, and a search that is
capped.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stylus_ext.catalogue.store import search
from stylus_ext.catalogue.store.edits import UserJournal
from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import Edits, Entry
from stylus_ext.core.errors import StoreProblem
from stylus_ext.core.ports import Filter
from tests.fakes import make_card, make_entry

ONE, TWO = AdapterKey.civitai(1), AdapterKey.civitai(2)
SHA, PATH = AdapterKey.sha256("a" * 64), AdapterKey.path("alley")
ALL = Filter()


@pytest.fixture
def reopen(tmp_path: Path) -> Iterator[Callable[[], SqliteStore]]:
    opened: list[SqliteStore] = []

    def again() -> SqliteStore:
        while opened:
            opened.pop().close()
        opened.append(SqliteStore(tmp_path))
        return opened[0]

    yield again
    while opened:
        opened.pop().close()


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "user.jsonl").read_text("utf-8").splitlines()]


def lose_catalogue(store: SqliteStore, folder: Path) -> None:
    store.close()
    for path in folder.glob("catalogue.sqlite*"):
        path.unlink()


def at_path(entry: Entry) -> Entry:
    return replace(entry, card=replace(entry.card, key=PATH))


# --- user.jsonl


def test_an_edit_is_one_line_that_names_the_adapter_in_every_way(
    tmp_path: Path, reopen: Callable[[], SqliteStore]
) -> None:
    store = reopen()
    store.write([make_entry(1, equivalents=(SHA, PATH))])
    store.edit(PATH, Edits(state="always", triggers=("é",), weight=0.5))
    assert lines(tmp_path) == [
        {
            "v": 1,
            "what": "edits",
            "key": "civitai:1",
            "equivalents": ["path:alley", str(SHA)],
            "edits": {"state": "always", "triggers": ["é"], "weight": 0.5},
        }
    ]


def test_edits_survive_the_database_and_the_last_word_wins(
    tmp_path: Path, reopen: Callable[[], SqliteStore]
) -> None:
    store = reopen()
    store.write([make_entry(1), make_entry(2, "Two")])
    store.edit(ONE, Edits(state="never"))
    store.edit(TWO, Edits(weight=0.1))
    store.edit(ONE, Edits(text="mine"))
    lose_catalogue(store, tmp_path)
    store = reopen()
    assert [note.code for note in store.notes] == ["edits_replayed"]
    assert store.revision == 0
    store.write([make_entry(1), make_entry(2, "Two", edits=Edits(state="never"))])
    assert store.read([ONE])[ONE].edits == Edits(text="mine")
    assert store.read([TWO])[TWO].edits == Edits(weight=0.1)
    assert reopen().notes == ()


@pytest.mark.parametrize(
    "back",
    [
        make_entry(2, "Known by its hash", equivalents=(SHA,)),
        at_path(make_entry(1, "Known by its file")),
        make_entry(7, "Known by both", equivalents=(PATH, ONE)),
    ],
)
def test_edits_wait_for_their_adapter_under_any_of_its_names(
    tmp_path: Path, reopen: Callable[[], SqliteStore], back: Entry
) -> None:
    store = reopen()
    store.write([make_entry(1, equivalents=(SHA, PATH))])
    store.edit(ONE, Edits(state="never"))
    lose_catalogue(store, tmp_path)
    store = reopen()
    assert store.resolve([ONE, SHA, PATH]) == {}
    assert store.read([ONE]) == {}
    store.write([back])
    assert store.read([back.key])[back.key].edits == Edits(state="never")
    assert store.resolve([SHA, PATH, ONE]) == dict.fromkeys([SHA, PATH, ONE], back.key)
    assert store.search("", Filter(state="never")).total == 1


def test_edits_of_the_united_survive_as_they_were_united(
    tmp_path: Path, reopen: Callable[[], SqliteStore]
) -> None:
    store = reopen()
    store.write([make_entry(1), at_path(make_entry(2, "File"))])
    store.edit(ONE, Edits(weight=0.2))
    store.edit(PATH, Edits(weight=0.9))
    store.unite(ONE, PATH)
    lose_catalogue(store, tmp_path)
    store = reopen()
    store.write([at_path(make_entry(2, "File"))])
    assert store.read([PATH])[PATH].edits == Edits(weight=0.2)


def test_what_was_parted_is_not_tied_together_again(
    tmp_path: Path, reopen: Callable[[], SqliteStore]
) -> None:
    store = reopen()
    store.write(
        [
            replace(
                at_path(make_entry(2, "File")),
                card=replace(make_entry(2, "File").card, key=PATH, equivalents=(ONE, SHA)),
            )
        ]
    )
    store.edit(PATH, Edits(weight=0.2))
    store.part(PATH, [], [at_path(make_entry(2, "File")), make_entry(1, equivalents=(SHA,))])
    assert lines(tmp_path)[-1] == {
        "v": 1,
        "what": "edits",
        "key": "path:alley",
        "equivalents": ["civitai:1", str(SHA)],
        "edits": {"weight": 0.2},
        "parted": ["civitai:1", str(SHA)],
    }
    store.edit(ONE, Edits(weight=0.9))
    lose_catalogue(store, tmp_path)
    store = reopen()
    store.write([make_entry(1, equivalents=(SHA,)), at_path(make_entry(2, "File"))])
    assert {key: entry.edits.weight for key, entry in store.read([ONE, PATH, SHA]).items()} == {
        ONE: 0.9,
        SHA: 0.9,
        PATH: 0.2,
    }
    assert store.resolve([SHA, PATH]) == {SHA: ONE, PATH: PATH}


def test_parting_without_edits_leaves_user_jsonl_alone(
    tmp_path: Path, reopen: Callable[[], SqliteStore]
) -> None:
    store = reopen()
    store.write([make_entry(1, equivalents=(PATH,))])
    store.part(ONE, [], [make_entry(1)])
    assert not (tmp_path / "user.jsonl").exists()


def test_a_catalogue_that_did_not_come_to_part_still_vouches_for_its_names(
    tmp_path: Path, reopen: Callable[[], SqliteStore]
) -> None:
    """user.jsonl is written first: a kill right after it leaves the entry whole, for the next
    refresh to part.
    """
    store = reopen()
    listed = make_card(1, equivalents=(SHA,))
    store.keep([make_card(key=PATH, source="local"), listed])
    store.write([make_entry(2, "File", key=PATH)])
    store.unite(PATH, ONE)
    store.edit(PATH, Edits(weight=0.2))
    store.keep([make_card(key=PATH, source="local", equivalents=(SHA,)), listed])
    UserJournal(tmp_path).append(
        "edits",
        [
            {
                "key": str(PATH),
                "equivalents": [str(ONE), str(SHA), str(TWO)],
                "edits": {"weight": 0.2},
                "parted": [str(ONE), str(SHA), str(TWO)],
            }
        ],
    )
    store = reopen()
    assert store.resolve([ONE, SHA, TWO]) == {ONE: PATH, SHA: PATH}


def test_no_word_of_either_is_lost_when_two_become_one(
    tmp_path: Path, reopen: Callable[[], SqliteStore]
) -> None:
    store = reopen()
    store.write([make_entry(1), at_path(make_entry(2, "File"))])
    store.edit(PATH, Edits(state="always", text="mine"))
    store.edit(ONE, Edits(state="never", weight=0.3, triggers=()))
    store.unite(PATH, ONE)
    wanted = Edits(state="always", text="mine", weight=0.3, triggers=())
    assert store.read([ONE])[ONE].edits == wanted
    lose_catalogue(store, tmp_path)
    store = reopen()
    store.write([at_path(make_entry(2, "File"))])
    assert store.read([PATH])[PATH].edits == wanted


def test_an_older_catalogue_takes_up_what_it_does_not_know(
    tmp_path: Path, reopen: Callable[[], SqliteStore]
) -> None:
    store = reopen()
    store.write([make_entry(1), make_entry(2, "Two")])
    store.edit(ONE, Edits(weight=0.1))
    store.close()
    shutil.copy(tmp_path / "catalogue.sqlite", tmp_path / "backup")
    store = reopen()
    store.edit(TWO, Edits(text="mine"))
    store.close()
    shutil.move(tmp_path / "backup", tmp_path / "catalogue.sqlite")
    store = reopen()
    assert [note.text for note in store.notes] == [
        "1 edit of yours was taken back from user.jsonl."
    ]
    since = store.revision - 1
    assert [change.key for change in store.changes(since)] == [TWO]
    assert store.read([TWO])[TWO].text == "mine"
    assert store.search("mine", ALL).total == 1


def test_what_another_process_left_in_the_file_comes_with_the_next_edit(
    tmp_path: Path, reopen: Callable[[], SqliteStore]
) -> None:
    store = reopen()
    store.write([make_entry(1), make_entry(2, "Two")])
    UserJournal(tmp_path).append("edits", [{"key": "civitai:2", "edits": {"state": "never"}}])
    store.edit(ONE, Edits(weight=0.1))
    assert store.read([TWO])[TWO].edits == Edits(state="never")


@pytest.mark.parametrize(
    "content", [None, "", '{"v":1,"what":"edits","key":"civitai:2","edits":{"state":"never"}}\n']
)
def test_another_user_jsonl_is_joined_with_what_the_catalogue_knows(
    tmp_path: Path, reopen: Callable[[], SqliteStore], content: str | None
) -> None:
    store = reopen()
    store.write([make_entry(1), make_entry(2, "Two")])
    store.edit(ONE, Edits(weight=0.1))
    store.close()
    (tmp_path / "user.jsonl").unlink()
    if content is not None:
        (tmp_path / "user.jsonl").write_text(content)
    store = reopen()
    assert [note.code for note in store.notes] == ["user_journal_replaced"]
    assert store.read([ONE])[ONE].weight == 0.1
    assert store.read([TWO])[TWO].edits.state == ("never" if content else "auto")
    lose_catalogue(store, tmp_path)
    store = reopen()
    store.write([make_entry(1)])
    assert store.read([ONE])[ONE].weight == 0.1


def test_a_torn_last_line_is_passed_over_with_a_note(
    tmp_path: Path, reopen: Callable[[], SqliteStore]
) -> None:
    store = reopen()
    store.write([make_entry(1)])
    store.edit(ONE, Edits(weight=0.1))
    store.close()
    with (tmp_path / "user.jsonl").open("ab") as file:
        file.write(b'{"v":1,"what":"edits","key":"civitai:1","ed')
    store = reopen()
    assert [note.code for note in store.notes] == ["user_journal_repaired"]
    assert store.edit(ONE, Edits(weight=0.3)).weight == 0.3
    assert reopen().notes == ()


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        '{"v":1,"what":"edits"}',
        '{"v":1,"what":"edits","key":"nobody","edits":{}}',
        '{"v":1,"what":"edits","key":"civitai:1","edits":{"state":"sometimes"}}',
        '{"v":1,"what":"edits","key":7,"edits":[]}',
    ],
)
def test_lines_by_hand_that_make_no_sense_are_passed_over(
    tmp_path: Path, reopen: Callable[[], SqliteStore], line: str
) -> None:
    (tmp_path / "user.jsonl").write_text(
        f'{line}\n{{"v":1,"what":"recipe","name":"x"}}\n{{"v":1,"what":"edits","key":"civitai:1","edits":{{"weight":0.5}}}}\n'
    )
    store = reopen()
    assert [note.code for note in store.notes] == ["edits_replayed", "user_journal_unreadable"]
    store.write([make_entry(1)])
    assert store.read([ONE])[ONE].weight == 0.5


def test_an_edit_that_cannot_be_recorded_is_not_made(
    tmp_path: Path, reopen: Callable[[], SqliteStore]
) -> None:
    store = reopen()
    store.write([make_entry(1)])
    revision = store.revision
    (tmp_path / "user.jsonl").mkdir()
    with pytest.raises(StoreProblem):
        store.edit(ONE, Edits(state="never"))
    assert (store.revision, store.read([ONE])[ONE].edits) == (revision, Edits())
    (tmp_path / "user.jsonl").rmdir()


# --- use


def test_a_closed_store_says_so(reopen: Callable[[], SqliteStore]) -> None:
    store = reopen()
    store.write([make_entry(1)])
    store.close()
    store.close()
    with pytest.raises(StoreProblem):
        store.read([ONE])
    with pytest.raises(StoreProblem):
        store.write([make_entry(1)])


def test_entries_may_be_made_from_what_the_store_says(reopen: Callable[[], SqliteStore]) -> None:
    store = reopen()
    store.write([make_entry(1), make_entry(2, "Two")])
    store.write(replace(change.entry, family="sdxl") for change in store.changes(0) if change.entry)
    assert store.search("", Filter(family="sdxl")).total == 2


def test_many_threads_read_while_others_write(reopen: Callable[[], SqliteStore]) -> None:
    store = reopen()
    store.write(make_entry(number, f"Entry {number}") for number in range(1, 101))
    problems: list[BaseException] = []
    keys = [AdapterKey.civitai(number) for number in range(1, 101)]

    def guarded(work: Callable[[int], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                for step in range(15):
                    work(step)
            except BaseException as problem:  # noqa: BLE001
                problems.append(problem)

        return run

    def write(step: int) -> None:
        store.write(make_entry(number, f"Entry {number} {step}") for number in range(1, 101))

    def edit(step: int) -> None:
        store.edit(keys[step], Edits(weight=step / 10))

    def read(step: int) -> None:
        names = {
            entry.card.name.removeprefix(f"Entry {key.value}")
            for key, entry in store.read(keys).items()
        }
        assert len(names) == 1, "half of a write was seen"
        assert store.search("entry", ALL).total == 100
        assert len(list(store.changes(0))) <= 100

    threads = [threading.Thread(target=guarded(work)) for work in (write, edit, read, read, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert [store.read(keys)[keys[step]].weight for step in range(15)] == [
        step / 10 for step in range(15)
    ]


def test_a_search_is_capped_and_a_list_is_not(reopen: Callable[[], SqliteStore]) -> None:
    store = reopen()
    count = search.MOST + 200
    store.write(make_entry(number, f"Entry {number:05}", "same words") for number in range(count))
    assert store.search("", ALL).total == count
    for text in ("entry", "same", "ntry"):
        page = store.search(text, ALL, search.MOST - 10, 50)
        assert (page.total, len(page.entries)) == (search.MOST, 10)
    assert [entry.card.name for entry in store.search("e", ALL, 0, 2).entries] == [
        "Entry 00000",
        "Entry 00001",
    ]
