from __future__ import annotations

from pathlib import Path

import pytest

from stylus_ext.catalogue.store.sqlite import SqliteStore
from tests.fakes import make_entry


def test_texts_are_found_again(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    assert store.memory.remembered("crawl") == ""
    store.memory.remember("crawl", '{"cursor": "1|2"}')
    store.memory.remember("other", "lone \ud800 half")
    store.close()
    store = SqliteStore(tmp_path)
    assert store.memory.remembered("crawl") == '{"cursor": "1|2"}'
    assert store.memory.remembered("other") == "lone \ud800 half"
    store.memory.remember("crawl", "")
    assert store.memory.remembered("crawl") == ""
    store.close()


@pytest.mark.parametrize("name", ["schema", "identity", "revision", "clean", "journal"])
def test_no_name_reaches_what_the_catalogue_keeps_for_itself(tmp_path: Path, name: str) -> None:
    store = SqliteStore(tmp_path)
    identity = store.identity
    store.memory.remember(name, "spoiled")
    store.memory.remember(name, "")
    store.write([make_entry(1)])
    store.close()
    store = SqliteStore(tmp_path)
    assert store.identity == identity
    assert store.revision == 1
    store.close()


def test_what_is_remembered_changes_nothing_that_others_watch(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    before = store.revision
    store.memory.remember("crawl", "x")
    assert store.revision == before
    store.close()
