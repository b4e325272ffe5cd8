"""A process to be killed: writes and removes batches for ever, and says on stdout what has
returned.

`python -m tests.catalogue.vectors.writer FOLDER ROUND [STEP]`; with a step of `STEPS` it kills
itself before the third call of that step, or after it if the step ends in "+".
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

from stylus_ext.catalogue.vectors import ChromaIndex, matrix
from stylus_ext.catalogue.vectors import index as index_module
from stylus_ext.catalogue.vectors.chroma import ChromaHome
from stylus_ext.catalogue.vectors.matrix import Rows
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import VIEWS
from tests.vectors import WIDE, item, made

_FATAL = 3
STEPS: dict[str, tuple[Any, str]] = {
    "put": (ChromaHome, "put"),
    "delete": (ChromaHome, "delete"),
    "append": (Rows, "append"),
    "drop": (Rows, "drop"),
    "save": (Rows, "save"),
    "compact": (Rows, "compact"),
    "state": (matrix, "write_file"),
    "mark": (index_module, "write_file"),
    "sweep": (matrix, "discard"),
}


def say(what: str, changes: dict[str, str | None]) -> None:
    sys.stdout.write(json.dumps([what, changes]) + "\n")
    sys.stdout.flush()


def die_at(step: str, after: bool) -> None:
    """Kill this process before or after the third call of this step."""
    owner, name = STEPS[step]
    whole, calls = getattr(owner, name), [0]

    def fatal(*args: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] == _FATAL and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = whole(*args, **options)
        if calls[0] == _FATAL:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, fatal)


def main(folder: Path, turn: int, between: str) -> None:
    matrix._FEW = 20
    if between:
        die_at(between.removesuffix("+"), after=between.endswith("+"))
    index = ChromaIndex(folder, "bag", WIDE)
    rng = random.Random(turn)
    batch = 0
    while True:
        batch += 1
        numbers = rng.sample(range(1, 200), rng.randint(1, 40))
        if rng.random() < 0.3:
            numbers = numbers[:10]
            say("begin", {f"civitai:{number}": None for number in numbers})
            index.remove([AdapterKey.civitai(number) for number in numbers])
            say("done", {f"civitai:{number}": None for number in numbers})
        prints = {f"civitai:{number}": f"{turn}-{batch}-{number}" for number in numbers}
        items = [
            item(number, view, "sd1", prints[f"civitai:{number}"])
            for view in VIEWS
            for number in numbers
        ]
        say("begin", dict(prints))
        index.write(items, made(items))
        say("done", dict(prints))
        if rng.random() < 0.4:
            index.set_mark(str(batch))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "")
