"""What an infotext may say of a picture: short facts for notes, and which LoRAs were loaded."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from stylus_ext.core.errors import Note

SCHEDULES, HIRES_SCHEDULES = "Stylus schedules", "Stylus hires schedules"
"""Fields of an infotext; the second is written where the passes differ."""
FACTS = {
    "refused": "Stylus did nothing.",
    "disabled": "Stylus did nothing, since extra networks were off.",
    "failed": "Stylus did nothing.",
    "late": "Not everything was ready in time.",
    "busy": "Not all LoRAs were read yet.",
    "partial_index": "Not all LoRAs were read yet.",
    "no_encoder": "LoRAs were chosen by words only.",
    "nothing_fits": "No LoRA fitted.",
    "mixed_batch": "LoRAs of other prompts in the batch were left out.",
    "not_scheduled": "The weights of the LoRAs were merged.",
    "overwritten": "Another script changed the prompts after Stylus.",
    "unknown_family": "The base model was unknown.",
    "unlisted": "The prompt names a LoRA that was not listed.",
    "not_loaded": "Not all LoRAs were loaded.",
    "unreadable_tag": "The prompt has a LoRA tag with an unreadable weight.",
    "no_downloads": "Only LoRAs on disk were considered.",
    "not_fetched": "A LoRA could not be fetched.",
    "no_spending": "Paid services were not used.",
    "chat_failed": "The language model did not answer.",
}
"""What a note says of the picture, by its code. Its text may have advice or paths of this machine,
and pictures are published.
"""


def facts_of(notes: Iterable[Note]) -> str:
    return " ".join(dict.fromkeys(FACTS[note.code] for note in notes if note.code in FACTS))


def only_facts(text: str) -> str:
    """The facts in a text: an earlier picture may have addresses, or the words of others."""
    found = sorted((text.find(fact), fact) for fact in set(FACTS.values()) if fact in text)
    return " ".join(fact for _, fact in found)


def not_loaded(stems: Collection[str], hashes: str | None) -> frozenset[str]:
    """The stems that are not in the host's list of hashes; none if it writes no such list.

    Without --no-hashing every loaded file has a hash, so an absent list means that none is loaded.
    """
    from stylus_ext.host import compat

    written = compat.option("lora_add_hashes_to_infotext", False)
    if not written or getattr(compat.flags(), "no_hashing", False):
        return frozenset()
    loaded = {item.rpartition(":")[0].strip() for item in (hashes or "").split(",")}
    return frozenset(stem for stem in stems if _in_hashes(stem) not in loaded)


def _in_hashes(stem: str) -> str:
    """The name as the host writes it into the list."""
    return stem.replace(":", "").replace(",", "").strip()
