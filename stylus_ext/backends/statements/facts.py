"""What one place states about one LoRA file, and how the statements of several places become
one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace

from stylus_ext.core.card import Example
from stylus_ext.core.family import UNKNOWN, ecosystem, family_of

_MOST_EXAMPLES = 20
_SAYS_NOTHING = (UNKNOWN, "other")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a sidecar, a header or a name states; what is empty is not stated."""

    name: str = ""
    version: str = ""
    model_id: int | None = None
    version_id: int | None = None
    base_model: str = ""
    tags: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    text: str = ""
    examples: tuple[Example, ...] = ()
    images: int | None = None
    weight: float | None = None
    negative_text: str = ""
    downloads: int | None = None
    rating: float | None = None
    nsfw: bool = False
    creator: str = ""
    licence: str = ""
    sha256: str = ""
    alias: str = ""
    auto_v3: str = ""


def joined(statements: Sequence[Facts]) -> Facts:
    """For each field the first that says anything; the trusted come first."""
    together = Facts()
    for facts in statements:
        gaps = {
            field.name: getattr(facts, field.name)
            for field in fields(together)
            if getattr(together, field.name) in (None, "", (), False)
        }
        together = replace(together, **gaps)
    return replace(
        together,
        base_model=_base_model([facts.base_model for facts in statements]),
        triggers=_triggers([facts.triggers for facts in statements]),
        examples=tuple(dict.fromkeys(one for facts in statements for one in facts.examples))[
            :_MOST_EXAMPLES
        ],
    )


def _base_model(statements: Iterable[str]) -> str:
    """The first that names a family, unless a later one says the same more exactly: SDXL, of those
    Pony.
    """
    vague = chosen = ""
    for stated in statements:
        family = family_of(stated)
        vague = vague or stated
        if family in _SAYS_NOTHING:
            continue
        if not chosen:
            chosen = stated
        elif family != ecosystem(family) == family_of(chosen):
            return stated
    return chosen or vague


def _triggers(statements: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The first that has any; the same words in better groups (A1111 keeps them all on one line)
    are taken from a later.
    """
    chosen: tuple[str, ...] = ()
    for stated in statements:
        if not chosen or (len(chosen) == 1 < len(stated) and _words(stated) == _words(chosen)):
            chosen = stated
    return chosen


def _words(triggers: tuple[str, ...]) -> set[str]:
    return {word.strip().casefold() for group in triggers for word in group.split(",")} - {""}
