"""What is wired to Hugging Face: a data folder and settings go in; crawls and the key come out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stylus_ext.app.sync_catalogue import SyncCatalogue, Synced
from stylus_ext.app.wiring_access import Access
from stylus_ext.app.workshop import Workshop
from stylus_ext.backends.http import KeyName
from stylus_ext.backends.hugging_face import HUB_KEY, Hub, HubCatalogue
from stylus_ext.core.ports import Progress
from stylus_ext.core.sources import Wanted


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
    def service(self) -> Iterator[Hub]:
        with self.http() as http:
            yield Hub(http, self.url, has_key=self.has_key())

    def sync(
        self, shop: Workshop, wanted: Wanted, progress: Progress, *, afresh: bool = False
    ) -> Synced:
        with self.service() as hub:
            return SyncCatalogue(shop)(HubCatalogue(hub), wanted, progress, afresh=afresh)

    def account(self) -> str:
        with self.service() as hub:
            return hub.me(lambda: None)
