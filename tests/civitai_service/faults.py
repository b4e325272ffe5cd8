"""Faults that the service can be told to make."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Fault:
    """Befalls the next `times` requests (-1: all) to `on` ("api", "storage" or "any") whose path
    holds the pattern `path`.

    With `status` the answer is made up here; else the real one is sent and spoiled.
    """

    path: str = ""
    on: str = "any"
    times: int = 1
    after: int = 0
    """So many fitting requests are left alone first."""
    status: int | None = None
    body: Any = b""
    """Bytes, text, or what is sent as JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    """Silence before the head."""
    cut_at: int | None = None
    """Connection reset when so many bytes of the body are sent."""
    end_at: int | None = None
    """Connection closed in order when so many are sent, whatever length was stated."""
    stall_at: int | None = None
    """Silence from there on, until the caller leaves."""
    pace: float | None = None
    """Bytes a second."""
    length: int | None = None
    """What Content-Length says instead of the truth."""
    chunked: bool = False
    """No length is stated at all."""
    whole: bool = False
    """Range is ignored: 200 and everything."""
    alter: Callable[[bytes], bytes] | None = None
    """What is sent instead of the body."""
    headless: bool = False
    """Connection reset before any answer."""


@dataclass
class Faults:
    """Those that are still to come."""

    coming: list[Fault] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *faults: Fault) -> None:
        with self.guard:
            self.coming.extend(faults)

    def next(self, on: str, path: str) -> Fault:
        with self.guard:
            for fault in self.coming:
                if fault.on in ("any", on) and fault.times and re.search(fault.path, path):
                    if fault.after:
                        fault.after -= 1
                        continue
                    fault.times -= 1
                    return fault
        return Fault()

    def clear(self) -> None:
        with self.guard:
            self.coming.clear()
