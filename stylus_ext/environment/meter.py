"""How far a build is: the sizes of its folders go in, progress that never goes back comes out, for
the file and for who watches.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from stylus_ext.environment.layout import Part
from stylus_ext.environment.progress import Progress, write_progress

TORCH_MB = (195, 640)
# Byte code comes on top of what pip unpacks: 644 MB became 760 where it was measured.
_COMPILED = 1.18


def megabytes(part: Part) -> tuple[int, int]:
    """About how much a part needs: to download, and on disk with its byte code."""
    download, unpacked = (
        TORCH_MB if part.lock is None else (part.lock.download_mb, part.lock.disk_mb)
    )
    return download, round(unpacked * _COMPILED)


class Meter:
    """One for all parts of a build. What pip fetched lies beside what it unpacked until it is done
    with it: then the folder shrinks, and what was fetched still counts.
    """

    def __init__(self, path: Path, parts: Sequence[Part], show: Callable[[Progress], None]) -> None:
        self._path, self._show = path, show
        self._total = sum(sum(megabytes(part)) for part in parts)
        self._began = time.monotonic()
        self._before = self._fetched = self._most = 0
        self._upto = 0

    def begin(self, part: Part) -> None:
        """Whatever comes now is of this part."""
        self._before, self._fetched = self._upto, 0
        self._upto = self._before + sum(megabytes(part))

    def fetched(self, part: Part) -> None:
        """What was downloaded has become the folder, and is gone from beside it."""
        self._fetched = megabytes(part)[0]

    def tell(self, step: str, done_mb: int) -> None:
        """Writes and shows one state; a guess that was too small never says more than all."""
        self._most = max(self._most, min(self._before + self._fetched + done_mb, self._upto))
        spent = time.monotonic() - self._began
        rate = self._most / spent if spent > 1 else 0.0
        eta = int((self._total - self._most) / rate) if rate > 0 else None
        progress = Progress(step, self._most, self._total, eta)
        write_progress(self._path, progress)
        self._show(progress)
