"""The progress file of a build."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from stylus_ext.core.files import write_file
from stylus_ext.environment.layout import EnvironmentPart


@dataclass(frozen=True, slots=True)
class BuildProgress:
    """The state of a build; `error` and `finished` describe its end."""

    step: str
    done_mb: int = 0
    total_mb: int = 0
    eta_s: int | None = None
    error: str | None = None
    finished: bool = False
    pid: int = 0
    updated: float = 0.0

    def line(self) -> str:
        """Format it for a terminal."""
        if not self.total_mb:
            return self.step
        share = min(1.0, self.done_mb / self.total_mb)
        bar = "#" * int(24 * share)
        left = "" if self.eta_s is None else f", about {self.eta_s} s left"
        return f"[{bar:<24}] {self.step}: {self.done_mb} of about {self.total_mb} MB{left}"


def write_progress(path: Path, progress: BuildProgress) -> None:
    """Write the file in one step."""
    content = asdict(progress) | {"pid": os.getpid(), "updated": time.time()}
    write_file(path, json.dumps(content))


def read_progress(path: Path) -> BuildProgress | None:
    """Read the file; None if it is missing or invalid."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return BuildProgress(**content)
    except (OSError, ValueError, TypeError):
        return None


TORCH_MB = (195, 640)
# Byte code comes on top of what pip unpacks: 644 MB became 760 where it was measured.
_COMPILED = 1.18


def megabytes(part: EnvironmentPart) -> tuple[int, int]:
    """Estimate a part's size: the download, and on disk with byte code."""
    download, unpacked = (
        TORCH_MB if part.lock is None else (part.lock.download_mb, part.lock.disk_mb)
    )
    return download, round(unpacked * _COMPILED)


class ProgressMeter:
    """Estimates the progress of a build over all its parts.

    pip keeps downloads beside the unpacked files until the end of a part; when they vanish,
    they still count.
    """

    def __init__(
        self, path: Path, parts: Sequence[EnvironmentPart], show: Callable[[BuildProgress], None]
    ) -> None:
        self._path, self._show = path, show
        self._total = sum(sum(megabytes(part)) for part in parts)
        self._began = time.monotonic()
        self._before = self._fetched = self._most = 0
        self._upto = 0

    def begin(self, part: EnvironmentPart) -> None:
        """Begin a part."""
        self._before, self._fetched = self._upto, 0
        self._upto = self._before + sum(megabytes(part))

    def fetched(self, part: EnvironmentPart) -> None:
        """Count the download of a part as done; its files are gone now."""
        self._fetched = megabytes(part)[0]

    def tell(self, step: str, done_mb: int) -> None:
        """Write and show one state, limited to the estimate of the part."""
        self._most = max(self._most, min(self._before + self._fetched + done_mb, self._upto))
        spent = time.monotonic() - self._began
        rate = self._most / spent if spent > 1 else 0.0
        eta = int((self._total - self._most) / rate) if rate > 0 else None
        progress = BuildProgress(step, self._most, self._total, eta)
        write_progress(self._path, progress)
        self._show(progress)
