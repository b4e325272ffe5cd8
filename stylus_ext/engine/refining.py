"""Refining over HTTP: limits go in; how many were refined and what it cost, or would cost, come
out.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stylus_ext.core.errors import Note
from stylus_ext.core.ports import Progress
from stylus_ext.core.refining import MOST_AT_ONCE, MOST_PICTURES, RefineLimits, RefineReport
from stylus_ext.engine.schemas import Field, Schema

if TYPE_CHECKING:
    from stylus_ext.app.wiring_stylus import Stylus

_MOST = 10_000_000
REFINE: Schema = {
    "at_once": Field(int, 4, low=1, high=MOST_AT_ONCE),
    "per_minute": Field(float, 0.0, low=0.0, high=100_000.0),
    "most": Field(int, None, low=0, high=_MOST),
    "dollars": Field(float, None, low=0.0, high=100_000.0),
    "tokens": Field(int, None, low=0, high=10**12),
    "pictures": Field(int, 3, low=0, high=MOST_PICTURES),
    "fetch_pictures": Field(bool, True),
    "on_disk": Field(bool, False),
    "again": Field(bool, False),
    "keys": Field(list, None, longest=10_000, items=Field(str, longest=4096)),
    "dry_run": Field(bool, False),
}


def refine(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Texts that are others now get their vectors at once."""
    from stylus_ext.app import wiring_refiner

    named = (
        None
        if request["keys"] is None
        else tuple(dict.fromkeys(stylus.entry(text).key for text in request["keys"]))
    )
    limits = RefineLimits(
        **{
            name: request[name]
            for name in ("at_once", "most", "dollars", "tokens", "on_disk", "again")
        },
        keys=named,
    )
    wish = wiring_refiner.RefineWish(
        limits,
        request["pictures"],
        request["fetch_pictures"],
        request["per_minute"],
        request["dry_run"],
    )
    report = wiring_refiner.refine(stylus, wish, progress)
    made, lacking = 0, tuple[Note, ...]()
    if report.refined:
        with stylus.changing:
            made, lacking = stylus.bring_in_step(progress)
        stylus.warm()
    notes = dict.fromkeys((*stylus.news(), *lacking))
    return {
        **_plain(report),
        "dry_run": wish.dry_run,
        "vectors": made,
        "notes": [asdict(note) for note in notes],
    }


def _plain(report: RefineReport) -> dict[str, Any]:
    return {**asdict(report), "reasons": dict(report.reasons)}
