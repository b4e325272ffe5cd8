"""An append-only log of batches, one checksummed line each: a batch is there when its line is
whole, else it never was.
"""

from __future__ import annotations

import json
import logging
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

Batch = dict[str, list[str]]
"""`gone`: keys that lost their row. `keys`, `families`, `prints`: the rows added, in their order.
"""


class RowLog:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = 0

    def create(self, batch: Batch | None = None) -> None:
        self._path.write_bytes(b"")
        self._size = 0
        if batch:
            self.append(batch)

    def read(self) -> Iterator[Batch]:
        """All whole batches; what a killed writer left behind them is cut off."""
        log = self._path.read_bytes()
        for line in log.splitlines(keepends=True):
            batch = _checked(line)
            if batch is None:
                logger.info("The last batch of %s was not finished and is left out.", self._path)
                break
            self._size += len(line)
            yield batch
        if self._size < len(log):
            os.truncate(self._path, self._size)

    def append(self, batch: Batch) -> None:
        line = _line(batch)
        with self._path.open("r+b") as out:
            out.truncate(self._size)
            out.seek(self._size)
            out.write(line)
            out.flush()
            os.fsync(out.fileno())
        self._size += len(line)


def _line(batch: Batch) -> bytes:
    text = json.dumps(batch, separators=(",", ":")).encode("ascii")
    return b"%08x %b\n" % (zlib.crc32(text), text)


def _checked(line: bytes) -> Batch | None:
    total, _, text = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or total != b"%08x" % zlib.crc32(text):
        return None
    batch: Any = json.loads(text)
    return batch if isinstance(batch, dict) else None
