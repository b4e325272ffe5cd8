"""How long somebody waits; apart, since the settings page needs it at the WebUI's start and the
desk later.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited: for an engine that is on its way, and for a plan; the first one after a
    start loads the encoder.
    """

    ready_s: float = 60.0
    cold_s: float = 20.0
    warm_s: float = 2.0
