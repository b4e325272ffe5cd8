"""A process that tells verdicts without end and says what it has finished; made to be killed."""

from __future__ import annotations

import sys
from pathlib import Path

from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterKey
from tests.catalogue.store.worker import say


def judge(folder: Path, start: int) -> None:
    store = SqliteStore(folder)
    number = start
    while True:
        store.verdicts.tell(AdapterKey.civitai(number % 7), f"prompt {number}", wrong=True)
        say(f"wrong {number}")
        if number % 3 == 0:
            store.verdicts.tell(AdapterKey.civitai(number % 7), f"prompt {number}", wrong=False)
            say(f"back {number}")
        number += 1


if __name__ == "__main__":
    judge(Path(sys.argv[1]), int(sys.argv[2]))
