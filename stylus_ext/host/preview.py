"""A plan without a picture: what the boxes of the page say goes in, what the next pictures would be
made with comes out.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.family import UNKNOWN
from stylus_ext.core.plan import Plan
from stylus_ext.host import compat, compat_prompt, options
from stylus_ext.host.desk import Desk
from stylus_ext.host.generation import Generation
from stylus_ext.host.preview_view import Seen, view_of
from stylus_ext.host.trays import CORRECTED, LOCKED, Tray, Words
from stylus_ext.host.values import LAST_SEED, PanelValues

MOST_BATCHES = 100
_NO_PREVIEW = "There is no preview yet; press Preview first."


@dataclass(frozen=True, slots=True)
class Question:
    """What the page's boxes said when somebody pressed Preview; a seed below 0 is any."""

    prompt: str
    negative: str
    values: PanelValues
    styles: tuple[str, ...] = ()
    seed: int = -1
    batches: int = 1
    batch_size: int = 1

    @property
    def size(self) -> int:
        return 1 if self.values.vary_inside_batch else self.batch_size

    def seeds(self) -> list[int]:
        """The first of each batch, as the host would give them out."""
        first = self.values.seed if self.values.seed >= 0 else max(0, self.seed)
        batches = self.batches * (self.batch_size if self.values.vary_inside_batch else 1)
        return [
            min(first + number * self.size, LAST_SEED)
            for number in range(min(batches, MOST_BATCHES))
        ]


@dataclass
class Standing:
    """In the place of the host's `p`, for a picture that is not made."""

    batch_size: int
    is_api: bool = False
    stylus_plans: dict[str, Plan] = field(default_factory=dict)


def question_of(boxes: Sequence[Any], values: PanelValues) -> Question:
    """`boxes` are prompt, negative prompt, styles, seed, batch count and batch size as gradio gives
    them, as far as there are any.
    """
    prompt, negative, styles, seed, batches, size = boxes
    chosen = tuple(str(style) for style in styles) if isinstance(styles, (list, tuple)) else ()
    return Question(
        str(prompt or ""),
        str(negative or ""),
        values,
        chosen,
        _number(seed, -1, -1),
        _number(batches, 1, 1),
        _number(size, 1, 1),
    )


def _number(said: Any, default: int, least: int) -> int:
    """Older hosts have the seed in a text box."""
    try:
        return min(max(least, int(float(said))), LAST_SEED)
    except (TypeError, ValueError, OverflowError):
        return default


def look(desk: Desk, tray: Tray, question: Question | None = None) -> dict[str, Any]:
    """Asks the engine for this question, or for the last one again; what the page shows of it stays
    on the tray.
    """
    with tray.guard:
        asked = question or tray.question
        if asked is None:
            raise InvalidInput(_NO_PREVIEW)
        if question is not None and tray.sent is not None and question.prompt == tray.sent.before:
            tray.sent = None
        tray.question = asked
        began = time.perf_counter()
        plan, family, notes = _planned(desk, tray, asked)
        took = round(1000 * (time.perf_counter() - began))
        tray.plan, tray.family = plan, family
        seen = Seen(
            plan,
            tuple(dict.fromkeys([*notes, *plan.notes])),
            took,
            exact=asked.seed >= 0 or asked.values.seed >= 0,
        )
        tray.view = view_of(desk, tray, seen)
        return tray.view


def _planned(desk: Desk, tray: Tray, asked: Question) -> tuple[Plan, str, list[Note]]:
    positive, negative = compat_prompt.styled(asked.prompt, asked.negative, asked.styles)
    pair = compat.without_comments(positive), compat.without_comments(negative)
    quiet = desk.aside()
    inquiry, family, notes = Generation(Standing(asked.size), asked.values, quiet).inquiry()
    downloads = asked.values.downloads and family != UNKNOWN and _may_fetch(quiet)
    corrections, said = tray.corrections(asked.prompt, asked.negative, family)
    said = [
        note for note in said if note not in (CORRECTED, LOCKED)
    ]  # the page shows both as they are
    plan = replace(inquiry, corrections=corrections, downloads=downloads).ask(pair, asked.seeds())
    desk.learned(quiet)
    return plan, family, [*notes, *said]


def _may_fetch(desk: Desk) -> bool:
    """What may be fetched later is shown; nothing is fetched for a preview."""
    desk.ready(options.patience().ready_s)
    return not desk.downloads.barred()


def words_for(tray: Tray) -> Words:
    """The user's words for what was previewed; the first of them begins the list."""
    if tray.question is None:
        raise InvalidInput(_NO_PREVIEW)
    if not tray.words:
        tray.words = Words(tray.question.prompt, tray.question.negative, tray.family)
    return tray.words
