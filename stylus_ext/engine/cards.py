"""What a small card of a plan shows of an adapter: keys go in, a few facts about each come out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.description import Entry
from stylus_ext.core.family import spoken
from stylus_ext.core.ports import Progress
from stylus_ext.engine.entries import entry_json

if TYPE_CHECKING:  # with it come all back ends, which a command that attaches does not need
    from stylus_ext.app.wiring_stylus import Stylus

_LONGEST = 300
_HUGGING_FACE = "huggingface.co"


def cards(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:  # noqa: ARG001
    """By the key that was asked for; unknown ones are left out."""
    found = stylus.store.read(map(AdapterKey.parse, request["keys"]))
    return {"cards": {str(key): card_json(stylus, entry) for key, entry in found.items()}}


def card_json(stylus: Stylus, entry: Entry) -> dict[str, Any]:
    """`preview` where `picture` can be asked for."""
    return {
        **entry_json(entry, whole=False),
        "family_name": spoken(entry.family),
        "text": entry.text[:_LONGEST],
        "nsfw": entry.card.nsfw,
        "preview": stylus.pictures.has(entry.card),
        "link": link_of(entry),
    }


def link_of(entry: Entry) -> str:
    """The adapter's page at the place it comes from; empty where none is known. Only its ids are
    used, never an address of a card's.
    """
    card = entry.card
    version = next(
        (
            key.value
            for key in (card.key, *card.equivalents)
            if key.scheme == "civitai" and key.value.isdecimal()
        ),
        "",
    )
    if version and card.model_id is not None:
        return f"https://civitai.com/models/{card.model_id}?modelVersionId={version}"
    if version:
        return f"https://civitai.com/model-versions/{version}"
    address = urlsplit(card.remote.url if card.remote else "")
    path = address.path.split("/")
    if address.hostname == _HUGGING_FACE and len(path) > len(["", "owner", "name"]):
        return f"https://{_HUGGING_FACE}/{path[1]}/{path[2]}"
    return ""
