"""What the engine says of itself: version, catalogue, capabilities, and what leaves the machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stylus_ext import __version__
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.fetching import MB
from stylus_ext.core.ports import Filter, Progress
from stylus_ext.core.settings import POLICIES, SCHEMES, Settings
from stylus_ext.engine.operations import catalogue
from stylus_ext.engine.operations.downloads import leaves
from stylus_ext.engine.operations.sources import on_request
from stylus_ext.engine.requests import Field, Schema

if TYPE_CHECKING:
    from stylus_ext.engine.stylus import Stylus


_WHERE = {"machine": "on this machine", "network": "in your own network", "elsewhere": "elsewhere"}


def capabilities(stylus: Stylus) -> dict[str, list[str]]:
    """Who can compose here, and for whom of them nobody pays."""
    return {
        "composers": list(stylus.chat.composers),
        "free_composers": list(stylus.chat.free_composers),
    }


def about(stylus: Stylus) -> dict[str, Any] | None:
    """None where no model is named."""
    chat = stylus.chat
    if not chat.on:
        return None
    return {
        "url": chat.address,
        "model": chat.settings.chat_model,
        "place": chat.place,
        "key": chat.has_key(),
    }


def notes(stylus: Stylus) -> list[Note]:
    """What keeps the model that is named from being asked."""
    trouble = stylus.chat.trouble
    return (
        [Note("chat_unusable", f"The language model cannot be asked: {trouble}")] if trouble else []
    )


def chat_leaves(stylus: Stylus) -> list[str]:
    """What goes there by itself, since the settings name that composer."""
    return (
        [_sentence(stylus)]
        if _goes_out(stylus) and stylus.settings.selection.composer == "chat"
        else []
    )


def chat_leaves_on_request(stylus: Stylus) -> list[str]:
    """What goes there when a plan asks for that composer, or a command for descriptions."""
    if not _goes_out(stylus):
        return []
    key = ", with your key" if stylus.chat.has_key() else ""
    there = f"{stylus.chat.address} ({_WHERE[stylus.chat.place]}){key}"
    refining = (
        f"`catalogue refine`: cards, example pictures and their prompts, to {there}; the pictures"
        " are asked of Civitai and Hugging Face"
    )
    return [refining, *_planning(stylus)]


def _planning(stylus: Stylus) -> list[str]:
    return (
        [f"`plan --composer chat`: {_sentence(stylus)}"]
        if stylus.settings.selection.composer != "chat"
        else []
    )


def _goes_out(stylus: Stylus) -> bool:
    return stylus.chat.on and stylus.chat.place != "machine"


def _sentence(stylus: Stylus) -> str:
    chat = stylus.chat
    key = ", with your key" if chat.has_key() else ""
    return (
        f"prompts and the short cards of up to {chat.settings.cards} candidates go to"
        f" {chat.address} ({_WHERE[chat.place]}){key}"
    )


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
        "chat": about(stylus),
        "leaves_the_machine": [
            *_leaves(stylus.settings),
            *chat_leaves(stylus),
            *catalogue.pictures_leave(stylus),
        ],
        "leaves_on_request": [
            *on_request(stylus),
            *leaves(stylus),
            *_reranking(stylus.settings),
            *chat_leaves_on_request(stylus),
        ],
        "capabilities": {
            **capabilities(stylus),
            "policies": list(POLICIES),
            "free_policies": free_policies(stylus.settings),
            "schemes": list(SCHEMES),
            "downloads": stylus.downloads.on,
            "operations": sorted(operations),
        },
        "notes": [
            {"code": note.code, "text": note.text} for note in (*stylus.notes(), *notes(stylus))
        ],
    }


def _leaves(settings: Settings) -> list[str]:
    from stylus_ext.engine.resources import embedding_cost

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
    from stylus_ext.engine.resources import reranker_address

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
    from stylus_ext.engine.resources import reranks_for_free

    return [
        policy for policy in POLICIES if policy != "rerank" or reranks_for_free(settings.reranking)
    ]


SERVICES = ("civitai", "hugging_face", "chat")
KEYS: Schema = {
    "service": Field(str, None, choices=SERVICES),
    "enter": Field(str, None, longest=4096),
    "forget": Field(bool, False),
    "check": Field(bool, False),
}


def keys(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:  # noqa: ARG001
    """At most one of `enter`, `forget` and `check`; then what there is now."""
    asked = [name for name in ("enter", "forget", "check") if request[name]]
    if len(asked) > 1 or (asked and request["service"] is None):
        raise InvalidInput(
            "A key is entered, forgotten or tried for one service at a time: say which."
        )
    ring, service = stylus.keys, request["service"]
    said = ""
    if request["enter"]:
        said = ring.enter(service, request["enter"])
    elif asked:
        said = (ring.forget if request["forget"] else ring.check)(service)
    return {"said": said, "keys": [asdict(state) for state in ring.states()]}


_GB = 1024 * MB


def storage(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:  # noqa: ARG001
    """Times in seconds since 1970; the longest unused first."""
    downloads = stylus.downloads
    own, last = downloads.ledger.own(), downloads.ledger.last_use()
    entries = stylus.store.read({AdapterKey.parse(one.key) for one in own})
    files = [
        {
            "key": one.key,
            "name": entry.card.name if (entry := entries.get(AdapterKey.parse(one.key))) else "",
            "path": one.path,
            "size": one.size,
            "fetched": one.at,
            "used": last.get(one.key, one.at),
            "state": entry.edits.state if entry else "auto",
        }
        for one in own
    ]
    return {
        "on": downloads.on,
        "files": sorted(files, key=lambda one: (one["used"], one["path"])),
        "used": sum(one.size for one in own),
        "quota": round(downloads.rules.quota_gb * _GB),
        "left": downloads.caps().left,
        "keep_free": round(downloads.rules.keep_free_gb * _GB),
    }
