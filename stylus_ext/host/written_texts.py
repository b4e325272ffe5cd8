"""The texts of a generation in the host's `p`: read before Stylus, and written by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stylus_ext.core.generation import Texts
from stylus_ext.host import compat


def texts_of(p: Any) -> Texts:
    """The host's lists in `process`, with styles, wildcards and Dynamic Prompts applied."""
    second = bool(getattr(p, "enable_hr", False)) and bool(getattr(p, "all_hr_prompts", None))
    return Texts(
        _read(p.all_prompts),
        _read(p.all_negative_prompts),
        _read(p.all_hr_prompts) if second else (),
        _read(p.all_hr_negative_prompts) if second else (),
    )


def _read(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(compat.without_comments, texts))


def write(p: Any, texts: Texts) -> None:
    """Write all lists at once; `main_prompt` is for the grid's infotext."""
    p.all_prompts, p.all_negative_prompts = list(texts.positive), list(texts.negative)
    if texts.hr_positive:
        p.all_hr_prompts, p.all_hr_negative_prompts = (
            list(texts.hr_positive),
            list(texts.hr_negative),
        )
    p.main_prompt, p.main_negative_prompt = texts.positive[0], texts.negative[0]
