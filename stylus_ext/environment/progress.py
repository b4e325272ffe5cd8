"""The progress file of a build: written by the one that builds, shown by everybody."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from stylus_ext.environment.placing import put_in_place


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a build is; `error` is the sentence it ended with, `finished` says that it ended."""

    step: str
    done_mb: int = 0
    total_mb: int = 0
    eta_s: int | None = None
    error: str | None = None
    finished: bool = False
    pid: int = 0
    updated: float = 0.0

    def line(self) -> str:
        """One line for a terminal."""
        if not self.total_mb:
            return self.step
        share = min(1.0, self.done_mb / self.total_mb)
        bar = "#" * int(24 * share)
        left = "" if self.eta_s is None else f", about {self.eta_s} s left"
        return f"[{bar:<24}] {self.step}: {self.done_mb} of about {self.total_mb} MB{left}"


def write_progress(path: Path, progress: Progress) -> None:
    """Puts the file in place in one step."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    said = asdict(progress) | {"pid": os.getpid(), "updated": time.time()}
    temporary.write_text(json.dumps(said), encoding="utf-8")
    put_in_place(temporary, path)  # who shows it may be reading it just now


def read_progress(path: Path) -> Progress | None:
    """What the file says; None when there is none, or it is none of ours."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return Progress(**said)
    except (OSError, ValueError, TypeError):
        return None
