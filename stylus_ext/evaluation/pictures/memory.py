"""The GPU memory that a WebUI needs for a picture, by its API (`/sdapi/v1/memory`)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from stylus_ext.core.errors import StylusError
from stylus_ext.core.fetching import MB

_EVERY_S = 0.5


@dataclass(slots=True)
class PeakMemory:
    """The most memory of one picture in megabytes; None where it is unknown."""

    mb: float | None = None

    def add(self, size: float) -> None:
        self.mb = max(self.mb or 0.0, round(size / MB, 1))


class WebUiMemory:
    """Asks how much memory the WebUI's PyTorch has allocated, until it has no such figures."""

    def __init__(self, ask: Callable[[], object]) -> None:
        self._ask = ask
        self._known = True

    @contextmanager
    def watched(self) -> Iterator[PeakMemory]:
        """The peak is complete when the block has ended."""
        found = PeakMemory()
        before = self._allocated()
        if before is None:
            yield found
            return
        over = threading.Event()
        thread = threading.Thread(target=self._watch, args=(found, over), daemon=True)
        thread.start()
        try:
            yield found
        finally:
            over.set()
            thread.join()
        after = self._allocated()
        if after is not None and after[1] > before[1]:
            found.add(after[1])

    def _watch(self, found: PeakMemory, over: threading.Event) -> None:
        while not over.wait(_EVERY_S):
            now = self._allocated()
            if now is None:
                return
            found.add(now[0])

    def _allocated(self) -> tuple[float, float] | None:
        """The bytes allocated now, and the most since the WebUI began."""
        if not self._known:
            return None
        try:
            answer = self._ask()
        except StylusError:
            answer = None
        cuda = answer.get("cuda") if isinstance(answer, Mapping) else None
        allocated = cuda.get("allocated") if isinstance(cuda, Mapping) else None
        values = allocated if isinstance(allocated, Mapping) else {}
        sizes = [values.get(name) for name in ("current", "peak")]
        if not all(isinstance(size, int | float) for size in sizes):
            self._known = False
            return None
        return float(values["current"]), float(values["peak"])
