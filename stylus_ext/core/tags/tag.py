"""A tag: how one pick is written, whatever its weight in a batch turns out to be."""

from __future__ import annotations

from dataclasses import dataclass

from stylus_ext.core.card import AdapterKey


@dataclass(frozen=True, slots=True)
class Tag:
    """The stem that the host knows (or will know), the trigger words chosen, and what goes into the
    negative prompt.
    """

    key: AdapterKey
    stem: str
    on_disk: bool
    triggers: tuple[str, ...] = ()
    negative_text: str = ""
