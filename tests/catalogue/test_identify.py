"""Own files are named by their hashes, over a real folder, a real store and the local Civitai."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from stylus_ext.catalogue import identify as identify_module
from stylus_ext.catalogue.identify import IdentifiedFiles, IdentifyFiles
from stylus_ext.catalogue.sources.civitai import CivitaiCatalogue
from stylus_ext.catalogue.sources.local.scan import digests_of
from stylus_ext.core.errors import Cancelled
from stylus_ext.core.ports import Progress
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.engine import stylus as stylus_module
from stylus_ext.engine.stylus import Stylus, open_stylus
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService, serving
from tests.civitai_service.shapes import a_file, a_made_picture, a_model, a_version
from tests.fakes import BagEmbedder, Watch
from tests.lora_files import write_lora, write_sidecar

DAY_S = 86_400.0


@dataclass
class House:
    service: CivitaiService
    stylus: Stylus
    loras: Path
    now: float = 1_000_000_000.0

    def file(self, name: str, seed: int) -> Path:
        return write_lora(self.loras / f"{name}.safetensors", "sd1", seed=seed)

    def known(self, path: Path, model_id: int, **changes: object) -> None:
        """Civitai has this file, under another name."""
        version_id = model_id + 1000
        file = a_file(version_id, f"upload_{model_id}.safetensors", path.read_bytes())
        self.service.add(
            a_model(
                model_id, a_version(version_id, files=[file]), name=f"Known {model_id}", **changes
            )
        )

    def read(self) -> None:
        self.stylus.catalogue.index_folders([str(self.loras)], Watch())
        self.stylus.catalogue.hash_files(Watch())

    def identify(
        self, folders: tuple[str, ...] = (), *, again: bool = False, watch: Watch | None = None
    ) -> IdentifiedFiles:
        use = IdentifyFiles(self.stylus.catalogue.ingest, lambda: self.now)
        with self.stylus.services.civitai.http() as http:
            civitai = self.stylus.services.civitai.client(http)
            return use(CivitaiCatalogue(civitai), folders, watch or Watch(), again=again)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(stylus_module, "embedder_for", lambda encoder, key: BagEmbedder())
    (tmp_path / "loras").mkdir()
    with serving() as service:
        settings = with_values(
            Settings(), {"civitai": {"civitai_url": service.api, "request_interval": 0.0}}
        )
        stylus = open_stylus(tmp_path / "data", settings)
        yield House(service, stylus, (tmp_path / "loras").resolve())
        stylus.close()


def test_an_unknown_file_gets_a_name_words_and_a_weight(house: House) -> None:
    path = house.file("epoch_12", 1)
    house.known(path, 7)
    house.service.pictures[1007] = [a_made_picture(1007, "a known thing", 0.6)]
    house.read()
    found = house.identify()
    assert (found.requested, found.found, found.unknown) == (1, 1, 0)
    entry = house.stylus.catalogue.entry("epoch_12")
    assert (entry.stem, entry.triggers, entry.weight, entry.card.model_id) == (
        "epoch_12",
        ("word1007",),
        0.6,
        7,
    )
    assert entry.card.name == "Known 7", "what is shown; the file's name stays the tag"
    assert house.stylus.catalogue.entry("civitai:1007") == entry
    assert house.stylus.catalogue.embed.is_current()


def test_nothing_but_hashes_is_sent(house: House) -> None:
    path = house.file("my secret project", 1)
    house.read()
    house.identify()
    asked, by_tensors = house.service.seen
    assert asked.body == [hashlib.sha256(path.read_bytes()).hexdigest().upper()]
    assert by_tensors.path == f"/api/v1/model-versions/by-hash/{tensors_of(path)}"
    assert "secret" not in f"{asked} {by_tensors}"


def tensors_of(path: Path) -> str:
    return digests_of(path, Watch()).auto_v3


def rewritten(house: House, name: str, path: Path) -> Path:
    """The same tensors under another header, as merges and editors of metadata leave them."""
    body = path.read_bytes()
    start = 8 + struct.unpack("<Q", body[:8])[0]
    header = json.loads(body[8:start])
    header.setdefault("__metadata__", {})["edited"] = "by hand"
    text = json.dumps(header).encode()
    made = house.loras / f"{name}.safetensors"
    made.write_bytes(struct.pack("<Q", len(text)) + text + body[start:])
    return made


def test_a_rewritten_file_is_known_by_its_tensors(house: House, tmp_path: Path) -> None:
    original = write_lora(tmp_path / "original.safetensors", "sd1", seed=1)
    mine = rewritten(house, "epoch_12", original)
    house.known(original, 7)
    file = house.service.models[0]["modelVersions"][0]["files"][0]
    file["hashes"]["AutoV3"] = tensors_of(original).upper()
    assert tensors_of(mine) == tensors_of(original)
    house.read()
    found = house.identify()
    assert (found.requested, found.found, found.unknown) == (1, 1, 0)
    entry = house.stylus.catalogue.entry("epoch_12")
    assert house.stylus.catalogue.entry("civitai:1007") == entry
    assert {
        f"sha256:{hashlib.sha256(one.read_bytes()).hexdigest()}" for one in (mine, original)
    } <= set(map(str, entry.card.equivalents))
    assert (entry.card.name, entry.stem) == ("Known 7", "epoch_12")
    assert (house.identify().requested, house.identify().remembered) == (0, 0)


@pytest.mark.parametrize("short", ["e3b0c44298fc", "", "0123456789ab"])
def test_an_answer_that_has_not_these_tensors_is_no_answer(house: House, short: str) -> None:
    house.known(house.file("other", 5), 7)
    house.service.models[0]["modelVersions"][0]["files"][0]["hashes"] = {"AutoV3": short}
    house.file("mine", 1)
    house.service.faults.add(
        Fault(
            "/by-hash/[0-9a-f]+$",
            status=200,
            body={**house.service.models[0]["modelVersions"][0], "modelId": 7},
            times=-1,
        )
    )
    house.read()
    found = house.identify((str(house.loras),))
    assert (found.found, found.unknown) == (0, 2)


def test_tensors_that_nobody_hashed_are_hashed_for_it(house: House) -> None:
    """A sidecar has told the SHA256, so the file itself was not read until now."""
    path = house.file("told", 1)
    write_sidecar(path, ".json", {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()})
    house.read()
    assert house.stylus.catalogue.entry("told").card.auto_v3 == ""
    asked = list[str]()

    def tensors(path: str, progress: Progress) -> str:
        asked.append(Path(path).name)
        return "0123456789ab"

    with house.stylus.services.civitai.http() as http:
        civitai = house.stylus.services.civitai.client(http)
        IdentifyFiles(house.stylus.catalogue.ingest, lambda: house.now, tensors)(
            CivitaiCatalogue(civitai), (), Watch()
        )
    assert asked == ["told.safetensors"]
    assert house.service.asked("/by-hash/0123456789ab")


def test_the_wiring_reads_them_from_the_file(house: House) -> None:
    path = house.file("told", 1)
    write_sidecar(path, ".json", {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()})
    house.read()
    assert (
        house.stylus.services.civitai.identify(house.stylus.catalogue.ingest, (), Watch()).unknown
        == 1
    )
    assert house.service.asked(f"/by-hash/{tensors_of(path)}")
    path.write_bytes(b"damaged")
    assert (
        house.stylus.services.civitai.identify(
            house.stylus.catalogue.ingest, (), Watch(), again=True
        ).requested
        == 1
    )


def test_a_name_of_ones_own_stays(house: House) -> None:
    path = house.file("epoch_12", 1)
    write_sidecar(
        path, ".metadata.json", {"model_name": "My best fox", "sha256": "", "base_model": "SD 1.5"}
    )
    house.known(path, 7)
    house.read()
    house.identify()
    assert house.stylus.catalogue.entry("epoch_12").card.name == "My best fox"


def test_what_is_known_is_not_asked_for(house: House) -> None:
    path = house.file("named", 1)
    write_sidecar(path, ".civitai.info", {"id": 5, "modelId": 6, "name": "v1"})
    house.read()
    assert house.identify() == IdentifiedFiles()
    assert house.service.seen == []


def test_what_civitai_does_not_know_is_not_asked_day_by_day(house: House) -> None:
    house.file("mine alone", 1)
    house.read()
    assert house.identify().unknown == 1
    again = house.identify()
    assert (again.requested, again.remembered) == (0, 1)
    assert house.identify(again=True).requested == 1
    house.now += 31 * DAY_S
    assert house.identify().requested == 1
    assert len(house.service.asked("/by-hash/ids")) == 3


def test_a_file_that_civitai_learned_of_is_named_then(house: House) -> None:
    path = house.file("early", 1)
    house.read()
    house.identify()
    house.known(path, 7)
    assert house.identify(again=True).found == 1
    assert (house.identify().requested, house.identify().remembered) == (0, 0)


def test_only_the_named_folder_counts(house: House) -> None:
    (house.loras / "a").mkdir()
    (house.loras / "b").mkdir()
    for number, name in enumerate(("a/one", "b/two", "b/three")):
        house.known(house.file(name, number), number + 1)
    house.read()
    assert house.identify((str(house.loras / "b"),)).found == 2
    assert house.identify().found == 1


def test_real_persons_and_what_is_no_lora_stay_unnamed(house: House) -> None:
    house.known(house.file("one", 1), 1, poi=True)
    house.known(house.file("two", 2), 2, type="Checkpoint")
    house.known(house.file("three", 3), 3, mode="Archived")
    house.read()
    found = house.identify()
    assert (found.found, found.unknown, found.skipped) == (
        1,
        0,
        {"of a real person": 1, "not a LoRA": 1},
    )


def test_files_without_a_hash_wait(house: House) -> None:
    house.file("fresh", 1)
    house.stylus.catalogue.index_folders([str(house.loras)], Watch())
    found = house.identify()
    assert (found.requested, found.waiting) == (0, 1)


def test_two_files_of_one_version_are_asked_for_once(house: House) -> None:
    path = house.file("one", 1)
    (house.loras / "copy.safetensors").write_bytes(path.read_bytes())
    house.known(path, 7)
    house.read()
    assert house.identify().found == 1
    assert {house.stylus.catalogue.entry(stem).card.model_id for stem in ("one", "copy")} == {7}


def test_a_stop_keeps_what_was_found_and_trouble_forgets_nothing(house: House) -> None:
    house.known(house.file("one", 1), 7)
    house.read()
    with pytest.raises(Cancelled):
        house.identify(watch=Watch(patience=0))
    house.service.faults.add(Fault("/by-hash$", status=401, times=-1))
    with pytest.raises(Exception, match="refuses your key"):
        house.identify()
    house.service.faults.clear()
    assert house.identify().found == 1, "neither stop nor trouble is an answer"


def test_it_tells_how_far_it_is_file_by_file(house: House) -> None:
    """Each that is not known costs a request, and requests are a second apart."""
    for number in range(4):
        house.file(f"own {number}", number)
    house.read()
    watch = Watch()
    house.identify(watch=watch)
    told = [
        (done, total) for step, done, total in watch.seen if step == "asking Civitai about files"
    ]
    assert set(told) >= {(number, 4) for number in range(5)}
    assert told == sorted(told)


def test_what_was_asked_before_a_stop_is_not_asked_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identify_module, "_BATCH", 2)
    for number in range(6):
        house.file(f"own {number}", number)
    house.read()

    class Stopping(Watch):
        def report(self, step: str, done: int, total: int | None = None) -> None:
            super().report(step, done, total)
            if done >= 4:
                raise Cancelled("Stopped, as you asked.")

    with pytest.raises(Cancelled):
        house.identify(watch=Stopping())
    again = house.identify()
    assert (again.requested, again.remembered) == (2, 4)
