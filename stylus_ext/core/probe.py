"""A probe: what a LoRA does to pictures of one checkpoint, as measured on the user's machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stylus_ext.core.card import LocalFile

BROKEN, FAILED, NO_EFFECT = "broken", "failed", "no_effect"
TROUBLES = (BROKEN, FAILED, NO_EFFECT)
"""Pictures break at every weight; the WebUI makes none; pictures do not change."""

TIE_BREAK = 0.005
"""Most that a probe adds to a certainty: it decides between near-equal candidates only."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Measurements of one file with one checkpoint.

    Effects are feature distances to the picture without the LoRA, in units of the distance between
    pictures of different prompts without it.
    """

    strength: float
    """Effect per weight."""
    consistency: float
    """How alike the changes of all prompts and seeds are: 0 to 1."""
    breaks_at: float | None
    """The least measured weight from which pictures break."""
    weight: float | None
    """The weight to use where nothing is stated; None for the user's default."""
    trouble: str
    checkpoint: str
    features: str
    settings: str
    """Fingerprint of everything that the pictures were made with."""
    made: str
    size: int
    """Bytes of the measured file."""
    sha256: str = ""
    preview: str = ""
    """Path of its small picture in Stylus' data folder."""

    def is_of(self, files: Iterable[LocalFile]) -> bool:
        """Whether one of these is the measured file; True without any files."""
        known = tuple(files)
        return not known or any(map(self._is_of_file, known))

    def _is_of_file(self, file: LocalFile) -> bool:
        same_hash = not self.sha256 or not file.sha256 or self.sha256 == file.sha256
        return file.size == self.size and same_hash

    def breaks(self, weight: float) -> bool:
        return self.trouble in (BROKEN, FAILED) or (
            self.breaks_at is not None and abs(weight) >= self.breaks_at
        )


def tie_break(probe: Probe | None) -> float:
    """What a probe adds to a certainty: 0 without one, less for a file with a trouble."""
    if probe is None:
        return 0.0
    if probe.trouble:
        return -TIE_BREAK
    return TIE_BREAK * min(1.0, probe.strength) * probe.consistency
