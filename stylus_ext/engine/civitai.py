"""The operations that ask Civitai, or Hugging Face: a checked payload goes in, counts of what was
kept, and why the rest was not, come out.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stylus_ext.core.ports import Progress
from stylus_ext.core.sources import HUGGING_FACE, Wanted

if TYPE_CHECKING:
    from stylus_ext.app.wiring_stylus import Stylus


def sync(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    wanted = Wanted(
        query=request["query"].strip(),
        tag=request["tag"].strip(),
        base_models=tuple(request["base_models"]),
        top=request["top"],
        nsfw=request["nsfw"],
        examples=request["examples"],
    )
    source = stylus.hugging_face if request["source"] == HUGGING_FACE else stylus.civitai
    synced = source.sync(stylus.shop, wanted, progress, afresh=request["afresh"])
    if synced.vectors:
        # so that what is made anew of a large catalogue is not made while somebody waits for a plan
        stylus.warm()
    notes = [*stylus.news(), *synced.notes]
    return {
        **asdict(synced),
        "source": source.key_name.service,
        "unchanged": synced.unchanged,
        "notes": [asdict(note) for note in notes],
    }


def identify(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Reads the folders first, and hashes what has no hash: those are what is sent."""
    refreshed = stylus.index_folders(request["lora_dirs"], progress)
    hashed = stylus.hash_files(progress)
    folders = stylus.folders(request["lora_dirs"])
    found = stylus.civitai.identify(stylus.shop, folders, progress, again=request["again"])
    vectors = refreshed.vectors + found.vectors
    if vectors:
        stylus.warm()
    notes = [*stylus.news(), *refreshed.notes]
    return {
        **asdict(found),
        "written": refreshed.written,
        "hashed": hashed,
        "vectors": vectors,
        "notes": [asdict(note) for note in notes],
    }


def on_request(stylus: Stylus) -> list[str]:
    """What a command sends when the user gives it, and never by itself."""
    there, hub = stylus.civitai.told(), stylus.hugging_face.told()
    return [
        (
            f"`catalogue sync`: the words, tag and base models that you search for, to {there};"
            f" with `--from huggingface` to {hub}"
        ),
        (
            "`catalogue identify`: the SHA256 of your files that nobody has named yet, and what it"
            f" does not know by that, by its tensors' hash, to {there}"
        ),
    ]
