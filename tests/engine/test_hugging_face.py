"""Hugging Face over a real catalogue: sync, search, fetch, keys."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.catalogue.sync import Synced
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.errors import Cancelled
from stylus_ext.core.fetching import NotFetched
from stylus_ext.core.ports import Filter
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.core.sources import Wanted
from stylus_ext.engine import stylus as stylus_module
from stylus_ext.engine.operations.table import perform
from stylus_ext.engine.services import CivitaiAccess, HuggingFaceAccess
from stylus_ext.engine.stylus import Stylus, open_stylus
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService
from tests.civitai_service.service import serving as civitai_serving
from tests.civitai_service.shapes import a_file, a_model, a_version
from tests.fakes import BagEmbedder, Watch
from tests.hub_service.service import HubService, serving
from tests.hub_service.shapes import a_repo
from tests.lora_files import LORAS, safetensors_bytes

BODY = safetensors_bytes(LORAS["sdxl"], {"ss_output_name": "fox"}, 5)
SHA = hashlib.sha256(BODY).hexdigest()
KEY = AdapterKey.sha256(SHA)


@dataclass
class House:
    hub: HubService
    civitai: CivitaiService
    open: Callable[[], Stylus]
    stylus: Stylus

    def sync(self, watch: Any = None, *, afresh: bool = False, **wanted: Any) -> Synced:
        return self.stylus.services.hugging_face.sync(
            self.stylus.catalogue.ingest, Wanted(**wanted), watch or Watch(), afresh=afresh
        )

    def fetch(self, folder: Path) -> dict[str, Any]:
        payload = {"keys": [str(KEY)], "lora_dirs": [str(folder)]}
        return perform(self.stylus, "fetch", payload, Watch())

    def asked(self) -> int:
        return len([one for one in self.hub.seen if "/tree/" in one.path])


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(stylus_module, "embedder_for", lambda encoder, key: BagEmbedder())
    with serving() as hub, civitai_serving() as civitai:
        settings = with_values(
            Settings(),
            {
                "civitai": {"civitai_url": civitai.api, "request_interval": 0.0},
                "downloads": {"download": True},
                "hugging_face": {"hugging_face_url": hub.api, "hugging_face_interval": 0.0},
            },
        )

        def opened() -> Stylus:
            return open_stylus(tmp_path / "data", settings)

        made = House(hub, civitai, opened, opened())
        yield made
        made.stylus.close()


def test_its_cards_become_entries_that_are_found(house: House) -> None:
    house.hub.add(
        a_repo(body=BODY),
        *(a_repo(f"artist/owl-{number}", b"%d" % number) for number in range(45)),
    )
    done = house.sync()
    assert (done.models, done.kept, done.written) == (46, 46, 46)
    entry = house.stylus.catalogue.entry(str(KEY))
    assert (entry.card.name, entry.family) == ("rain fox", "sdxl")
    assert "red fox" in entry.text
    assert house.stylus.catalogue.store.search("rnfx", Filter()).total >= 1
    assert house.stylus.catalogue.embed.is_current()
    assert not house.civitai.seen


def test_sync_resumes_and_later_reads_only_what_is_new(house: House) -> None:
    house.hub.add(*(a_repo(f"artist/owl-{number:02}", b"%d" % number) for number in range(45)))
    house.hub.faults.add(Fault(r"/artist/owl-2\d/tree/", delay_s=20, times=-1))
    with pytest.raises(Cancelled):
        house.sync(Watch(patience=12))
    house.hub.faults.clear()
    before = house.asked()
    assert 20 <= before < 45
    done = house.sync()
    assert (done.resumed, done.kept) == (True, 45)
    assert house.asked() < 45 + 20
    house.hub.add(
        a_repo("somebody/new", b"new", stated={"lastModified": "2026-09-09T00:00:00.000Z"})
    )
    again, seen = house.sync(), house.asked()
    assert (again.incremental, again.written) == (True, 1)
    assert house.asked() - seen == 0


def test_the_same_file_of_both_services_is_one_adapter(house: House, tmp_path: Path) -> None:
    house.civitai.add(
        a_model(
            7,
            a_version(
                71, baseModel="SDXL 1.0", files=[a_file(71, "civitai fox.safetensors", BODY)]
            ),
            name="Civitai Fox",
        )
    )
    house.hub.add(a_repo(body=BODY))
    house.sync()
    house.stylus.services.civitai.sync(house.stylus.catalogue.ingest, Wanted(), Watch())
    entry = house.stylus.catalogue.entry("civitai:71")
    assert entry.key == KEY, "the first key stays"
    assert entry.card.name == "Civitai Fox"
    assert house.stylus.catalogue.store.search("", Filter()).total == 1


def test_a_file_is_fetched_and_known(house: House, tmp_path: Path) -> None:
    house.hub.add(a_repo(body=BODY))
    house.sync()
    loras = tmp_path / "loras"
    loras.mkdir()
    assert not house.fetch(loras)["failed"]
    assert (loras / "rain-fox.safetensors").read_bytes() == BODY
    house.stylus.catalogue.index_folders([str(loras)], Watch())
    house.stylus.catalogue.hash_files(Watch())
    assert [Path(file.path).name for file in house.stylus.catalogue.entry(str(KEY)).files] == [
        "rain-fox.safetensors"
    ]
    assert not house.civitai.seen
    assert [file["new"] for file in house.fetch(loras)["fetched"]] == [False]


def test_each_service_has_its_own_key(house: House, tmp_path: Path) -> None:
    hub, civitai = house.stylus.services.hugging_face, house.stylus.services.civitai
    assert hub.enter_key("hf_right") == house.hub.api
    assert (hub.has_key(), civitai.has_key()) == (True, False)
    assert hub.account() == "somebody"
    civitai.enter_key("the-right-key")
    assert sorted(path.name for path in house.stylus.folder.glob("*.key")) == [
        "civitai.key",
        "huggingface.key",
    ]
    house.hub.add(a_repo(body=BODY, stated={"gated": "auto"}))
    house.hub.granted.add("somebody/rain-fox")
    assert house.sync().kept == 1
    (tmp_path / "loras").mkdir()
    assert house.fetch(tmp_path / "loras")["fetched"]
    assert "the-right-key" not in "".join(map(str, house.hub.seen))
    assert hub.forget_key()
    with pytest.raises(NotFetched) as caught:
        hub.account()
    assert caught.value.code == "key_needed"


def test_a_key_of_the_environment_is_for_the_hub_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STYLUS_HUGGINGFACE_KEY", "hf_right")
    assert HuggingFaceAccess(tmp_path, Settings()).has_key()
    assert not CivitaiAccess(tmp_path, Settings()).has_key()
    mirror = with_values(
        Settings(), {"hugging_face": {"hugging_face_url": "https://mirror.example"}}
    )
    assert not HuggingFaceAccess(tmp_path, mirror).has_key()
