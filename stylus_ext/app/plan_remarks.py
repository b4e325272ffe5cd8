"""What a plan says of itself besides its picks: the prompt and the entries of the picks go in,
notes and the family come out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition
from stylus_ext.core.description import Entry
from stylus_ext.core.errors import Note
from stylus_ext.core.family import ANY, is_partial, partly
from stylus_ext.core.prompt.parse import Prompt
from stylus_ext.core.settings import Settings


def remarks(prompt: Prompt, composition: Composition, by_hand: bool = False) -> Iterable[Note]:
    """`by_hand`: the user corrected the plan."""
    if prompt.unresolved:
        yield Note(
            "unresolved",
            "The prompt has wildcards or variants in it; they were not resolved for this plan.",
        )
    if by_hand and not composition.picks:
        yield Note(
            "none_left",
            "After your corrections no adapter is left in this plan, so the prompt stays as it"
            " was.",
        )
    elif composition.picks or not prompt.text.strip():
        return
    elif any(task.taken_by for task in composition.tasks):
        yield Note(
            "nothing_more",
            "Beside the LoRAs that you wrote into it, nothing in the catalogue fits this prompt.",
        )
    else:
        yield Note(
            "nothing_fits", "Nothing in the catalogue fits this prompt, so it was left as it was."
        )


def relatives(family: str, entries: Mapping[AdapterKey, Entry]) -> Iterable[Note]:
    for entry in entries.values():
        if is_partial(entry.family, family):
            yield Note(
                "partly_compatible",
                f"{entry.card.name} was {partly(entry.family, family)}: it may do less there, or"
                " something else.",
            )


def family_of_plan(settings: Settings, entries: Mapping[AdapterKey, Entry]) -> str:
    """The one asked for, else that of the strongest pick."""
    if settings.selection.family != ANY:
        return settings.selection.family
    return next((entry.family for entry in entries.values()), ANY)
