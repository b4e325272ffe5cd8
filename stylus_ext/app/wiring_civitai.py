"""What is wired to Civitai: a data folder and settings go in; crawls, identification and the key
come out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stylus_ext.app.identify_files import IdentifiedFiles, IdentifyFiles
from stylus_ext.app.sync_catalogue import SyncCatalogue, Synced
from stylus_ext.app.wiring_access import Access
from stylus_ext.app.workshop import Workshop
from stylus_ext.backends.civitai import CIVITAI_KEY, Civitai, CivitaiCatalogue
from stylus_ext.backends.http import KeyName
from stylus_ext.backends.lora_folder.hashing import digests_of
from stylus_ext.core.errors import Cancelled, StylusError
from stylus_ext.core.ports import Progress
from stylus_ext.core.sources import Wanted


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
    def service(self) -> Iterator[Civitai]:
        with self.http() as http:
            yield Civitai(http, self.url, self.key_url)

    def sync(
        self, shop: Workshop, wanted: Wanted, progress: Progress, *, afresh: bool = False
    ) -> Synced:
        with self.service() as civitai:
            return SyncCatalogue(shop)(CivitaiCatalogue(civitai), wanted, progress, afresh=afresh)

    def identify(
        self, shop: Workshop, folders: Sequence[str], progress: Progress, *, again: bool = False
    ) -> IdentifiedFiles:
        """Files that were read and hashed before."""
        with self.service() as civitai:
            return IdentifyFiles(shop, tensors=_tensors)(
                CivitaiCatalogue(civitai), folders, progress, again=again
            )

    def account(self) -> str:
        with self.http() as http:
            return Civitai(http, self.key_url).me(lambda: None)


def _tensors(path: str, progress: Progress) -> str:
    """A file that cannot be read now is asked about another time."""
    try:
        return digests_of(Path(path), progress).auto_v3
    except Cancelled:
        raise
    except StylusError:
        return ""
