"""How a service on the network is reached: its address, its pace and its key go in; a client that
keeps to them comes out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from stylus_ext.catalogue.identify import IdentifiedFiles, IdentifyFiles
from stylus_ext.catalogue.refresh import Ingest
from stylus_ext.catalogue.sources.civitai import CIVITAI_KEY, CivitaiCatalogue, CivitaiClient
from stylus_ext.catalogue.sources.hugging_face import HUB_KEY, HubCatalogue, HubClient
from stylus_ext.catalogue.sources.local.scan import digests_of
from stylus_ext.catalogue.sync import SyncCatalogue, Synced
from stylus_ext.core.errors import Cancelled, InvalidInput, StoreProblem, StylusError
from stylus_ext.core.ports import Progress
from stylus_ext.core.settings import Settings
from stylus_ext.core.sources import Wanted
from stylus_ext.engine.language_model import ChatAccess
from stylus_ext.net import Http, Key, KeyName, Pace, delete_key, key_for, origin_of, save_key


@dataclass(frozen=True, slots=True)
class Access(ABC):
    """One for a data folder: however many ask at once, they keep one distance between their
    requests. Each service has its own.
    """

    folder: Path
    settings: Settings
    pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pace", Pace(self.interval))

    @property
    @abstractmethod
    def url(self) -> str:
        """Whom questions go to."""

    @property
    def key_url(self) -> str:
        """Whom the key is for."""
        return self.url

    @property
    @abstractmethod
    def interval(self) -> float:
        """Seconds between two requests."""

    @property
    @abstractmethod
    def key_name(self) -> KeyName:
        """How the key is called where it is kept."""

    @abstractmethod
    def account(self) -> str:
        """Asks whose the key is."""

    @contextmanager
    def http(self) -> Iterator[Http]:
        """Open while something is asked; the key is looked for each time, since it may have been
        entered meanwhile.
        """
        http = Http(key_for(self.folder, self.key_url, self.key_name), pace=self.pace)
        try:
            yield http
        finally:
            http.close()

    def has_key(self) -> bool:
        """Whether there is one that is sent to whom it is for; of one that cannot be used whoever
        makes a request hears.
        """
        try:
            return key_for(self.folder, self.key_url, self.key_name) is not None
        except (InvalidInput, StoreProblem):
            return False

    def told(self) -> str:
        """Where questions go, and whether the key goes with them, as a sentence ends."""
        return f"{self.url}{', with your key' if self.has_key() and origin_of(self.key_url) == origin_of(self.url) else ''}"  # noqa: E501

    def told_of_files(self) -> str:
        """The same of what is fetched."""
        return f"{self.key_url}{', with your key' if self.has_key() else ''}"

    def enter_key(self, secret: str) -> str:
        """Keeps a key for the address that the settings name now; says for which origin that is."""
        key = Key(origin_of(self.key_url), secret)
        save_key(self.folder, self.key_name, key)
        return key.origin

    def drop_key(self) -> bool:
        return delete_key(self.folder, self.key_name)


class CivitaiAccess(Access):
    __slots__ = ()

    @property
    def url(self) -> str:
        return self.settings.civitai.civitai_url

    @property
    def key_url(self) -> str:
        """Whoever gives the files: questions are answered without a key."""
        return self.settings.civitai.civitai_files_url or self.url

    @property
    def interval(self) -> float:
        return self.settings.civitai.request_interval

    @property
    def key_name(self) -> KeyName:
        return CIVITAI_KEY

    @contextmanager
    def service(self) -> Iterator[CivitaiClient]:
        with self.http() as http:
            yield CivitaiClient(http, self.url, self.key_url)

    def sync(
        self, shop: Ingest, wanted: Wanted, progress: Progress, *, afresh: bool = False
    ) -> Synced:
        with self.service() as civitai:
            return SyncCatalogue(shop)(CivitaiCatalogue(civitai), wanted, progress, afresh=afresh)

    def identify(
        self, shop: Ingest, folders: Sequence[str], progress: Progress, *, again: bool = False
    ) -> IdentifiedFiles:
        """Files that were read and hashed before."""
        with self.service() as civitai:
            return IdentifyFiles(shop, tensors=_tensors)(
                CivitaiCatalogue(civitai), folders, progress, again=again
            )

    def account(self) -> str:
        with self.http() as http:
            return CivitaiClient(http, self.key_url).user_name(lambda: None)


def _tensors(path: str, progress: Progress) -> str:
    """A file that cannot be read now is asked about another time."""
    try:
        return digests_of(Path(path), progress).auto_v3
    except Cancelled:
        raise
    except StylusError:
        return ""


class HuggingFaceAccess(Access):
    __slots__ = ()

    @property
    def url(self) -> str:
        return self.settings.hugging_face.hugging_face_url

    @property
    def interval(self) -> float:
        return self.settings.hugging_face.hugging_face_interval

    @property
    def key_name(self) -> KeyName:
        return HUB_KEY

    @contextmanager
    def service(self) -> Iterator[HubClient]:
        with self.http() as http:
            yield HubClient(http, self.url, has_key=self.has_key())

    def sync(
        self, shop: Ingest, wanted: Wanted, progress: Progress, *, afresh: bool = False
    ) -> Synced:
        with self.service() as hub:
            return SyncCatalogue(shop)(HubCatalogue(hub), wanted, progress, afresh=afresh)

    def account(self) -> str:
        with self.service() as hub:
            return hub.user_name(lambda: None)


class KeyHolder(Protocol):
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

    def _services(self) -> Mapping[str, tuple[str, str, KeyHolder]]:
        chat, found = ChatAccess(self.folder, self.settings.chat), self._accesses()
        return {
            "civitai": ("Civitai", found["civitai"].key_url, found["civitai"]),
            "hugging_face": ("Hugging Face", found["hugging_face"].url, found["hugging_face"]),
            "chat": ("the chat server", chat.address, chat),
        }
