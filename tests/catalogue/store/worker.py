"""A process that writes to the store without end and says what it has finished; made to be
killed.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import Edits
from tests.fakes import make_entry

BATCH = 20


def key_of(number: int) -> AdapterKey:
    return AdapterKey.civitai(number * BATCH)


def work(folder: Path, start: int) -> None:
    store = SqliteStore(folder)
    number = start
    while True:
        first = number * BATCH
        store.write(
            make_entry(first + step, f"Entry {first + step}", "x" * 500) for step in range(BATCH)
        )
        say(f"write {number}")
        store.edit(key_of(number), Edits(text=f"mine {number}"))
        say(f"edit {number}")
        path = AdapterKey.path(f"file {number}")
        entry = make_entry(1, f"File {number}", edits=Edits(state="never"))
        store.write([replace(entry, card=replace(entry.card, key=path))])
        store.unite(AdapterKey.civitai(first + 1), path)
        say(f"unite {number}")
        copy = AdapterKey.path(f"copy {number}")
        apart = [
            make_entry(first + 2, f"Entry {first + 2}"),
            make_entry(1, f"Copy {number}", key=copy),
        ]
        store.unite(AdapterKey.civitai(first + 2), copy)
        store.edit(copy, Edits(weight=0.5))
        store.part(copy, [], apart)
        say(f"part {number}")
        number += 1


def say(what: str) -> None:
    sys.stdout.write(what + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]))
