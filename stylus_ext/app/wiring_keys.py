"""The keys of every service: a data folder and settings go in; entering, trying and forgetting each
of them comes out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stylus_ext.app.wiring_chat import ChatAccess
from stylus_ext.app.wiring_civitai import CivitaiAccess
from stylus_ext.app.wiring_hugging_face import HuggingFaceAccess
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.settings import Settings


class Keeper(Protocol):
    """Keeps the key of one service, bound to the address that the settings name."""

    def has_key(self) -> bool: ...
    def enter_key(self, secret: str) -> str: ...
    def drop_key(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class KeyState:
    """No part of the key itself."""

    service: str
    title: str
    url: str
    has_key: bool


@dataclass(frozen=True, slots=True)
class Keys:
    """Each key is written, deleted and tried, and never read back."""

    folder: Path
    settings: Settings

    def states(self) -> Iterator[KeyState]:
        for service, (title, url, keeper) in self._services().items():
            yield KeyState(service, title, url, keeper.has_key())

    def enter(self, service: str, secret: str) -> str:
        return (
            "The key is kept, and is sent to"
            f" {self._services()[service][2].enter_key(secret.strip())} alone."
        )

    def forget(self, service: str) -> str:
        return (
            "The key is deleted."
            if self._services()[service][2].drop_key()
            else "There was no key."
        )

    def check(self, service: str) -> str:
        """Asks the service; a chat server is asked for one word, with a key or without one."""
        title, _, keeper = self._services()[service]
        if isinstance(keeper, ChatAccess):
            with closing(keeper):
                return f"{keeper.account()} answers."
        if not keeper.has_key():
            raise InvalidInput(f"There is no key for {title} that could be tried.")
        return f"{title} knows the key: it is {self._accesses()[service].account()}'s."

    def _accesses(self) -> Mapping[str, CivitaiAccess | HuggingFaceAccess]:
        return {
            "civitai": CivitaiAccess(self.folder, self.settings),
            "hugging_face": HuggingFaceAccess(self.folder, self.settings),
        }

    def _services(self) -> Mapping[str, tuple[str, str, Keeper]]:
        chat, found = ChatAccess(self.folder, self.settings.chat), self._accesses()
        return {
            "civitai": ("Civitai", found["civitai"].key_url, found["civitai"]),
            "hugging_face": ("Hugging Face", found["hugging_face"].url, found["hugging_face"]),
            "chat": ("the chat server", chat.address, chat),
        }
