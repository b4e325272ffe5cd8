"""How far a crawl has come, as text that outlives the process: what was wanted goes in, the place
to go on from comes out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from stylus_ext.core.sources import CataloguePage, Wanted

_MOST_EMPTY = 25
"""Pages with nothing on them in a row; a service that sifts a page after it has cut it sends some
on the way.
"""


@dataclass(frozen=True, slots=True)
class CrawlState:
    """After the pages so far. `until`: what came out before then is known from an earlier crawl,
    which ended.
    """

    cursor: str | None = None
    models: int = 0
    kept: int = 0
    written: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    newest: str = ""
    until: str = ""
    ended: bool = False
    empty: int = 0
    in_order: bool = True

    def after(self, page: CataloguePage, written: int, wanted: Wanted) -> CrawlState:
        """One page further. It is the last when there is no next, when enough was read, or when all
        on it was known before.
        """
        models, empty = self.models + page.models, 0 if page.models else self.empty + 1
        known = bool(self.until and page.models and page.in_order) and page.newest <= self.until
        nowhere = page.cursor is None or page.cursor == self.cursor or empty > _MOST_EMPTY
        return replace(
            self,
            cursor=page.cursor,
            models=models,
            kept=self.kept + len(page.cards),
            written=self.written + written,
            skipped=dict(Counter(self.skipped) + Counter(page.skipped)),
            newest=max(self.newest, page.newest),
            ended=nowhere or known or bool(wanted.top and models >= wanted.top),
            empty=empty,
            in_order=page.in_order,
        )

    def again(self, wanted: Wanted) -> CrawlState:
        """The next crawl of the same: what is new since, where newest come first; all of it where a
        rank may have changed.
        """
        since = max(self.newest, self.until)
        return (
            CrawlState()
            if wanted.top or not self.in_order
            else CrawlState(until=since, newest=since)
        )

    def afresh(self) -> CrawlState:
        """From the beginning, since the place is lost; what an earlier crawl had read stays
        known.
        """
        return CrawlState(until=self.until, newest=self.until)

    def left(self, wanted: Wanted) -> int | None:
        return max(0, wanted.top - self.models) if wanted.top else None

    def to_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of_text(cls, text: str) -> CrawlState | None:
        """None for what is none: then the crawl begins anew, which costs time and nothing else."""
        try:
            said: Any = json.loads(text)
            state = cls(**said)
            counts = [state.models, state.kept, state.written, *state.skipped.values()]
            fits = all(isinstance(count, int) for count in counts) and isinstance(
                state.cursor, (str, type(None))
            )
        except (ValueError, TypeError, AttributeError):
            return None
        return (
            state
            if fits and isinstance(state.newest, str) and isinstance(state.until, str)
            else None
        )
