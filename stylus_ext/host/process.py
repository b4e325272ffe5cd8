"""The process hook: returns an `AppliedGeneration` and never raises."""

from __future__ import annotations

import logging
from typing import Any

from stylus_ext.core.errors import Note
from stylus_ext.host import infotext
from stylus_ext.host.generation import Generation
from stylus_ext.host.infotext_writer import AppliedGeneration, texts_of
from stylus_ext.host.planner_registry import current_planner, tell
from stylus_ext.host.replay import continued
from stylus_ext.host.values import PanelValues, ValuesReading

logger = logging.getLogger(__name__)


def process(p: Any, reading: ValuesReading | Note) -> AppliedGeneration | None:
    """Run Stylus for `p`; notes go under the picture, into the infotext and the panel."""
    infotext.forget(p.extra_generation_params)
    if isinstance(reading, Note):
        return _only_says(p, reading)
    if getattr(p, "disable_extra_networks", False):
        return _only_says(
            p,
            Note(
                "disabled",
                "Stylus did nothing: extra networks are switched off for this generation.",
            ),
        )
    try:
        work = _worked(p, reading)
    except (
        Exception
    ) as error:  # the host's edge: a generation goes on unchanged whatever is wrong here
        logger.exception("Stylus could not choose LoRAs")
        return _only_says(
            p,
            Note(
                "failed",
                f"Stylus left the prompt as it was, because of an error of its own: {error!r}",
            ),
        )
    tell(p, work.notes)
    return work


def _worked(p: Any, reading: ValuesReading) -> AppliedGeneration:
    planner = current_planner()
    work = continued(p, reading.values, planner)
    if work is None:
        work = Generation(p, reading.values, planner).run(reading.notes)
    else:
        work.notes[:0] = reading.notes
    session = planner.sessions.of(reading.values.seat)
    if session is not None:
        session.made = work, tuple(map(int, p.all_seeds))
    return work


def _only_says(p: Any, note: Note) -> AppliedGeneration:
    tell(p, [note])
    return AppliedGeneration(
        texts_of(p), (), infotext.of_generation(PanelValues(), "", [note]), [note]
    )
