"""Counts and times of requests, as Prometheus reads them."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

_BOUNDS_S = (0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class RequestMetrics:
    """Counts requests by operation and outcome, and sorts their durations by size."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str]] = Counter()
        self._buckets: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(_BOUNDS_S) + 1))
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def answered(self, operation: str, outcome: str, seconds: float) -> None:
        """`outcome` is done, or the code of an error."""
        with self._lock:
            self._requests[operation, outcome] += 1
            self._buckets[operation][bisect_left(_BOUNDS_S, seconds)] += 1
            self._seconds[operation] += seconds

    def text(self, entries: int, jobs: Mapping[str, int]) -> str:
        """The metrics in Prometheus' text format, with the present size and jobs."""
        with self._lock:
            lines = [
                *_head("stylus_requests_total", "counter", "Requests by operation and outcome."),
                *(
                    f'stylus_requests_total{{operation="{operation}",outcome="{outcome}"}} {count}'
                    for (operation, outcome), count in sorted(self._requests.items())
                ),
                *_head("stylus_request_seconds", "histogram", "Seconds until an answer."),
                *(
                    line
                    for operation in sorted(self._buckets)
                    for line in self._histogram(operation)
                ),
            ]
        lines += _head("stylus_catalogue_entries", "gauge", "Adapters in the catalogue.")
        lines.append(f"stylus_catalogue_entries {entries}")
        lines += _head("stylus_jobs", "gauge", "The last jobs by state.")
        lines += [f'stylus_jobs{{state="{state}"}} {count}' for state, count in jobs.items()]
        return "\n".join(lines) + "\n"

    def _histogram(self, operation: str) -> Iterator[str]:
        name, label, total = "stylus_request_seconds", f'operation="{operation}"', 0
        for bound, count in zip((*_BOUNDS_S, "+Inf"), self._buckets[operation], strict=True):
            total += count
            yield f'{name}_bucket{{{label},le="{bound}"}} {total}'
        yield f"{name}_sum{{{label}}} {self._seconds[operation]:.6f}"
        yield f"{name}_count{{{label}}} {total}"


def _head(name: str, kind: str, text: str) -> Iterable[str]:
    return (f"# HELP {name} {text}", f"# TYPE {name} {kind}")
