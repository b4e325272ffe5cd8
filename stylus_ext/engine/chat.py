"""What the engine says of the language model that may be asked: where it stands, who composes, what
goes there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stylus_ext.core.errors import Note

if TYPE_CHECKING:
    from stylus_ext.app.wiring_stylus import Stylus

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


def leaves(stylus: Stylus) -> list[str]:
    """What goes there by itself, since the settings name that composer."""
    return (
        [_sentence(stylus)]
        if _goes_out(stylus) and stylus.settings.selection.composer == "chat"
        else []
    )


def on_request(stylus: Stylus) -> list[str]:
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
