"""A process to be killed: writes and removes batches for ever, and says on stdout what has
returned.

`python -m tests.catalogue.vectors.writer FOLDER ROUND [between]`; with `between` it kills
itself after Chroma has taken its third change and before the matrix has.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

from stylus_ext.catalogue.vectors import ChromaIndex
from stylus_ext.catalogue.vectors.matrix import Rows
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import VIEWS
from tests.vectors import WIDE, item, made

_FATAL = 3


def say(what: str, changes: dict[str, str | None]) -> None:
    sys.stdout.write(json.dumps([what, changes]) + "\n")
    sys.stdout.flush()


def die_between(name: str) -> None:
    whole, seen = getattr(Rows, name), [0]

    def fatal(self: Rows, *args: Any) -> Any:
        seen[0] += 1
        if seen[0] == _FATAL:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(self, *args)

    setattr(Rows, name, fatal)


def main(folder: Path, turn: int, between: str) -> None:
    if between:
        die_between(between)
    index = ChromaIndex(folder, "bag", WIDE)
    rng = random.Random(turn)
    batch = 0
    while True:
        batch += 1
        numbers = rng.sample(range(1, 200), rng.randint(1, 40))
        if between == "drop" or rng.random() < 0.3:
            numbers = numbers[:10]
            say("begin", {f"civitai:{number}": None for number in numbers})
            index.remove([AdapterKey.civitai(number) for number in numbers])
            say("done", {f"civitai:{number}": None for number in numbers})
        if between == "drop" and batch > 1:
            continue
        prints = {f"civitai:{number}": f"{turn}-{batch}-{number}" for number in numbers}
        items = [
            item(number, view, "sd1", prints[f"civitai:{number}"])
            for view in VIEWS
            for number in numbers
        ]
        say("begin", dict(prints))
        index.write(items, made(items))
        say("done", dict(prints))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "")
