"""The first steps of a new user: which are done or skipped, remembered in the data folder."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylus_ext.core.files import write_file

if TYPE_CHECKING:
    from stylus_ext.engine.stylus import Stylus

logger = logging.getLogger(__name__)

READ, IDENTIFY, LEARN, CATALOGUE = "read", "identify", "learn", "catalogue"
LANGUAGE_MODEL = "language_model"
STEPS = (READ, IDENTIFY, LEARN, CATALOGUE, LANGUAGE_MODEL)
CATALOGUE_MODELS = 2000
"""So many of the most downloaded models make a catalogue."""
_LARGEST = 64 * 1024


@dataclass
class FirstSteps:
    """The file of one data folder; an unreadable one counts as empty."""

    folder: Path
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def skipped(self) -> list[str]:
        found = self._read().get("skipped")
        return [step for step in STEPS if isinstance(found, list) and step in found]

    def skip(self, steps: list[str]) -> None:
        """Replace the list of skipped steps."""
        self._write("skipped", [step for step in STEPS if step in steps])

    def finished(self) -> dict[str, int]:
        """The count that each finished step ended with."""
        found = self._read().get("finished")
        counts = found if isinstance(found, dict) else {}
        return {step: counts[step] for step in STEPS if isinstance(counts.get(step), int)}

    def finish(self, step: str, count: int) -> None:
        try:
            self._write("finished", {**self.finished(), step: count})
        except OSError as error:  # the job itself has succeeded
            logger.warning("the step %s is not remembered: %s", step, error)

    def _read(self) -> Mapping[str, Any]:
        try:
            if self._file.stat().st_size > _LARGEST:
                return {}
            found = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, name: str, value: object) -> None:
        with self._lock:
            write_file(self._file, json.dumps({**self._read(), name: value}))

    @property
    def _file(self) -> Path:
        return self.folder / "first_steps.json"


def first_steps(stylus: Stylus, skip: list[str] | None) -> dict[str, Any]:
    """Each step with its state and the counts of its sentence; `skip` replaces the skipped ones."""
    steps = stylus.first_steps
    if skip is not None:
        steps.skip(skip)
    tally, finished = stylus.catalogue.store.tallies.tally(), steps.finished()
    online = tally.entries - tally.on_disk
    model = stylus.services.language_model
    is_done = {
        READ: tally.on_disk > 0 or READ in finished,
        IDENTIFY: tally.unnamed <= finished.get(IDENTIFY, 0)
        if IDENTIFY in finished
        else tally.on_disk > 0 and tally.unnamed == 0,
        LEARN: LEARN in finished,
        CATALOGUE: CATALOGUE in finished or online >= CATALOGUE_MODELS,
        LANGUAGE_MODEL: model.on and not model.problem,
    }
    counts = {
        READ: tally.on_disk,
        IDENTIFY: tally.unnamed,
        LEARN: finished.get(LEARN, 0),
        CATALOGUE: online,
    }
    skipped = steps.skipped()
    return {
        "steps": [
            {
                "name": step,
                "state": "done" if is_done[step] else "skipped" if step in skipped else "to_do",
                "count": counts.get(step),
                "text": model.problem or model.settings.chat_model
                if step == LANGUAGE_MODEL
                else "",
            }
            for step in STEPS
        ]
    }
