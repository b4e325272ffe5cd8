"""What the engine says of itself: version, catalogue, capabilities, and what leaves the machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from stylus_ext import __version__
from stylus_ext.core.ports import Filter
from stylus_ext.core.settings import POLICIES, SCHEMES, Settings
from stylus_ext.engine import chat, pictures
from stylus_ext.engine.civitai import on_request
from stylus_ext.engine.downloads import leaves

if TYPE_CHECKING:  # with it come all back ends, which a command that attaches does not need
    from stylus_ext.app.wiring_stylus import Stylus

PROTOCOL = 1


def report(stylus: Stylus, operations: Iterable[str]) -> dict[str, Any]:
    return {
        "version": __version__,
        "protocol": PROTOCOL,
        "data_folder": str(stylus.folder),
        "catalogue": {
            "entries": stylus.store.search("", Filter(), limit=1).total,
            "on_disk": len(stylus.on_disk()),
            "revision": stylus.store.revision,
            "in_step": stylus.embed.in_step(),
        },
        "encoder": stylus.embedder.name,
        "vectors": stylus.settings.vectors.chroma_url or "in the data folder",
        "chat": chat.about(stylus),
        "leaves_the_machine": [
            *_leaves(stylus.settings),
            *chat.leaves(stylus),
            *pictures.leaves(stylus),
        ],
        "leaves_on_request": [
            *on_request(stylus),
            *leaves(stylus),
            *_reranking(stylus.settings),
            *chat.on_request(stylus),
        ],
        "capabilities": {
            **chat.capabilities(stylus),
            "policies": list(POLICIES),
            "free_policies": free_policies(stylus.settings),
            "schemes": list(SCHEMES),
            "downloads": stylus.downloads.on,
            "operations": sorted(operations),
        },
        "notes": [
            {"code": note.code, "text": note.text}
            for note in (*stylus.notes(), *chat.notes(stylus))
        ],
    }


def _leaves(settings: Settings) -> list[str]:
    from stylus_ext.app.wiring_reranker import embedding_cost

    found = []
    if settings.encoder.endpoint:
        found.append(
            f"prompts and card texts go to {settings.encoder.endpoint} to be"
            f" embedded{embedding_cost(settings.encoder)}"
        )
    if settings.vectors.chroma_url:
        found.append(f"vectors and keys of adapters go to {settings.vectors.chroma_url}")
    return found


def _reranking(settings: Settings) -> list[str]:
    from stylus_ext.app.wiring_reranker import reranker_address

    there = reranker_address(settings.reranking)
    return (
        [
            "plans with the policy `rerank`: the prompt and the texts of"
            f" {settings.reranking.rerank_most} cards, to {there}"
        ]
        if there
        else []
    )


def free_policies(settings: Settings) -> list[str]:
    """Those for which nobody pays: all, unless candidates go to somebody else's reranker."""
    from stylus_ext.app.wiring_reranker import reranks_for_free

    return [
        policy for policy in POLICIES if policy != "rerank" or reranks_for_free(settings.reranking)
    ]
