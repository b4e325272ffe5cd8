"""How the picks of a plan are written, what is noted about them, and the files that they lack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stylus_ext.core.adapter_type import EMBEDDING, LORA
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition, Tag
from stylus_ext.core.embedding_words import why_no_word
from stylus_ext.core.entry import Entry
from stylus_ext.core.errors import Note
from stylus_ext.core.family import is_partial, partly
from stylus_ext.core.file_names import stem_for, why_not
from stylus_ext.core.plan import MissingFile
from stylus_ext.core.ports import Store
from stylus_ext.core.probe import NO_EFFECT
from stylus_ext.core.prompt.parse import Prompt, UserTag
from stylus_ext.core.settings import Settings
from stylus_ext.core.tags import written
from stylus_ext.core.triggers import chosen_triggers, fitting_triggers
from stylus_ext.core.weight_formats import STYLEINJECT, cannot_load, not_loadable


def stem_of(entry: Entry, on_disk: Mapping[AdapterKey, str] | None) -> str:
    """The name by which the host knows the file, else that on disk, else that of the download."""
    if on_disk is not None and entry.key in on_disk:
        return on_disk[entry.key]
    if entry.stem is not None:
        return entry.stem
    remote = entry.card.remote
    return stem_for(remote.name if remote else "", entry.card.name, ())


def tag_of(
    entry: Entry,
    kind: str,
    prompt: Prompt,
    settings: Settings,
    on_disk: Mapping[AdapterKey, str] | None,
) -> Tag:
    """How a pick is written. An embedding is its own trigger."""
    triggers: tuple[str, ...] = ()
    if settings.text.triggers and entry.card.type == LORA:
        triggers = (
            fitting_triggers(entry.triggers, prompt, kind, entry.card.name)
            if entry.edits.triggers is None
            else chosen_triggers(entry.triggers, prompt)
        )
    there = entry.stem is not None if on_disk is None else entry.key in on_disk
    return Tag(entry.key, stem_of(entry, on_disk), there, triggers, entry.card.negative_text)


def missing_file(entry: Entry, tag: Tag) -> MissingFile:
    remote = entry.card.remote
    return MissingFile(
        entry.key,
        entry.card.name,
        f"{tag.stem}.safetensors",
        remote.size if remote else 0,
        remote.sha256 if remote else None,
        entry.card.type,
    )


def bad_name(entry: Entry, on_disk: Mapping[AdapterKey, str] | None) -> str | None:
    """Why the name of a file cannot be written into a prompt, or None."""
    is_word = entry.card.type == EMBEDDING
    return (why_no_word if is_word else why_not)(stem_of(entry, on_disk))


def own_tag_notes(
    keys: Mapping[UserTag, AdapterKey | None], store: Store, loads: frozenset[str] | None
) -> Iterator[Note]:
    """Notes on the user's own tags that the WebUI cannot carry out."""
    entries = store.read(key for key in keys.values() if key is not None)
    for tag, key in keys.items():
        entry = None if key is None else entries.get(key)
        if entry is None:
            continue
        if missing := not_loadable(entry.formats, loads):
            yield Note("not_loadable", f"{entry.card.name}: {cannot_load(missing)}.")
        elif entry.type == STYLEINJECT and tag.kind != STYLEINJECT:
            text = f"{entry.card.name} is no LoRA: write <{STYLEINJECT}:{tag.name}:1> instead."
            yield Note("not_loadable", text)


def pick_notes(
    family: str, composition: Composition, entries: Mapping[AdapterKey, Entry]
) -> Iterator[Note]:
    """Notes on picks for a related family, and on those whose probe found a trouble."""
    for entry in entries.values():
        if is_partial(entry.family, family):
            text = f"{entry.card.name} is {partly(entry.family, family)}: its effect may differ."
            yield Note("partly_compatible", text)
    for pick in composition.all_picks:
        probe = entries[pick.key].probe
        if probe is None:
            continue
        if probe.trouble == NO_EFFECT:
            text = f"{pick.name} changed no picture when it was measured with {probe.checkpoint}."
            yield Note("no_effect", text)
        elif probe.trouble:
            text = f"{pick.name} broke every picture when it was measured with {probe.checkpoint}."
            yield Note("broken_file", f"{text} Its file may be damaged.")
        elif pick.weight is not None and probe.breaks(pick.weight):
            text = f"{pick.name} is used at {written(pick.weight)}, but broke pictures from"
            yield Note("breaks_pictures", f"{text} {probe.breaks_at:g} on when it was measured.")
