"""Opening a data folder, whatever its state."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath

import pytest

from stylus_ext.catalogue.store.database import STEPS, address
from stylus_ext.catalogue.store.opening import Opening, open_catalogue
from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterKey, LocalFile
from stylus_ext.core.entry import Edits
from stylus_ext.core.errors import InvalidInput, StoreProblem, Unavailable
from stylus_ext.core.ports import Filter
from tests.fakes import make_entry

ONE = AdapterKey.civitai(1)
ALL = Filter()


def test_a_folder_on_a_network_drive_is_named_as_sqlite_reads_it(tmp_path: Path) -> None:
    """Windows resolves a drive letter of the network to its server, which SQLite refuses in the
    place of a host.
    """
    shared = address(PureWindowsPath(r"\\nas\my models\stylus\catalogue.sqlite"))
    assert shared == "file:////nas/my%20models/stylus/catalogue.sqlite"
    assert (
        address(PureWindowsPath(r"C:\webui\stylus\catalogue.sqlite"))
        == "file:///C:/webui/stylus/catalogue.sqlite"
    )
    with pytest.raises(sqlite3.OperationalError, match="authority"):
        sqlite3.connect("file://nas/my%20models/catalogue.sqlite", uri=True)
    with contextlib.closing(
        sqlite3.connect(f"file:///{tmp_path.as_posix()}/a.sqlite", uri=True)
    ) as connection:
        connection.execute("CREATE TABLE a (b)")
    assert (tmp_path / "a.sqlite").exists(), "two slashes at the beginning of a path are as good"


@contextmanager
def opened(folder: Path, **how: object) -> Iterator[SqliteStore]:
    store = SqliteStore(folder, **how)  # type: ignore[arg-type]
    try:
        yield store
    finally:
        store.close()


def codes(store: SqliteStore) -> list[str]:
    return [note.code for note in store.notes]


def filled(folder: Path, entries: int = 300) -> None:
    with opened(folder) as store:
        store.write(
            make_entry(number, f"Entry {number}", "words " * 50) for number in range(1, entries + 1)
        )
        store.edit(ONE, Edits(text="mine"))


def raw(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / "catalogue.sqlite", isolation_level=None)


def test_a_missing_folder_is_made_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "näh er\udc80"
    filled(folder)
    with opened(folder) as store:
        assert store.notes == ()
        assert store.read([ONE])[ONE].text == "mine"
    assert not list(folder.glob("*-wal"))


@pytest.mark.skipif(sys.platform == "win32", reason="rights are those of the folder there")
@pytest.mark.parametrize("before", [None, 0o644])
def test_what_the_user_keeps_is_read_by_nobody_else(tmp_path: Path, before: int | None) -> None:
    names = ("catalogue.sqlite", "user.jsonl")
    if before is not None:
        filled(tmp_path, 3)
        for name in names:
            (tmp_path / name).touch()
            (tmp_path / name).chmod(before)
    with opened(tmp_path) as store:
        entry = make_entry(1)
        store.write([entry])
        store.edit(entry.key, Edits(note="mine"))
        for path in tmp_path.iterdir():
            if path.name.startswith(names):
                assert path.stat().st_mode & 0o077 == 0, path.name


class _Full:
    """A file on a full disk."""

    def __init__(self, **_: object) -> None: ...

    def __enter__(self) -> _Full:
        return self

    def __exit__(self, *_: object) -> None: ...

    def write(self, _: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_on_a_full_disk_the_catalogue_is_read_and_not_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path, 3)
    monkeypatch.setattr("tempfile.TemporaryFile", _Full)
    with opened(tmp_path) as store:
        assert codes(store) == ["catalogue_read_only"]
        assert store.search("Entry 2", ALL).total == 1
        with pytest.raises(StoreProblem):
            store.edit(ONE, Edits(text="other"))
    with pytest.raises(StoreProblem), opened(tmp_path / "new"):
        pytest.fail("there is nothing to read")


def test_a_folder_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    with pytest.raises(StoreProblem):
        SqliteStore(tmp_path / "data")


def test_the_identity_is_new_with_every_new_catalogue(tmp_path: Path) -> None:
    identities = set()
    for name in ("a", "b"):
        for _ in range(2):
            with opened(tmp_path / name) as store:
                identities.add(store.identity)
    assert len(identities) == 2


# --- damage


def garbage_at_the_head(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(os.urandom(200))


def half_of_it(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def no_database_at_all(path: Path) -> None:
    path.write_text("I am a shopping list.\n" * 99)


@pytest.mark.parametrize(
    "damage",
    [garbage_at_the_head, half_of_it, no_database_at_all],
    ids=lambda damage: damage.__name__,
)
def test_a_damaged_catalogue_is_set_aside_and_rebuilt(tmp_path: Path, damage: object) -> None:
    filled(tmp_path)
    for round_ in (1, 2):
        damage(tmp_path / "catalogue.sqlite")  # type: ignore[operator]
        hurt = (tmp_path / "catalogue.sqlite").read_bytes()
        with opened(tmp_path) as store:
            assert codes(store) == ["catalogue_rebuilt", "edits_replayed"]
            assert (tmp_path / f"catalogue.corrupt-{round_}.sqlite").read_bytes() == hurt
            assert f"catalogue.corrupt-{round_}.sqlite" in store.notes[0].text
            assert store.search("", ALL).total == 0
            store.write(make_entry(number, f"Entry {number}") for number in range(1, 200))
            assert store.read([ONE])[ONE].text == "mine"


def garbage_inside(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(4096 * 20))


def test_damage_inside_is_found_where_nobody_closed_the_catalogue(tmp_path: Path) -> None:
    filled(tmp_path)
    connection = raw(tmp_path)
    connection.execute("UPDATE meta SET value = '0' WHERE name = 'clean'")
    connection.close()
    garbage_inside(tmp_path / "catalogue.sqlite")
    with opened(tmp_path) as store:
        assert codes(store) == ["catalogue_rebuilt", "edits_replayed"]


def use(store: SqliteStore) -> None:
    store.text_fingerprints("card")
    list(store.changes(0))
    store.search("words", ALL)
    store.files()


@pytest.mark.parametrize("seed", range(12))
def test_damage_anywhere_is_a_sentence_or_harmless(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    filled(tmp_path, 60)
    path = tmp_path / "catalogue.sqlite"
    with path.open("r+b") as file:
        for _ in range(6):
            file.seek(rng.randrange(100, path.stat().st_size - 300))
            file.write(rng.randbytes(rng.choice((1, 20, 300))))
    said = []
    for _ in range(3):
        try:
            with opened(tmp_path) as store:
                use(store)
                store.edit(ONE, Edits(text="mine too"))
        except (StoreProblem, InvalidInput) as problem:
            said.append(str(problem))
    known = ("damaged", "not made by Stylus", "newer", "is not in the catalogue")
    assert all(any(words in sentence for words in known) for sentence in said), said


def test_damage_inside_that_is_met_in_use_is_a_sentence_and_mended_next_time(
    tmp_path: Path,
) -> None:
    filled(tmp_path)
    garbage_inside(tmp_path / "catalogue.sqlite")
    with opened(tmp_path) as store, pytest.raises(StoreProblem):
        use(store)
    with opened(tmp_path) as store:
        assert "catalogue_rebuilt" in codes(store)


def test_a_catalogue_that_was_not_closed_but_is_sound_is_kept(tmp_path: Path) -> None:
    filled(tmp_path)
    connection = raw(tmp_path)
    connection.execute("UPDATE meta SET value = '0' WHERE name = 'clean'")
    connection.close()
    with opened(tmp_path) as store:
        assert store.notes == ()
        assert store.search("", ALL).total == 300


def test_an_empty_file_becomes_a_catalogue(tmp_path: Path) -> None:
    (tmp_path / "catalogue.sqlite").touch()
    filled(tmp_path)
    with opened(tmp_path) as store:
        assert store.notes == ()


# --- other schemas


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    filled(tmp_path)
    connection = raw(tmp_path)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("UPDATE meta SET value = '99' WHERE name = 'schema'")
    connection.close()
    before = (tmp_path / "catalogue.sqlite").read_bytes()
    with pytest.raises(StoreProblem, match="99"):
        SqliteStore(tmp_path)
    assert (tmp_path / "catalogue.sqlite").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"catalogue.sqlite", "user.jsonl"}


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    connection = raw(tmp_path)
    connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    before = (tmp_path / "catalogue.sqlite").read_bytes()
    with pytest.raises(StoreProblem):
        SqliteStore(tmp_path)
    assert (tmp_path / "catalogue.sqlite").read_bytes() == before


def test_an_older_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    filled(tmp_path)
    later = (
        *STEPS,
        "ALTER TABLE entries ADD COLUMN mood TEXT; UPDATE entries SET mood = 'blue'",
        "CREATE TABLE moods (name TEXT)",
    )
    database, notes = open_catalogue(Opening(tmp_path, steps=later))
    assert notes == []
    with database.reading() as connection:
        assert connection.execute(
            "SELECT count(*) FROM entries WHERE mood = 'blue'"
        ).fetchone() == (300,)
        assert connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone() == (
            str(len(later)),
        )
        assert connection.execute("SELECT count(*) FROM moods").fetchone() == (0,)
    database.close()
    with pytest.raises(StoreProblem, match="newer Stylus"):
        SqliteStore(tmp_path)


def test_cards_of_the_first_schema_learn_what_they_are_about(tmp_path: Path) -> None:
    first, _ = open_catalogue(Opening(tmp_path, steps=STEPS[:1]))
    sha = "sha256:" + "a" * 64
    old = [
        (
            "path:fox",
            "local",
            {"key": "path:fox", "name": "fox", "source": "local", "equivalents": [sha]},
        ),
        (
            "path:fox",
            "starter",
            {
                "key": "path:fox",
                "name": "Fox",
                "source": "starter",
                "equivalents": ["civitai:70", sha],
            },
        ),
        ("path:fox", "pictures", {"key": "path:fox", "name": "fox", "source": "pictures"}),
        (
            "civitai:71",
            "local",
            {
                "key": "civitai:71",
                "name": "owl",
                "source": "local",
                "equivalents": [sha, "path:a/owl"],
            },
        ),
        ("civitai:72", "starter", {"key": "civitai:72", "name": "Elk", "source": "starter"}),
    ]
    with first.writing() as connection:
        connection.executemany(
            "INSERT INTO cards VALUES (?, ?, ?)",
            [(key, source, json.dumps(card)) for key, source, card in old],
        )
    first.close()
    database, _ = open_catalogue(Opening(tmp_path))
    with database.reading() as connection:
        translated_errors = connection.execute(
            "SELECT key, source, about FROM cards ORDER BY key, source"
        ).fetchall()
        assert sorted(
            json.loads(card)["name"] for (card,) in connection.execute("SELECT card FROM cards")
        ) == ["Elk", "Fox", "fox", "fox", "owl"]
    database.close()
    assert translated_errors == [
        ("civitai:71", "local", "path:a/owl"),
        ("civitai:72", "starter", "civitai:72"),
        ("path:fox", "local", "path:fox"),
        ("path:fox", "pictures", ""),
        ("path:fox", "starter", "civitai:70"),
    ]


def as_schema_6(connection: sqlite3.Connection) -> None:
    """Take what later schemas added from a catalogue."""
    columns = (f"DROP COLUMN {name}" for name in ("favourite", "used", "added", "size", "type"))
    for statement in (
        "DROP TABLE probes",
        "DROP TABLE captions",
        "DROP TABLE captioned",
        "DROP TABLE pictures",
        "DROP TABLE uses",
        *(f"DROP INDEX entries_by_{order}" for order in ("name", "added", "size", "used", "type")),
        *(f"ALTER TABLE entries {change}" for change in columns),
        "CREATE INDEX entries_by_name"
        " ON entries (name, id, family, kind, state, on_disk, refined, bare)",
        "ALTER TABLE files DROP COLUMN formats",
        "UPDATE meta SET value = '6' WHERE name = 'schema'",
    ):
        connection.execute(statement)


def test_the_family_other_of_an_older_catalogue_is_unknown(tmp_path: Path) -> None:
    filled(tmp_path)
    with opened(tmp_path) as store:
        before = store.revision
    connection = raw(tmp_path)
    as_schema_6(connection)
    connection.execute("UPDATE entries SET family = 'other' WHERE id % 3 = 0")
    connection.execute("UPDATE meta SET value = '5' WHERE name = 'schema'")
    connection.close()
    with opened(tmp_path) as store:
        assert "other" not in store.tallies.tally().families
        assert store.search("", Filter(family="unknown")).total == 100
        changes = list(store.changes(before))
        assert len({change.key for change in changes}) == 100
        assert {change.entry and change.entry.family for change in changes} == {"unknown"}
        assert store.revision == max(change.revision for change in changes)


def test_a_step_that_fails_leaves_the_older_schema(tmp_path: Path) -> None:
    filled(tmp_path)
    with pytest.raises(StoreProblem, match="no such table"):
        open_catalogue(
            Opening(
                tmp_path, steps=(*STEPS, "CREATE TABLE moods (name TEXT); UPDATE nowhere SET x = 1")
            )
        )
    with opened(tmp_path) as store:
        assert store.search("", ALL).total == 300


# --- locks


def test_a_lock_is_waited_for_and_its_holder_named(tmp_path: Path) -> None:
    filled(tmp_path)
    with opened(tmp_path, wait_s=0.1, holder=lambda: "the engine with process id 42") as store:
        other = raw(tmp_path)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="the engine.*42"):
            store.write([make_entry(2, "Two")])
        assert store.search("", ALL).total == 300
        other.rollback()
        other.close()
        store.write([make_entry(2, "Two")])
        assert store.read([ONE])[ONE].text == "mine"


def test_opening_waits_for_another_process_and_never_moves_its_file(tmp_path: Path) -> None:
    filled(tmp_path)
    hold = (
        "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1],"
        " isolation_level=None)\nc.execute('PRAGMA locking_mode = EXCLUSIVE')\nc.execute('BEGIN"
        " EXCLUSIVE')\nc.execute(\"UPDATE meta SET value = value\")\nprint('held',"
        " flush=True)\nsys.stdin.readline()\nc.rollback()\nc.close()\n"
    )
    command = [sys.executable, "-c", hold, str(tmp_path / "catalogue.sqlite")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(Unavailable):
            SqliteStore(tmp_path, wait_s=0.1)
        child.stdin.write(b"\n")
        child.stdin.flush()
        with opened(tmp_path, wait_s=30) as store:
            assert store.notes == ()
            assert store.search("", ALL).total == 300
    assert not list(tmp_path.glob("*corrupt*"))


def test_two_stores_of_one_folder_see_each_other(tmp_path: Path) -> None:
    with opened(tmp_path) as one, opened(tmp_path) as two:
        one.write([make_entry(1)])
        two.edit(ONE, Edits(state="never"))
        one.edit(ONE, Edits(state="always"))
        assert two.read([ONE]) == one.read([ONE])
        assert two.revision == one.revision
        assert two.identity == one.identity
        assert two.read([ONE])[ONE].edits.state == "always"


# --- file systems


@pytest.mark.skipif(
    sys.platform == "win32", reason="SQLite on Windows has no file system without shared memory"
)
def test_without_a_write_ahead_log_another_journal_serves(tmp_path: Path) -> None:
    with opened(tmp_path, vfs="unix-dotfile") as store:
        assert codes(store) == ["catalogue_journal"]
        store.write([make_entry(1)])
        for _ in store.changes(0):
            store.edit(ONE, Edits(state="never"))
        assert store.read([ONE])[ONE].edits.state == "never"
    with opened(tmp_path) as store:
        assert store.notes == ()
        assert store.read([ONE])[ONE].edits.state == "never"


@pytest.mark.skipif(
    sys.platform == "win32", reason="SQLite on Windows has no file system without shared memory"
)
def test_a_catalogue_that_moved_to_such_a_drive_with_its_log_is_opened(tmp_path: Path) -> None:
    filled(tmp_path / "local")
    store = SqliteStore(tmp_path / "local")
    store.edit(ONE, Edits(text="only in the log yet"))
    shutil.copytree(tmp_path / "local", tmp_path / "drive", ignore=shutil.ignore_patterns("*-shm"))
    store.close()
    with (
        opened(tmp_path / "drive", vfs="unix-dotfile") as moved,
        opened(tmp_path / "drive", vfs="unix-dotfile") as second,
    ):
        assert codes(moved) == ["catalogue_journal"]
        assert moved.search("", ALL).total == 300
        moved.edit(ONE, Edits(weight=0.5))
        assert second.read([ONE])[ONE].weight == 0.5


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Outside of pytest's own folders, into which nobody else may look."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder / "data"
    shutil.rmtree(folder)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may write anywhere, so the test puts its rights down for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="rights are set otherwise on Windows")
@pytest.mark.parametrize("log_left", [False, True])
def test_a_read_only_folder_is_searched_but_not_changed(open_folder: Path, log_left: bool) -> None:
    filled(open_folder)
    store = SqliteStore(open_folder)
    if log_left:
        store.write([make_entry(301, "Entry 301")])
    else:
        store.close()
    for path in open_folder.iterdir():
        path.chmod(0o444)
    open_folder.chmod(0o555)
    try:
        with unprivileged(), opened(open_folder) as reader:
            assert codes(reader) == ["catalogue_read_only"]
            assert reader.search("entry", ALL).total == 300 + log_left
            assert reader.read([ONE])[ONE].text == "mine"
            with pytest.raises(StoreProblem):
                reader.edit(ONE, Edits())
            with pytest.raises(StoreProblem):
                reader.write([make_entry(2)])
    finally:
        open_folder.chmod(0o755)
        store.close()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="rights are set otherwise on Windows")
def test_a_read_only_folder_without_a_catalogue_is_a_sentence(open_folder: Path) -> None:
    open_folder.mkdir()
    open_folder.chmod(0o555)
    with unprivileged(), pytest.raises(StoreProblem):
        SqliteStore(open_folder)
    with unprivileged(), pytest.raises(StoreProblem):
        SqliteStore(open_folder / "deeper")


@pytest.mark.skipif(sys.platform == "win32", reason="needs setrlimit")
def test_a_full_disk_is_a_sentence_and_nothing_is_lost(tmp_path: Path) -> None:
    filled(tmp_path)
    size = (tmp_path / "catalogue.sqlite").stat().st_size
    program = (
        "import resource, sys\nfrom pathlib import Path\nfrom tests.fakes import make_entry\nfrom"
        " stylus_ext.catalogue.store.sqlite import SqliteStore\nfrom stylus_ext.core.errors import"
        " StoreProblem\nstore = SqliteStore(Path(sys.argv[1]))\nlimit = int(sys.argv[2]) +"
        " 100_000\nresource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))\ntry:\n   "
        " store.write(make_entry(n, 'x' * 500) for n in range(1000, 3000))\nexcept StoreProblem as"
        " problem:\n    print(problem)\nprint(len(list(store.changes(0))))\n"
    )
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", program, str(tmp_path), str(size)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=60)
    said, count = done.stdout.splitlines()
    assert "catalogue.sqlite" in said
    assert ("cannot be used" in said) or ("is full" in said)
    assert count == "300"
    with opened(tmp_path) as store:
        assert store.search("", ALL).total == 300


def test_an_older_catalogue_is_sorted_by_what_it_knows_of_its_files(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.write(
            [
                make_entry(1, "Old", files=(LocalFile("/a/old", "old", 900, 1),)),
                make_entry(2, "New", files=(LocalFile("/a/new", "new", 100, 2),)),
            ]
        )
    connection = raw(tmp_path)
    as_schema_6(connection)
    connection.close()
    with opened(tmp_path) as store:
        for order, first in (("added", "New"), ("size", "Old"), ("used", "New")):
            page = store.search("", ALL, order=order)  # type: ignore[arg-type]
            assert page.entries[0].card.name == first
