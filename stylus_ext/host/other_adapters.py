"""Embeddings and hypernetworks: what the host has loaded, from which folders, and loading anew.

A1111, reForge and Forge Classic have one database of embeddings, loaded anew with each picture and
each checkpoint. Forge and Forge Neo have one per text encoder of the loaded model, read once. Only
A1111 applies hypernetworks: the forks list them, but their attention does not use them.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from stylus_ext.core.adapter_type import EMBEDDING, HYPERNETWORK
from stylus_ext.host import compat

logger = logging.getLogger(__name__)

_APPLIES_HYPERNETWORKS = "split_cross_attention_forward"


def folders(found: Collection[str] | None = None) -> dict[str, Any]:
    """The folders as fields of a request; none, if the LoRA folders `found` are none."""
    if found is not None and not found:
        return {}
    names = {"embedding_dirs": ["embeddings_dir"], "hypernetwork_dirs": []}
    if _has_hypernetworks():
        names["hypernetwork_dirs"].append("hypernetwork_dir")
    flags = compat.flags()
    existing = {
        field: tuple(compat.existing_folders(getattr(flags, name, None) for name in flag_names))
        for field, flag_names in names.items()
    }
    return {field: paths for field, paths in existing.items() if paths}


def stems(only: Collection[str] | None = None) -> dict[str, Any]:
    """What may be picked, as fields of a request; `only` limits it to these names."""
    found = {"embeddings": loaded_embeddings(), "hypernetworks": hypernetworks()}
    return {
        field: tuple(name for name in names if only is None or name in only)
        for field, names in found.items()
    }


def listing() -> object:
    """Changes when the host loads other embeddings or lists other hypernetworks."""
    return loaded_embeddings(), hypernetworks()


def loaded_embeddings() -> tuple[str, ...]:
    """Names that the host reads as embeddings: the file stems.

    Before Forge and Forge Neo have a model, the files that their page lists.
    """
    databases = _databases() or _page_databases()
    if not databases:
        return ()
    return tuple(sorted(set.intersection(*(set(each.word_embeddings) for each in databases))))


def hypernetworks() -> tuple[str, ...]:
    shared = sys.modules.get("modules.shared")
    listed = getattr(shared, "hypernetworks", None) if _has_hypernetworks() else None
    return tuple(sorted(map(str, listed or ())))


def _has_hypernetworks() -> bool:
    module = sys.modules.get("modules.sd_hijack_optimizations")
    return hasattr(module, _APPLIES_HYPERNETWORKS)


def _hijack_database() -> Any | None:
    """The database of A1111, reForge and Forge Classic."""
    hijack = getattr(sys.modules.get("modules.sd_hijack"), "model_hijack", None)
    return getattr(hijack, "embedding_db", None)


def _databases() -> list[Any]:
    database = _hijack_database()
    return _of_model() if database is None else [database]


def _of_model() -> list[Any]:
    """The databases in the text encoders of Forge's loaded model."""
    parts = vars(compat.loaded_model() or object).values()
    found = (getattr(part, "embeddings", None) for part in parts)
    return [each for each in found if isinstance(getattr(each, "word_embeddings", None), dict)]


def _page_databases() -> list[Any]:
    module = sys.modules.get("modules.ui_extra_networks_textual_inversion")
    database = getattr(module, "embedding_db", None)
    return [] if database is None else [database]


def load_anew(names: Iterable[str]) -> None:
    """Make the host load its embeddings again if names are missing.

    Call where pictures are made: the host empties its list first and must not be reading it.
    """
    missing = set(names).difference(loaded_embeddings())
    if not missing:
        return
    database = _hijack_database()
    try:
        if database is not None:
            database.load_textual_inversion_embeddings(force_reload=True)
            return
        for each in _of_model():
            each.load_textual_inversion_embeddings()
        for each in _page_databases():
            each.load_textual_inversion_embeddings(force_reload=True, sync_with_sd_model=False)
    except Exception as error:  # noqa: BLE001 - what the host raises is not known
        logger.warning("the host could not load its embeddings anew: %s", error)


def list_fetched(fetched: Iterable[Mapping[str, Any]]) -> None:
    """Make the host list the fetched files."""
    found = list(fetched)
    names = {str(file["stem"]) for file in found if file.get("type") == EMBEDDING}
    compat.list_anew(str(file["stem"]) for file in found if file["stem"] not in names)
    load_anew(names)


def unlisted(fetched: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Reasons for fetched files that the host does not list, by key."""
    lora_stems, words = set(compat.listed_stems()), set(loaded_embeddings())
    reasons = {}
    for file in fetched:
        is_word = file.get("type") == EMBEDDING
        if file["stem"] not in (words if is_word else lora_stems):
            among = "has not loaded it" if is_word else "does not list it among its LoRAs"
            reasons[str(file["key"])] = f"{file['stem']} is on disk, but the WebUI {among}."
    return reasons


def inventory() -> Sequence[Mapping[str, str]]:
    """The loaded embeddings and hypernetworks, for an engine that does not see the disk."""
    databases = _databases() or _page_databases()
    items = []
    for name in loaded_embeddings():
        digest = str(getattr(databases[0].word_embeddings[name], "hash", "") or "")
        item = {"stem": name, "sha256": digest, "type": EMBEDDING}
        items.append({field: value for field, value in item.items() if value})
    items += [{"stem": name, "type": HYPERNETWORK} for name in hypernetworks()]
    return items
