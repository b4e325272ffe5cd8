"""The engine's log: `engine.log` in the data folder, readable by its user alone and of bounded
size. It gets no token and no prompt.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path

from stylus_ext.core.errors import StoreProblem

LOG_FILE = "engine.log"
LARGEST = 1_000_000
KEPT = 3

_OURS = "stylus_ext"


@contextmanager
def logged_to(folder: Path) -> Iterator[Path]:
    """While it lasts: our own steps from INFO on, other libraries' from WARNING on."""
    path = folder / LOG_FILE
    try:
        handler = _Private(
            path, maxBytes=LARGEST, backupCount=KEPT, encoding="utf-8", errors="backslashreplace"
        )
    except OSError as error:
        raise StoreProblem(
            f"The log {path} cannot be written: {error.strerror or error}. Check the data folder."
        ) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(
        lambda record: record.levelno >= logging.WARNING or record.name.startswith(_OURS)
    )
    root, ours = logging.getLogger(), logging.getLogger(_OURS)
    before = ours.level
    others = [(other, other.level) for other in root.handlers]
    for other, level in others:
        other.setLevel(max(level, root.getEffectiveLevel()))  # they keep to what they said before
    root.addHandler(handler)
    ours.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield path
    finally:
        logging.captureWarnings(False)
        ours.setLevel(before)
        for other, level in others:
            other.setLevel(level)
        root.removeHandler(handler)
        handler.close()


class _Private(RotatingFileHandler):
    def _open(self):  # type: ignore[no-untyped-def]  # the standard library gives no name to what this returns
        return os.fdopen(
            os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            "a",
            encoding=self.encoding,
            errors=self.errors,
        )
