from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stylus_ext.catalogue.store.database import STEPS
from stylus_ext.catalogue.store.opening import Opening, open_catalogue
from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import KINDS, STATES, Edits, State
from stylus_ext.core.ports import Filter
from tests.fakes import make_entry

ENTRIES = st.lists(
    st.tuples(
        st.sampled_from(KINDS), st.sampled_from(["sd1", "sdxl", "pony"]), st.sampled_from(STATES)
    ),
    max_size=25,
)


@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(ENTRIES)
def test_the_counts_are_those_of_the_searches(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[str, str, State]]
) -> None:
    store = SqliteStore(tmp_path_factory.mktemp("tallies"))
    try:
        store.write(
            make_entry(number, f"name {number}", kind=kind, family=family)
            for number, (kind, family, _) in enumerate(drawn, 1)
        )
        for number, (_, _, state) in enumerate(drawn, 1):
            store.edit(AdapterKey.civitai(number), Edits(state=state))
        tally = store.tallies.tally()
        assert tally.entries == len(drawn)
        assert Counter(tally.kinds) == Counter(kind for kind, _, _ in drawn)
        for family, (number, here) in tally.families.items():
            assert number == store.search("", Filter(family=family)).total
            assert here == 0
        assert {
            state: store.search("", Filter(state=state)).total for state in tally.states
        } == dict(tally.states)
        assert store.tallies.tally() is tally
    finally:
        store.close()


def test_an_older_catalogue_learns_what_is_refined_and_what_is_bare(tmp_path: Path) -> None:
    database, _ = open_catalogue(Opening(tmp_path, steps=STEPS[:2]))
    with database.writing() as connection:
        for number, (source, card) in enumerate(
            (
                ("card", '{"text":"words"}'),
                ("chat:some", '{"weak":true,"text":"words"}'),
                ("card", "{}"),
            ),
            1,
        ):
            connection.execute(
                "INSERT INTO entries (id, key, revision, family, kind, state, on_disk, name,"
                " title_print, card_print) VALUES (?, ?, ?, 'sd1', 'style', 'auto', 0, ?, '', '')",
                (number, f"civitai:{number}", number, f"n{number}"),
            )
            body = f'[{{"key":"civitai:{number}","name":"n{number}","source":"civitai",{card[1:]},{{"text":"t","kind":"style","source":"{source}","fingerprint":"f"}}]'  # noqa: E501
            connection.execute(
                "INSERT INTO bodies (id, body) VALUES (?, ?)", (number, body.replace(",}", "}"))
            )
    database.close()
    store = SqliteStore(tmp_path)
    try:
        assert [entry.card.name for entry in store.search("", Filter(refined=True)).entries] == [
            "n2"
        ]
        assert [entry.card.name for entry in store.search("", Filter(bare=True)).entries] == [
            "n2",
            "n3",
        ]
        assert [
            entry.card.name for entry in store.search("", Filter(refined=False, bare=False)).entries
        ] == ["n1"]
    finally:
        store.close()
