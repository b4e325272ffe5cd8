"""One more batch at the end of a generation: the first one's prompts and seeds, and no adapter of
ours, to compare with.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stylus_ext.core.errors import Note
from stylus_ext.host.rewrite import Ask, Job, Rewritten, Texts, rewrite

_NAMES = (
    "all_prompts",
    "all_negative_prompts",
    "all_seeds",
    "all_subseeds",
    "all_hr_prompts",
    "all_hr_negative_prompts",
)
_NOTE = "The last picture has the seed of the first and none of the chosen LoRAs, to compare with."
_NOTES = "The last batch has the seeds of the first and none of the chosen LoRAs, to compare with."


def with_base(job: Job, rewritten: Rewritten, ask: Ask) -> Rewritten:
    """What the plan writes besides adapters stands in it too, so that the adapters are the whole
    difference.
    """
    first = slice(0, job.batch_size)
    texts = job.texts
    alone = Texts(
        texts.positive[first],
        texts.negative[first],
        texts.hr_positive[first],
        texts.hr_negative[first],
    )
    base = rewrite(replace(job, texts=alone, seeds=job.seeds[first], allowed=lambda _: False), ask)
    both = Texts(
        *(
            (*getattr(rewritten.texts, name), *getattr(base.texts, name))
            for name in ("positive", "negative", "hr_positive", "hr_negative")
        )
    )
    note = Note("compared", _NOTE if job.batch_size == 1 else _NOTES)
    return replace(
        rewritten,
        texts=both,
        pictures=(*rewritten.pictures, *base.pictures),
        notes=(*rewritten.notes, note),
    )


def make_room(p: Any, batch_size: int) -> None:
    """The host goes through its lists batch by batch, as many times as `n_iter` says."""
    for name in _NAMES:
        values = getattr(p, name, None)
        if isinstance(values, list) and values:
            setattr(p, name, [*values, *values[:batch_size]])
    p.n_iter += 1
