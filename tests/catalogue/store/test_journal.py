"""user.jsonl: appended to, never rewritten, read on from where one was."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.store.edits import UserJournal
from stylus_ext.core.errors import StoreProblem


def translated_errors(journal: UserJournal, mark: str = "") -> list[object]:
    return [record["n"] for record in journal.since(mark).records]


def test_records_come_back_in_order_and_from_a_mark(tmp_path: Path) -> None:
    journal = UserJournal(tmp_path)
    assert journal.since("").records == ()
    journal.append("edits", [{"n": 1}, {"n": "é\ud800\n"}])
    mark = journal.since("").mark
    journal.append("edits", [{"n": 3}])
    assert translated_errors(journal) == [1, "é\ud800\n", 3]
    assert translated_errors(journal, mark) == [3]
    assert translated_errors(journal, journal.since(mark).mark) == []
    assert journal.since("").records[0] == {"v": 1, "what": "edits", "n": 1}


def test_long_files_are_read_on_from_their_mark(tmp_path: Path) -> None:
    journal = UserJournal(tmp_path)
    mark = ""
    for number in range(50):
        journal.append("edits", [{"n": number, "text": "x" * 37}])
        reading = journal.since(mark)
        assert ([record["n"] for record in reading.records], reading.continued) == ([number], True)
        mark = reading.mark


@pytest.mark.parametrize(
    "other", ["", '{"v":1,"what":"edits","n":9}\n', '{"v":1,"what":"edits","n":9}\n' * 30]
)
def test_another_file_is_read_from_its_beginning(tmp_path: Path, other: str) -> None:
    journal = UserJournal(tmp_path)
    journal.append("edits", [{"n": number} for number in range(9)])
    mark = journal.since("").mark
    journal.path.write_text(other)
    reading = journal.since(mark)
    assert not reading.continued
    assert [record["n"] for record in reading.records] == [9] * other.count("\n")
    journal.path.unlink()
    assert not journal.since(mark).continued


def test_an_editor_that_begins_files_with_a_mark_takes_no_record_away(tmp_path: Path) -> None:
    journal = UserJournal(tmp_path)
    journal.append("edits", [{"n": 1}, {"n": 2}])
    journal.path.write_bytes(b"\xef\xbb\xbf" + journal.path.read_bytes().replace(b"\n", b"\r\n"))
    assert (translated_errors(journal), journal.since("").unreadable) == ([1, 2], 0)


@given(st.integers(1, 60))
def test_a_torn_line_harms_nothing_but_itself(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    journal = UserJournal(tmp_path_factory.mktemp("torn"))
    journal.append("edits", [{"n": 1}])
    whole = journal.path.stat().st_size
    journal.append("edits", [{"n": 2, "text": "y" * 30}])
    size = journal.path.stat().st_size - min(cut, journal.path.stat().st_size - whole - 1)
    with journal.path.open("r+b") as file:
        file.truncate(size)
    assert journal.repair()
    assert not journal.repair()
    journal.append("edits", [{"n": 3}])
    # Without its newline alone the line is whole: it was finished but for that.
    assert translated_errors(journal) == ([1, 2, 3] if cut == 1 else [1, 3])


def test_appending_after_a_torn_line_needs_no_repair(tmp_path: Path) -> None:
    journal = UserJournal(tmp_path)
    journal.path.write_bytes(b'{"v":1,"what":"ed')
    journal.append("edits", [{"n": 3}])
    reading = journal.since("")
    assert ([record["n"] for record in reading.records], reading.unreadable) == ([3], 1)


@pytest.mark.parametrize(
    "line",
    [b"\xff\xfe", b"[1]", b"3", b'{"v":2,"what":"edits"}', b'{"v":1}', b"[" * 100_000, b"\0" * 40],
)
def test_lines_that_cannot_be_read_are_counted(tmp_path: Path, line: bytes) -> None:
    journal = UserJournal(tmp_path)
    journal.path.write_bytes(line + b'\n\n{"v":1,"what":"edits","n":3}\n')
    reading = journal.since("")
    assert ([record["n"] for record in reading.records], reading.unreadable) == ([3], 1)


def test_a_file_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    journal = UserJournal(tmp_path)
    journal.path.mkdir()
    with pytest.raises(StoreProblem, match=r"user\.jsonl"):
        journal.append("edits", [{"n": 1}])
    with pytest.raises(StoreProblem, match=r"user\.jsonl"):
        journal.since("")
