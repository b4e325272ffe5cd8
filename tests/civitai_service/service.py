"""A local Civitai: an API and a storage, two origins on loopback, over real sockets.

with serving() as civitai:
    civitai.add(a_model(1, a_version(11)), files={11: body})
    civitai.faults.add(Fault(r"/api/v1/models$", status=429, headers={"Retry-After": "1"}))
    civitai.api, civitai.storage        # origins
    civitai.seen                        # every request, of both
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.civitai_service import api, storage
from tests.civitai_service.faults import Fault, Faults
from tests.civitai_service.shapes import Json
from tests.civitai_service.wire import Reply, Seen, listening


@dataclass
class CivitaiService:
    """`rules` say per version what a download meets: login, disabled, early, archived, missing,
    limit or blacklist.
    """

    api: str = ""
    storage: str = ""
    models: list[Json] = field(default_factory=list)
    pictures: dict[int, list[Json]] = field(default_factory=dict)
    """What /images has of a version."""
    files: dict[int, bytes] = field(default_factory=dict)
    """What a download of a version gives; under the negative number, where it asks for the
    safetensors file and that is not the primary one.
    """
    rules: dict[int, str] = field(default_factory=dict)
    keys: set[str] = field(default_factory=lambda: {"the-right-key"})
    base_models: list[str] = field(
        default_factory=lambda: [
            "SD 1.5",
            "SDXL 1.0",
            "Pony",
            "Illustrious",
            "Flux.1 D",
            "Brand New 9",
        ]
    )
    faults: Faults = field(default_factory=Faults)
    seen: list[Seen] = field(default_factory=list)
    signed: dict[str, int] = field(default_factory=dict)
    """Signatures of the storage that still hold, with their versions."""
    etags: bool = True
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def add(self, *models: Json, files: Mapping[int, bytes] | None = None) -> None:
        self.models.extend(models)
        self.files.update(files or {})

    def expire(self) -> None:
        """No signed address holds any longer."""
        self.signed.clear()

    def asked(self, path: str, on: str = "api") -> list[Seen]:
        """The requests whose path ends so."""
        return [one for one in self.seen if one.on == on and one.path.endswith(path)]

    def answer_api(self, request: Seen, fault: Fault) -> Reply:
        return api.answer(self, request)

    def answer_storage(self, request: Seen, fault: Fault) -> Reply:
        return storage.answer(self, request, fault)


@contextmanager
def serving() -> Iterator[CivitaiService]:
    civitai = CivitaiService()
    with (
        listening("api", civitai.answer_api, civitai.faults, civitai.seen) as civitai.api,
        listening(
            "storage", civitai.answer_storage, civitai.faults, civitai.seen
        ) as civitai.storage,
    ):
        yield civitai
