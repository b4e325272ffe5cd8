"""Entries as JSON, for callers and for the command line."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from stylus_ext.core.description import Entry


def entry_json(entry: Entry, *, whole: bool = True) -> dict[str, Any]:
    """A line of a list, or `whole` with all that is known."""
    card = entry.card
    brief = {
        "key": str(entry.key),
        "name": card.name,
        "version": card.version,
        "kind": entry.kind,
        "family": entry.family,
        "base_model": card.base_model,
        "state": entry.edits.state,
        "weight": entry.weight,
        "triggers": list(entry.triggers),
        "stem": entry.stem,
        "size": card.remote.size if card.remote else sum(file.size for file in entry.files[:1]),
    }
    if not whole:
        return brief
    return {
        **brief,
        "text": entry.text,
        "described_by": entry.description.source,
        "flags": [
            flag for flag in ("slider", "speed", "utility") if getattr(entry.description, flag)
        ],
        "tags": list(card.tags),
        "source": card.source,
        "weak": card.weak,
        "nsfw": card.nsfw,
        "creator": card.creator,
        "licence": card.licence,
        "downloads": card.downloads,
        "negative_text": card.negative_text,
        "alias": card.alias,
        "auto_v3": card.auto_v3,
        "examples": [asdict(example) for example in card.examples],
        "equivalents": [str(key) for key in card.equivalents],
        "files": [asdict(file) for file in entry.files],
        "remote": asdict(card.remote) if card.remote else None,
        "edits": asdict(entry.edits),
    }
