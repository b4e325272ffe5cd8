"""The contract of the Store port, over every implementation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterCard, AdapterKey, Example, LocalFile, RemoteFile
from stylus_ext.core.entry import VIEWS, Edits, Entry, embedded_text, text_fingerprint
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Filter, Store
from tests.fakes import make_card, make_entry

ONE, TWO, THREE = (AdapterKey.civitai(number) for number in (1, 2, 3))
SHA = AdapterKey.sha256("a" * 64)
PATH = AdapterKey.path("styles/alley")
ALL = Filter()
MAKERS: list[Callable[[Path], Store]] = [SqliteStore]


@pytest.fixture(params=MAKERS, ids=lambda maker: maker.__name__)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made = request.param(tmp_path)
    yield made
    close = getattr(made, "close", None)
    if close:
        close()


def file(path: str = "styles/alley.safetensors", **changes: object) -> LocalFile:
    return replace(
        LocalFile(path, Path(path).stem, 144_000_000, 1_700_000_000_000_000_001, None),
        **changes,  # type: ignore[arg-type]
    )


def renamed(entry: Entry, name: str) -> Entry:
    return replace(entry, card=replace(entry.card, name=name))


def full_entry() -> Entry:
    return make_entry(
        1,
        "Rainy Alley",
        "wet streets at night",
        tags=("rain", "city"),
        triggers=("rainyalley",),
        model_id=0,
        examples=(Example("an alley, (rain:1.2)", 0.8), Example("no weight")),
        images=0,
        weight=0.0,
        nsfw=True,
        remote=RemoteFile("alley.safetensors", 5, "b" * 64, "https://example.org/1"),
        equivalents=(SHA, PATH),
        slider=True,
        recommended=0.7,
        files=(file(), file("b/alley2.safetensors", sha256="c" * 64)),
    )


def found(store: Store, text: str, keep: Filter = ALL) -> list[str]:
    return [entry.card.name for entry in store.search(text, keep).entries]


# --- writing and reading


def test_an_entry_is_read_back_as_it_was_written(store: Store) -> None:
    store.write([full_entry()])
    assert store.read([ONE]) == {ONE: full_entry()}


def test_reading_is_keyed_by_what_was_asked_and_leaves_out_the_unknown(store: Store) -> None:
    store.write([full_entry(), make_entry(2, "Two")])
    got = store.read([SHA, TWO, THREE, PATH])
    assert list(got) == [SHA, TWO, PATH]
    assert got[SHA] == got[PATH] == full_entry()
    assert store.read([]) == {}


def test_more_entries_than_a_statement_takes_parameters(store: Store) -> None:
    store.write(make_entry(number, f"Entry {number}") for number in range(1, 1301))
    keys = [AdapterKey.civitai(number) for number in range(1, 1401)]
    assert len(store.read(keys)) == 1300
    assert len(store.resolve(keys)) == 1300


def test_writing_again_replaces_the_whole_entry(store: Store) -> None:
    store.write([full_entry()])
    plain = make_entry(1, "Dry Alley")
    store.write([plain])
    assert store.read([ONE])[ONE] == plain
    assert store.files() == {}
    assert found(store, "rainy") == []
    assert found(store, "dry") == ["Dry Alley"]


def test_a_write_that_fails_half_way_changes_nothing(store: Store) -> None:
    store.write([make_entry(1, "Before")])
    revision = store.revision

    def broken() -> Iterator[Entry]:
        yield make_entry(1, "After")
        yield make_entry(2, "Two")
        raise InvalidInput("The source broke off.")

    with pytest.raises(InvalidInput):
        store.write(broken())
    assert store.revision == revision
    assert found(store, "") == ["Before"]


def test_names_that_utf8_cannot_hold_survive(store: Store) -> None:
    odd = "caf\udce9\ufdd0\0\u202e \ud83d\ude00"
    entry = make_entry(1, odd, odd, triggers=(odd,), files=(LocalFile(f"a/{odd}", odd, 1, 2),))
    entry = replace(entry, card=replace(entry.card, key=AdapterKey.path(odd)))
    store.write([entry])
    assert store.read([entry.key]) == {entry.key: entry}
    assert list(store.files()) == [f"a/{odd}"]
    assert found(store, "caf") == [odd]


def test_text_fingerprints_are_those_of_the_edited_entry(store: Store) -> None:
    store.write([full_entry(), make_entry(2, "Two", family="sdxl")])
    entry = store.edit(ONE, Edits(text="dry streets", triggers=("dryalley",)))
    for view in VIEWS:
        prints = store.text_fingerprints(view)
        assert prints[ONE] == ("sd1", text_fingerprint(embedded_text(entry, view)))
        assert prints[TWO] == ("sdxl", text_fingerprint(embedded_text(make_entry(2, "Two"), view)))


# --- files


def test_files_are_known_by_their_paths(store: Store) -> None:
    store.write([full_entry()])
    assert store.files() == {
        "styles/alley.safetensors": file(),
        "b/alley2.safetensors": file("b/alley2.safetensors", sha256="c" * 64),
    }


def test_files_have_owners(store: Store) -> None:
    store.write([full_entry(), make_entry(2, "Two", files=(file("two.safetensors"),))])
    assert store.owners() == {
        "styles/alley.safetensors": ONE,
        "b/alley2.safetensors": ONE,
        "two.safetensors": TWO,
    }
    store.unite(TWO, ONE)
    assert set(store.owners().values()) == {TWO}


def test_a_file_belongs_to_the_entry_that_named_it_last(store: Store) -> None:
    store.write([make_entry(1, "One", files=(file(),))])
    before = store.revision
    store.write([make_entry(2, "Two", files=(file(),))])
    assert store.read([ONE])[ONE].files == ()
    assert found(store, "", Filter(on_disk=True)) == ["Two"]
    assert {change.key for change in store.changes(before)} == {ONE, TWO}


# --- edits


def test_edits_win_over_what_is_written_later(store: Store) -> None:
    store.write([make_entry(1)])
    edits = Edits(state="always", text="mine", triggers=("x",), weight=0.4, kind="pose")
    assert store.edit(ONE, edits).edits == edits
    store.write([make_entry(1, "Rainy Alley II", edits=Edits(state="never"))])
    entry = store.read([ONE])[ONE]
    assert (entry.card.name, entry.edits) == ("Rainy Alley II", edits)


def test_edits_that_an_entry_brings_are_kept_when_there_were_none(store: Store) -> None:
    store.write([make_entry(1, edits=Edits(state="never"))])
    store.write([make_entry(1)])
    assert store.read([ONE])[ONE].edits == Edits(state="never")


def test_taking_an_edit_back_is_an_edit(store: Store) -> None:
    store.write([make_entry(1)])
    store.edit(ONE, Edits(state="never"))
    store.edit(ONE, Edits())
    store.write([make_entry(1, edits=Edits(state="never"))])
    assert store.read([ONE])[ONE].edits == Edits()


def test_editing_by_an_alias_edits_the_entry(store: Store) -> None:
    store.write([full_entry()])
    assert store.edit(SHA, Edits(weight=0.3)).key == ONE
    assert store.read([ONE])[ONE].weight == 0.3


def test_what_is_not_in_the_catalogue_cannot_be_edited(store: Store) -> None:
    with pytest.raises(InvalidInput, match="civitai:3"):
        store.edit(THREE, Edits(state="never"))


def test_edits_outlive_the_removal_of_their_entry(store: Store) -> None:
    store.write([make_entry(1, equivalents=(SHA,))])
    store.edit(ONE, Edits(state="never"))
    store.remove([ONE])
    store.write([make_entry(2, "Back under another key", equivalents=(SHA,))])
    assert store.read([TWO])[TWO].edits == Edits(state="never")


# --- revisions and changes


def test_the_revision_grows_with_every_change(store: Store) -> None:
    seen = [store.revision]
    for change in (
        lambda: store.write([make_entry(1), make_entry(2, "Two")]),
        lambda: store.edit(ONE, Edits(state="never")),
        lambda: store.unite(ONE, TWO),
        lambda: store.remove([ONE]),
    ):
        change()
        seen.append(store.revision)
    assert seen == sorted(set(seen))


def test_changes_are_each_entry_once_in_the_order_of_revisions(store: Store) -> None:
    store.write([make_entry(1), make_entry(2, "Two"), make_entry(3, "Three")])
    since = store.revision
    store.edit(TWO, Edits(state="never"))
    store.write([make_entry(1, "One again")])
    store.remove([THREE, ONE])
    store.write([make_entry(1, "One once more")])
    changes = list(store.changes(since))
    assert [(change.key, change.entry and change.entry.card.name) for change in changes] == [
        (TWO, "Two"),
        (THREE, None),
        (ONE, "One once more"),
    ]
    revisions = [change.revision for change in changes]
    assert revisions == sorted(set(revisions))
    assert since < revisions[0]
    assert revisions[-1] == store.revision
    assert list(store.changes(store.revision)) == []


def test_changes_can_be_taken_up_from_any_of_them(store: Store) -> None:
    store.write(make_entry(number, f"Entry {number}") for number in range(1, 2501))
    first = [change for change, _ in zip(store.changes(0), range(1700), strict=False)]
    rest = list(store.changes(first[-1].revision))
    assert [change.key.value for change in first + rest] == [
        str(number) for number in range(1, 2501)
    ]


def test_what_changes_while_changes_are_read_comes_next_time(store: Store) -> None:
    store.write(make_entry(number, f"Entry {number}") for number in range(1, 2001))
    seen: dict[AdapterKey, int] = {}
    for change in store.changes(0):
        assert change.key not in seen
        seen[change.key] = change.revision
        if len(seen) == 10:
            store.edit(AdapterKey.civitai(1999), Edits(state="never"))
    later = [change.key for change in store.changes(max(seen.values()))]
    assert later == [AdapterKey.civitai(1999)]


def test_the_identity_stays(store: Store) -> None:
    identity = store.identity
    store.write([make_entry(1)])
    assert store.identity == identity
    assert identity


# --- sources


def test_what_sources_state_is_kept_by_key_and_source(store: Store) -> None:
    local, remote = make_card(1, source="local"), make_card(1, source="civitai", text="long")
    store.write([make_entry(1, equivalents=(PATH,))])
    store.keep([local, remote])
    newer = make_card(1, source="local", text="newer")
    store.keep([newer])
    assert set(store.stated([PATH, THREE])[ONE]) == {newer, remote}


def test_what_was_kept_before_the_entry_came_is_found_with_it(store: Store) -> None:
    card = replace(make_card(1, source="local"), key=PATH)
    store.keep([card])
    assert store.stated([PATH]) == {PATH: (card,)}
    store.write([make_entry(1, equivalents=(PATH,))])
    assert store.stated([ONE]) == {ONE: (card,)}


def test_each_file_of_an_entry_has_its_own_card_and_a_listed_version_too(store: Store) -> None:
    here, there = (
        make_card(key=AdapterKey.path(name), source="local", equivalents=(SHA,))
        for name in ("here", "there")
    )
    listed = make_card(1, equivalents=(SHA,))
    taught = make_card(key=AdapterKey.path("here"), source="pictures")
    again = replace(taught, key=ONE)
    assert store.keep([here, there, listed, taught, again]) == {
        here.key: here.key,
        there.key: here.key,
        ONE: here.key,
    }
    store.write([make_entry(9, key=here.key)])
    assert set(store.stated([ONE])[here.key]) == {here, there, listed, again}
    assert store.keep([replace(there, text="newer")]) == {there.key: here.key}
    assert set(store.stated([SHA])[here.key]) == {here, replace(there, text="newer"), listed, again}


# --- aliases


def test_equivalents_become_aliases(store: Store) -> None:
    store.write([full_entry()])
    assert store.resolve([SHA, ONE, PATH, TWO]) == {SHA: ONE, ONE: ONE, PATH: ONE}


def test_an_alias_stays_with_the_first_that_had_it(store: Store) -> None:
    store.write([make_entry(1, equivalents=(SHA, TWO))])
    store.write([make_entry(3, "Three", equivalents=(SHA, ONE))])
    assert store.resolve([SHA, ONE, THREE]) == {SHA: ONE, ONE: ONE, THREE: THREE}


def test_an_entry_under_an_alias_is_written_under_the_first_key(store: Store) -> None:
    store.write([make_entry(1, equivalents=(TWO,))])
    store.edit(ONE, Edits(state="always"))
    store.write([make_entry(2, "The same, seen again")])
    entry = store.read([TWO])[TWO]
    assert (entry.key, entry.card.name, entry.edits.state) == (
        ONE,
        "The same, seen again",
        "always",
    )
    assert store.search("", ALL).total == 1


def test_uniting_moves_everything_over(store: Store) -> None:
    store.write([make_entry(1), make_entry(2, "Two", equivalents=(SHA,), files=(file(),))])
    card = make_card(2, source="local")
    store.keep([card])
    store.edit(TWO, Edits(state="never"))
    since = store.revision
    store.unite(ONE, SHA)
    entry = store.read([TWO])[TWO]
    assert (entry.key, entry.files, entry.edits) == (ONE, (file(),), Edits(state="never"))
    assert store.resolve([SHA, TWO]) == {SHA: ONE, TWO: ONE}
    assert store.stated([ONE]) == {ONE: (card,)}
    assert found(store, "", Filter(state="never", on_disk=True)) == ["Rainy Alley"]
    assert [(change.key, change.entry is None) for change in store.changes(since)] == [
        (TWO, True),
        (ONE, False),
    ]


def test_uniting_keeps_the_edits_of_the_first(store: Store) -> None:
    store.write([make_entry(1), make_entry(2, "Two")])
    store.edit(ONE, Edits(weight=0.2))
    store.edit(TWO, Edits(weight=0.9))
    store.unite(ONE, TWO)
    assert store.read([ONE])[ONE].edits == Edits(weight=0.2)


def test_uniting_with_a_key_that_has_no_entry_makes_an_alias(store: Store) -> None:
    store.write([make_entry(1)])
    store.unite(ONE, SHA)
    store.unite(ONE, ONE)
    store.unite(SHA, ONE)
    assert store.resolve([SHA]) == {SHA: ONE}
    with pytest.raises(InvalidInput, match="civitai:3"):
        store.unite(THREE, ONE)


def test_parting_puts_others_in_the_place_of_an_entry(store: Store) -> None:
    old = make_card(key=PATH, source="local", equivalents=(SHA,))
    listed = make_card(1, equivalents=(SHA,))
    store.keep([old, listed])
    store.write(
        [
            make_entry(
                1,
                "Both",
                key=PATH,
                equivalents=(SHA, ONE),
                files=(file(), file("b/copy.safetensors")),
            )
        ]
    )
    store.edit(ONE, Edits(state="never"))
    since = store.revision
    new, copy = (
        make_card(key=PATH, source="local"),
        make_card(key=AdapterKey.path("b/copy"), source="local", equivalents=(SHA,)),
    )
    store.part(
        ONE,
        [new, copy, listed],
        [
            make_entry(1, "File", key=PATH, files=(file(),)),
            make_entry(
                1, "Listed", equivalents=(SHA, copy.key), files=(file("b/copy.safetensors"),)
            ),
        ],
    )
    assert store.resolve([PATH, SHA, ONE, copy.key]) == {
        PATH: PATH,
        SHA: ONE,
        ONE: ONE,
        copy.key: ONE,
    }
    entries = store.read([PATH, ONE])
    assert [(entry.card.name, entry.edits.state, entry.files) for entry in entries.values()] == [
        ("File", "never", (file(),)),
        ("Listed", "auto", (file("b/copy.safetensors"),)),
    ]
    assert {key: set(cards) for key, cards in store.stated([PATH, SHA]).items()} == {
        PATH: {new},
        ONE: {copy, listed},
    }
    assert {change.key for change in store.changes(since)} == {PATH, ONE}
    assert found(store, "", Filter(state="never")) == ["File"]
    store.part(PATH, [], [])
    assert store.resolve([PATH, ONE]) == {ONE: ONE}
    assert list(store.files()) == ["b/copy.safetensors"]


def test_parting_fails_whole(store: Store) -> None:
    store.keep([make_card(1, source="local")])
    store.write([full_entry()])
    before = store.read([ONE])

    def broken() -> Iterator[Entry]:
        yield make_entry(2)
        raise InvalidInput("No more.")

    with pytest.raises(InvalidInput, match="No more"):
        store.part(ONE, [], broken())
    assert store.read([ONE, TWO]) == before
    assert store.stated([ONE]) != {}


def test_names_of_what_was_removed_are_forgotten_unless_edits_wait_under_them(store: Store) -> None:
    for state, left in (("auto", {THREE: THREE}), ("never", {THREE: PATH, PATH: PATH})):
        store.write([make_entry(3, key=PATH, equivalents=(THREE,))])
        if state == "never":
            store.edit(PATH, Edits(state="never"))
        store.remove([PATH])
        store.write([make_entry(3)])
        assert set(store.resolve([THREE])) == {THREE}
        assert (store.resolve([PATH]) == {}) == (PATH not in left)
        assert store.read([THREE])[THREE].edits.state == state
        store.remove([THREE])


def test_removing_by_an_alias_removes_the_entry(store: Store) -> None:
    store.write([full_entry()])
    store.remove([SHA, ONE, THREE])
    assert store.read([ONE, SHA]) == {}
    assert store.files() == {}
    assert store.search("rainy", ALL).total == 0


# --- search


def test_empty_text_lists_by_name_and_filters(store: Store) -> None:
    store.write(
        [
            make_entry(1, "beta", kind="style"),
            make_entry(2, "Alpha", kind="pose", family="sdxl"),
            make_entry(3, "gamma", kind="pose", files=(file(),)),
        ]
    )
    store.edit(THREE, Edits(state="never", kind="object"))
    assert found(store, "") == found(store, "  \n") == ["Alpha", "beta", "gamma"]
    assert found(store, "", Filter(family="sdxl")) == ["Alpha"]
    assert found(store, "", Filter(kind="object")) == ["gamma"]
    assert found(store, "", Filter(state="auto", on_disk=False)) == ["Alpha", "beta"]
    assert found(store, "a", Filter(state="never")) == ["gamma"]


def test_pages_follow_each_other(store: Store) -> None:
    store.write(make_entry(number, f"Alley {number:03}") for number in range(1, 121))
    for text in ("", "all"):
        pages = [store.search(text, ALL, offset, 50) for offset in (0, 50, 100, 150)]
        assert [page.total for page in pages] == [120] * 4
        names = [entry.card.name for page in pages for entry in page.entries]
        assert names == [f"Alley {number:03}" for number in range(1, 121)]


def test_every_field_is_searched_the_name_first(store: Store) -> None:
    store.write(
        [
            make_entry(1, "A", "corgi on a wall"),
            make_entry(2, "B", tags=("corgi",)),
            make_entry(3, "C", triggers=("corgi_dog",)),
            make_entry(4, "Big Corgi"),
            make_entry(5, "Corgi"),
            make_entry(6, "D", files=(file("x/corgi-v2.safetensors"),)),
        ]
    )
    names = found(store, "corg")
    assert names[:2] == ["Corgi", "Big Corgi"]
    assert set(names[2:]) == {"A", "B", "C", "D"}


def test_edits_are_found_instead_of_what_they_replace(store: Store) -> None:
    store.write([make_entry(1, "A", "corgi", triggers=("dog",))])
    store.edit(ONE, Edits(text="teckel", triggers=("hound",)))
    assert [bool(found(store, text)) for text in ("corgi", "dog", "teckel", "hound")] == [
        False,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize("text", ["ミク", "初音", "初音ミク", "音ミ", "初", "V4", "初音 v", "ﾐｸ"])
def test_scripts_without_spaces_are_found_by_any_part(store: Store, text: str) -> None:
    store.write([make_entry(1, "初音ミクV4x"), make_entry(2, "鏡音リン")])
    assert found(store, text) == ["初音ミクV4x"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("punk", "Cyberpunk"),
        ("CYBER", "Cyberpunk"),
        ("cafe", "Café"),
        ("CAFÉ", "Café"),
        ("🌧", "Rain 🌧 fall"),
        ("c++", "C++ code"),
    ],
)
def test_parts_of_words_accents_and_signs(store: Store, text: str, name: str) -> None:
    store.write(
        [
            make_entry(1, "Cyberpunk"),
            make_entry(2, "Café"),
            make_entry(3, "Rain 🌧 fall"),
            make_entry(4, "C++ code"),
        ]
    )
    assert found(store, text)[0] == name


@pytest.mark.parametrize(
    "text",
    [
        '"',
        '""',
        "'",
        "*",
        "a*",
        "NOT",
        "a NOT b",
        "AND OR",
        "name:",
        "name : x",
        "(",
        "a)",
        "{a}",
        "^a",
        "-a",
        "a+b",
        "NEAR(a b)",
        "\0",
        "a\0b",
        "\ud800",
        "%",
        "_",
        "\\",
        "; DROP TABLE entries",
        "𝒳",
        "a " * 500,
        "é" * 5000,
        "½",
        "\u0300",
        "ᄒ",
        "\ufdd0",
    ],
)
def test_any_text_is_safe(store: Store, text: str) -> None:
    store.write([make_entry(1)])
    assert store.search(text, ALL).total in (0, 1)
    assert found(store, "rainy") == ["Rainy Alley"]


def test_a_card_is_not_fetched_twice(store: Store) -> None:
    store.write([make_entry(1, "corgi corgi", "corgi", tags=("corgi",))])
    assert store.search("corgi", ALL).total == 1


def test_offsets_out_of_range_give_an_empty_page(store: Store) -> None:
    store.write([make_entry(1)])
    for offset, limit, size in ((5, 10, 0), (0, 0, 0), (-3, 10, 1), (0, -1, 0)):
        page = store.search("", ALL, offset, limit)
        assert (len(page.entries), page.total) == (size, 1)


def test_reading_cards_gives_the_type(store: Store) -> None:
    store.keep([make_card(1)])
    (card,) = store.stated([ONE])[ONE]
    assert isinstance(card, AdapterCard)


def test_what_is_read_comes_in_the_order_in_which_it_was_asked_for(store: Store) -> None:
    """A plan's family is that of its first pick."""
    store.write(make_entry(number) for number in range(1, 7))
    for numbers in ([5, 1, 3], [2, 6, 4, 1], [6]):
        keys = [AdapterKey.civitai(number) for number in numbers]
        assert list(store.read(keys)) == keys
        assert list(store.read([AdapterKey.civitai(99), *keys])) == keys
