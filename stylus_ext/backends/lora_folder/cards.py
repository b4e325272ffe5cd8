"""From one file of the LoRA folder to its card: what the sidecars, the header, the name and the
folder state, joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from stylus_ext.backends.lora_folder.header_facts import folder_facts, header_facts, training_facts
from stylus_ext.backends.lora_folder.listing import Found
from stylus_ext.backends.lora_folder.tensors import is_lora
from stylus_ext.backends.statements.facts import Facts, joined
from stylus_ext.backends.statements.header import BadFile, Header
from stylus_ext.core.card import AdapterCard, AdapterKey

SOURCE = "local"


def card_of(
    found: Found, header: Header, stated: Sequence[Facts], sha256: str | None = None
) -> AdapterCard:
    """The card of a file; `sha256` is given if it was computed before. `BadFile` for a file that is
    no LoRA.
    """
    if not is_lora(header.shapes):
        raise BadFile(
            "not_a_lora",
            f"{found.stem}.safetensors is no LoRA and was skipped: it may be a checkpoint, a VAE or"
            " an embedding, which belong in folders of their own.",
        )
    sorted_into = folder_facts(PurePosixPath(found.relative).parts[:-1])
    said = header_facts(header)
    facts = joined([*stated, said, replace(sorted_into, tags=())])
    weak = False
    if not (facts.triggers or facts.tags or facts.text):
        guessed = training_facts(header.metadata)
        weak = bool(guessed.triggers or guessed.tags)
        facts = joined([facts, replace(guessed, tags=(*sorted_into.tags, *guessed.tags))])
    keys = _keys(found, facts, sha256)
    return AdapterCard(
        key=keys[0],
        name=facts.name or found.stem,
        source=SOURCE,
        version=facts.version,
        model_id=facts.model_id,
        base_model=facts.base_model,
        tags=facts.tags,
        triggers=facts.triggers,
        text=facts.text,
        examples=facts.examples,
        images=facts.images,
        preview=found.preview,
        weight=facts.weight,
        negative_text=facts.negative_text,
        downloads=facts.downloads,
        rating=facts.rating,
        nsfw=facts.nsfw,
        weak=weak,
        creator=facts.creator,
        licence=facts.licence,
        alias=facts.alias,
        auto_v3=said.auto_v3 or facts.auto_v3,  # the host believes the file before all else
        equivalents=tuple(keys[1:]),
    )


def _keys(found: Found, facts: Facts, sha256: str | None) -> list[AdapterKey]:
    """Every key of the file, the best known first. What was computed from the file counts more than
    what was stated.
    """
    keys = []
    if facts.version_id is not None:
        keys.append(AdapterKey.civitai(facts.version_id))
    digest = sha256 or facts.sha256
    if digest:
        keys.append(AdapterKey.sha256(digest))
    keys.append(AdapterKey.path(found.relative))
    return keys
