"""The network services that a user may have a key for: Civitai, Hugging Face, a language model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stylus_ext.catalogue.identify import IdentifiedFiles, IdentifyFiles
from stylus_ext.catalogue.refresh import Ingest
from stylus_ext.catalogue.sources.civitai import CIVITAI_KEY, CivitaiCatalogue, CivitaiClient
from stylus_ext.catalogue.sources.hugging_face import HUB_KEY, HubCatalogue, HubClient
from stylus_ext.catalogue.sources.local.scan import digests_of
from stylus_ext.catalogue.sync import SyncCatalogue, Synced
from stylus_ext.core.errors import Cancelled, InvalidInput, StoreProblem, StylusError
from stylus_ext.core.ports import Progress
from stylus_ext.core.settings import Settings
from stylus_ext.core.sources import RemoteCatalogue, Wanted
from stylus_ext.engine.language_model import LanguageModel
from stylus_ext.net import Http, Key, KeyName, Pace, delete_key, key_for, origin_of, save_key


class ServiceAccess(ABC):
    """The address, key and request pace of one service.

    Share one instance per data folder, so that all requests keep one pace. The key belongs to
    `key_url`, where files come from; questions go to `url`.
    """

    def __init__(
        self, folder: Path, key_name: KeyName, url: str, key_url: str, interval: float
    ) -> None:
        self._folder = folder
        self.key_name = key_name
        self._pace = Pace(interval)
        self.url = url
        self.key_url = key_url

    @abstractmethod
    def account(self) -> str:
        """Asks the service for the name of the key's owner."""

    @abstractmethod
    def catalogue(self, http: Http) -> RemoteCatalogue:
        """The service as a source of cards."""

    def sync(
        self, ingest: Ingest, wanted: Wanted, progress: Progress, *, afresh: bool = False
    ) -> Synced:
        with self.http() as http:
            return SyncCatalogue(ingest)(self.catalogue(http), wanted, progress, afresh=afresh)

    @contextmanager
    def http(self) -> Iterator[Http]:
        """An HTTP client with the current key, which the user may have entered just now."""
        http = Http(key_for(self._folder, self.key_url, self.key_name), pace=self._pace)
        try:
            yield http
        finally:
            http.close()

    def has_key(self) -> bool:
        """Whether there is a usable key; requests report what is wrong with an unusable one."""
        try:
            return key_for(self._folder, self.key_url, self.key_name) is not None
        except (InvalidInput, StoreProblem):
            return False

    def describe(self) -> str:
        """Where questions go, and whether the key goes with them, for the end of a sentence."""
        sends_key = origin_of(self.key_url) == origin_of(self.url) and self.has_key()
        return f"{self.url}{', with your key' if sends_key else ''}"

    def describe_files(self) -> str:
        """Where files come from, and whether the key is sent, for the end of a sentence."""
        return f"{self.key_url}{', with your key' if self.has_key() else ''}"

    def enter_key(self, secret: str) -> str:
        """Stores a key for the address in the settings and returns its origin."""
        key = Key(origin_of(self.key_url), secret)
        save_key(self._folder, self.key_name, key)
        return key.origin

    def forget_key(self) -> bool:
        return delete_key(self._folder, self.key_name)


class CivitaiAccess(ServiceAccess):
    def __init__(self, folder: Path, settings: Settings) -> None:
        civitai = settings.civitai
        files_url = civitai.civitai_files_url or civitai.civitai_url
        super().__init__(
            folder, CIVITAI_KEY, civitai.civitai_url, files_url, civitai.request_interval
        )

    def client(self, http: Http) -> CivitaiClient:
        return CivitaiClient(http, self.url, self.key_url)

    def catalogue(self, http: Http) -> CivitaiCatalogue:
        return CivitaiCatalogue(self.client(http))

    def identify(
        self, ingest: Ingest, folders: Sequence[str], progress: Progress, *, again: bool = False
    ) -> IdentifiedFiles:
        """Asks about files that were read and hashed before."""
        with self.http() as http:
            identify = IdentifyFiles(ingest, tensors=_tensor_hash)
            return identify(self.catalogue(http), folders, progress, again=again)

    def account(self) -> str:
        with self.http() as http:
            return CivitaiClient(http, self.key_url).user_name(lambda: None)


def _tensor_hash(path: str, progress: Progress) -> str:
    """The hash of a file's tensors; empty for a file that cannot be read now."""
    try:
        return digests_of(Path(path), progress).auto_v3
    except Cancelled:
        raise
    except StylusError:
        return ""


class HuggingFaceAccess(ServiceAccess):
    def __init__(self, folder: Path, settings: Settings) -> None:
        url = settings.hugging_face.hugging_face_url
        super().__init__(folder, HUB_KEY, url, url, settings.hugging_face.hugging_face_interval)

    def client(self, http: Http) -> HubClient:
        return HubClient(http, self.url, has_key=self.has_key())

    def catalogue(self, http: Http) -> HubCatalogue:
        return HubCatalogue(self.client(http))

    def account(self) -> str:
        with self.http() as http:
            return self.client(http).user_name(lambda: None)


@dataclass(frozen=True, slots=True)
class KeyState:
    """Whether a service has a key; never contains the key."""

    service: str
    title: str
    url: str
    has_key: bool


class Services:
    """The services of one data folder. Keys are written, deleted and tried, never read back."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.civitai = CivitaiAccess(folder, settings)
        self.hugging_face = HuggingFaceAccess(folder, settings)
        self.language_model = LanguageModel(folder, settings.chat)

    def close(self) -> None:
        self.language_model.close()

    def key_states(self) -> Iterator[KeyState]:
        for service, (title, access) in self._by_name().items():
            yield KeyState(service, title, access.key_url, access.has_key())

    def enter_key(self, service: str, secret: str) -> str:
        """Stores a key and returns the only origin that it is sent to."""
        return self._by_name()[service][1].enter_key(secret.strip())

    def forget_key(self, service: str) -> bool:
        return self._by_name()[service][1].forget_key()

    def check_key(self, service: str) -> str:
        """Tries the key; a language model answers one short question, with or without a key."""
        title, access = self._by_name()[service]
        if isinstance(access, LanguageModel):
            return f"{access.account()} answers."
        if not access.has_key():
            raise InvalidInput(f"There is no key for {title}. Enter one first.")
        return f"{title} accepts the key. It belongs to {access.account()}."

    def _by_name(self) -> Mapping[str, tuple[str, ServiceAccess | LanguageModel]]:
        return {
            "civitai": ("Civitai", self.civitai),
            "hugging_face": ("Hugging Face", self.hugging_face),
            "chat": ("the language model", self.language_model),
        }
