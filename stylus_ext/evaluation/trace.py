"""Lists the files of Stylus in which a function is called while something runs.

`main` calls the `main` of another module with the rest of its arguments, and lists that one's
files: `BEGIN` and `END` are files that another process makes in the data folder; each is deleted
when what it asks for is done.
"""

from __future__ import annotations

import importlib
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

PACKAGE = Path(__file__).resolve().parents[1]
BEGIN, END, FOUND = "trace.begin", "trace.end", "trace.json"
_OWN = str(PACKAGE / "evaluation")
_POLL_S = 0.02
_TIMEOUT_S = 60.0


class FileTrace:
    """Records the files of calls in this thread, and in threads that start later."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._on = False

    def install(self) -> None:
        threading.setprofile(self._called)
        sys.setprofile(self._called)

    def remove(self) -> None:
        threading.setprofile(None)
        sys.setprofile(None)

    def begin(self) -> None:
        self._files.clear()
        self._on = True

    def end(self) -> list[str]:
        """The files since `begin`, relative to the package; those of the benches do not count."""
        self._on = False
        paths = [Path(name) for name in self._files.copy() if not name.startswith(_OWN)]
        return sorted(
            path.relative_to(PACKAGE).as_posix() for path in paths if path.is_relative_to(PACKAGE)
        )

    def _called(self, frame: FrameType, event: str, _: object) -> None:
        if self._on and event == "call":
            self._files.add(frame.f_code.co_filename)


def ask(folder: Path, name: str) -> None:
    """Asks the engine of this data folder, and waits until it has done so."""
    mark = folder / name
    mark.touch()
    until = time.monotonic() + _TIMEOUT_S
    while mark.exists():
        if time.monotonic() > until:
            raise TimeoutError(f"The traced engine does not look at {mark}.")
        time.sleep(_POLL_S)


def _listen(folder: Path, trace: FileTrace) -> None:
    done: dict[str, Callable[[], object]] = {
        BEGIN: trace.begin,
        END: lambda: (folder / FOUND).write_text(json.dumps(trace.end()), "utf-8"),
    }
    while True:
        for name, act in done.items():
            if (folder / name).exists():
                act()
                (folder / name).unlink()
        time.sleep(_POLL_S)


def main(arguments: list[str] | None = None) -> int:
    module, *words = sys.argv[1:] if arguments is None else arguments
    folder = Path(words[words.index("--data-dir") + 1])
    trace = FileTrace()
    threading.Thread(target=_listen, args=(folder, trace), daemon=True).start()
    trace.install()
    return int(importlib.import_module(module).main(words))
