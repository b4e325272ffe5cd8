"""What the benchmarks share: times, percentiles, a stylus to measure, figures beside budgets."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from stylus_ext.core.settings import Settings, with_values
from stylus_ext.engine.stylus import Stylus, open_stylus

Command = Callable[..., Sequence[str]]
"""Returns the command that runs a module in this environment, in another process."""


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def percentiles(name: str, times: Sequence[float]) -> dict[str, float]:
    """Median and 95th percentile in milliseconds."""
    return {
        f"{name}_p50_ms": round(1000 * median(times), 1),
        f"{name}_p95_ms": round(1000 * quantiles(times, n=20)[-1], 1),
    }


@contextmanager
def opened(
    folder: Path | None = None, values: Mapping[str, Mapping[str, Any]] | None = None
) -> Iterator[Stylus]:
    """A stylus over a folder, by default a temporary one."""
    with tempfile.TemporaryDirectory(prefix="stylus-bench-") as scratch:
        stylus = open_stylus(folder or Path(scratch), with_values(Settings(), values or {}))
        try:
            yield stylus
        finally:
            stylus.close()


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def write_weights(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values, separators=(",", ":")) + "\n", "utf-8")


def figure_lines(budgets: Mapping[str, str]) -> Callable[[Mapping[str, Any]], Iterator[str]]:
    """Return a function that shows figures, one per line, beside their budgets."""

    def lines(found: Mapping[str, Any]) -> Iterator[str]:
        for name, value in found.items():
            shown = ", ".join(map(str, value)) or "nothing" if isinstance(value, list) else value
            yield f"{name:26} {shown!s:>10}  {budgets.get(name, '')}".rstrip()

    return lines
