"""What is wired to the refiner that asks a model: a wish goes in; a report of what was refined, or
what it would cost, comes out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from stylus_ext.catalogue.refine.job import FailedAttempts, RefineCatalogue
from stylus_ext.catalogue.refine.llm import ChatRefiner
from stylus_ext.catalogue.refine.llm_prompt import CardImages
from stylus_ext.core.errors import Note
from stylus_ext.core.ports import Progress
from stylus_ext.core.refining import MOST_AT_ONCE, MOST_PICTURES, RefineLimits, RefineReport
from stylus_ext.engine.language_model import ChatAccess
from stylus_ext.engine.requests import Field, Schema
from stylus_ext.engine.stylus import Stylus
from stylus_ext.net import Pace
from stylus_ext.net.thumbnails import RemotePictures, Thumbnails

_ATTEMPTS = "refine.failed"
_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class RefineWish:
    """`pictures` for each card at most, `fetch_pictures` also those that are not on this
    machine.
    """

    limits: RefineLimits
    pictures: int = 3
    fetch_pictures: bool = True
    per_minute: float = 0.0
    """Questions; 0 is no limit."""
    dry_run: bool = False


@contextmanager
def chat_refiner(chat: ChatAccess, pictures: int, fetch: bool) -> Iterator[ChatRefiner]:
    small = Thumbnails()
    refiner = ChatRefiner(
        chat.client(),
        CardImages(pictures, small, RemotePictures(small) if fetch and pictures else None),
    )
    try:
        yield refiner
    finally:
        refiner.close()


def run_refiner(stylus: Stylus, wish: RefineWish, progress: Progress) -> RefineReport:
    """What was refined is embedded by whoever asked."""
    with chat_refiner(stylus.chat, wish.pictures, wish.fetch_pictures) as refiner:
        pace = Pace(_MINUTE_S / wish.per_minute if wish.per_minute else 0.0)
        attempts = FailedAttempts(stylus.shop.memory, _ATTEMPTS)
        work = RefineCatalogue(stylus.store, refiner, attempts, stylus.changing, pace.wait)
        return work.estimate(wish.limits) if wish.dry_run else work(wish.limits, progress)


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
    wish = RefineWish(
        limits,
        request["pictures"],
        request["fetch_pictures"],
        request["per_minute"],
        request["dry_run"],
    )
    report = run_refiner(stylus, wish, progress)
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
