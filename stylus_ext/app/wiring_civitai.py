"""What is wired to Civitai: a data folder and settings go in; crawls, identification and the key come out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from stylus_ext.app.identify_files import IdentifiedFiles, IdentifyFiles
from stylus_ext.app.sync_catalogue import SyncCatalogue, Synced
from stylus_ext.app.workshop import Workshop
from stylus_ext.backends.civitai import CIVITAI_KEY, Civitai, CivitaiCatalogue
from stylus_ext.backends.http import Http, Key, Pace, forget_key, keep_key, key_for, origin_of
from stylus_ext.core.ports import Progress
from stylus_ext.core.settings import Settings
from stylus_ext.core.sources import Wanted


@dataclass(frozen=True, slots=True)
class CivitaiAccess:
    """One for a data folder: however many ask at once, they keep one distance between their requests."""

    folder: Path
    settings: Settings
    pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pace", Pace(self.settings.civitai.request_interval))

    @property
    def url(self) -> str:
        return self.settings.civitai.civitai_url

    @contextmanager
    def http(self) -> Iterator[Http]:
        """Open while something is asked; the key is looked for each time, since it may have been entered meanwhile."""
        http = Http(key_for(self.folder, self.url, CIVITAI_KEY), pace=self.pace)
        try:
            yield http
        finally:
            http.close()

    @contextmanager
    def service(self) -> Iterator[Civitai]:
        with self.http() as http:
            yield Civitai(http, self.url)

    def sync(self, shop: Workshop, wanted: Wanted, progress: Progress, *, afresh: bool = False) -> Synced:
        with self.service() as civitai:
            return SyncCatalogue(shop)(CivitaiCatalogue(civitai), wanted, progress, afresh=afresh)

    def identify(self, shop: Workshop, folders: Sequence[str], progress: Progress, *, again: bool = False) -> IdentifiedFiles:
        """Files that were read and hashed before."""
        with self.service() as civitai:
            return IdentifyFiles(shop)(CivitaiCatalogue(civitai), folders, progress, again=again)

    def has_key(self) -> bool:
        """Whether requests go with a key."""
        return key_for(self.folder, self.url, CIVITAI_KEY) is not None

    def enter_key(self, secret: str) -> str:
        """Keeps a key for the address that the settings name now; says for which origin that is."""
        key = Key(origin_of(self.url), secret)
        keep_key(self.folder, CIVITAI_KEY, key)
        return key.origin

    def drop_key(self) -> bool:
        return forget_key(self.folder, CIVITAI_KEY)

    def account(self) -> str:
        """Asks whose the key is."""
        with self.service() as civitai:
            return civitai.me(lambda: None)
