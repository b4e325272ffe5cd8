"""What is wired to the refiner that asks a model: a wish goes in; a report of what was refined, or
what it would cost, comes out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from stylus_ext.app.attempts import Attempts
from stylus_ext.app.refine_catalogue import RefineCatalogue
from stylus_ext.app.wiring_chat import ChatAccess
from stylus_ext.app.wiring_stylus import Stylus
from stylus_ext.backends.http import Pace
from stylus_ext.backends.refiners.chat import ChatRefiner
from stylus_ext.backends.refiners.chat_pictures import Pictures
from stylus_ext.backends.thumbnails import RemotePictures, Thumbnails
from stylus_ext.core.ports import Progress
from stylus_ext.core.refining import RefineLimits, RefineReport

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
        Pictures(pictures, small, RemotePictures(small) if fetch and pictures else None),
    )
    try:
        yield refiner
    finally:
        refiner.close()


def refine(stylus: Stylus, wish: RefineWish, progress: Progress) -> RefineReport:
    """What was refined is embedded by whoever asked."""
    with chat_refiner(stylus.chat, wish.pictures, wish.fetch_pictures) as refiner:
        pace = Pace(_MINUTE_S / wish.per_minute if wish.per_minute else 0.0)
        attempts = Attempts(stylus.shop.memory, _ATTEMPTS)
        work = RefineCatalogue(stylus.store, refiner, attempts, stylus.changing, pace.wait)
        return work.estimate(wish.limits) if wish.dry_run else work(wish.limits, progress)
