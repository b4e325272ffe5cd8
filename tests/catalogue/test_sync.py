"""A crawl of the local Civitai into a real store with a real index."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.catalogue.sync import EndlessListing, Synced
from stylus_ext.core.card import AdapterKey, LocalFile
from stylus_ext.core.entry import VIEWS
from stylus_ext.core.errors import Cancelled, InvalidInput
from stylus_ext.core.ports import Filter
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.core.sources import Wanted
from stylus_ext.engine import stylus as stylus_module
from stylus_ext.engine.stylus import Stylus, open_stylus
from stylus_ext.net import BadAnswer
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService, serving
from tests.civitai_service.shapes import a_made_picture, a_model, a_version
from tests.fakes import BagEmbedder, Watch, make_card


@dataclass
class House:
    service: CivitaiService
    open: Callable[[], Stylus]
    stylus: Stylus

    def sync(self, watch: Any = None, *, afresh: bool = False, **wanted: Any) -> Synced:
        return self.stylus.services.civitai.sync(
            self.stylus.catalogue.ingest, Wanted(**wanted), watch or Watch(), afresh=afresh
        )

    def reopen(self) -> None:
        self.stylus.close()
        self.stylus = self.open()

    def total(self) -> int:
        return self.stylus.catalogue.store.search("", Filter(), limit=1).total

    def pages(self) -> list[str]:
        return [one.one("cursor") for one in self.service.asked("/models")]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(stylus_module, "embedder_for", lambda encoder, key: BagEmbedder())
    with serving() as service:
        settings = with_values(
            Settings(), {"civitai": {"civitai_url": service.api, "request_interval": 0.0}}
        )

        def opened() -> Stylus:
            return open_stylus(tmp_path / "data", settings)

        made = House(service, opened, opened())
        yield made
        made.stylus.close()


def models(first: int, last: int, **changes: Any) -> list[dict[str, Any]]:
    """The later ones came out later."""
    return [
        a_model(
            number,
            a_version(
                number + 1_000_000,
                publishedAt=(
                    f"2026-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}.000Z"
                ),
            ),
            **changes,
        )
        for number in range(first, last + 1)
    ]


def test_everything_is_read_stored_embedded_and_found(house: House) -> None:
    house.service.add(
        *models(1, 230), a_model(900, poi=True), a_model(901, minor=True), a_model(902, nsfw=True)
    )
    synced = house.sync()
    assert (synced.models, synced.kept, synced.written, synced.unchanged) == (232, 230, 230, 0)
    assert synced.skipped == {
        "of a real person": 1,
        "of a minor": 1,
    }, "what is not safe for work is not even listed"
    assert synced.vectors == len(VIEWS) * 230
    assert house.total() == 230
    assert house.stylus.catalogue.embed.is_current()
    assert len(house.stylus.catalogue.index.fingerprints("card")) == 230
    found = house.stylus.catalogue.store.search("Adapter 77", Filter()).entries
    assert [entry.card.name for entry in found] == ["Adapter 77"]
    assert len(house.pages()) == 3


def test_not_safe_for_work_is_kept_when_it_is_wanted(house: House) -> None:
    house.service.add(*models(1, 3), a_model(901, nsfw=True))
    assert house.sync(nsfw=True).kept == 4
    assert house.stylus.catalogue.entry("civitai:1000901").card.nsfw


def test_the_second_time_only_what_is_new_is_read(house: House) -> None:
    house.service.add(*models(1, 250))
    house.sync()
    assert len(house.pages()) == 3
    house.service.add(*models(251, 260))
    house.reopen()
    again = house.sync()
    assert again.incremental
    assert (again.written, again.vectors) == (10, 20)
    assert len(house.pages()) == 5, "a page that held something new, and one that did not"
    third = house.sync()
    assert (third.written, third.vectors, len(house.pages())) == (0, 0, 6)
    assert house.total() == 260


def test_afresh_reads_all_and_makes_nothing_anew(house: House) -> None:
    house.service.add(*models(1, 150))
    house.sync()
    house.service.models[0]["description"] = "<p>Something else.</p>"
    house.service.models[1]["stats"]["downloadCount"] = 99_999
    house.service.models[1]["modelVersions"][0]["stats"]["downloadCount"] = 99_999
    again = house.sync(afresh=True)
    assert (again.kept, again.written, again.unchanged) == (150, 2, 148)
    assert again.vectors == 2, (
        "the text of one is another; how often the other was downloaded is in no vector"
    )
    assert house.stylus.catalogue.entry("civitai:1000002").card.downloads == 99_999
    assert not again.incremental


def test_what_turns_out_to_be_of_a_real_person_goes(house: House) -> None:
    house.service.add(*models(1, 5))
    house.sync()
    house.service.models[2]["poi"] = True
    house.service.models[3]["minor"] = True
    again = house.sync(afresh=True)
    assert again.skipped == {"of a real person": 1, "of a minor": 1}
    assert house.total() == 3
    assert len(house.stylus.catalogue.index.fingerprints("card")) == 3


def test_the_most_downloaded_are_read_and_no_more(house: House) -> None:
    for model in models(1, 300):
        model["stats"]["downloadCount"] = model["id"]
        house.service.add(model)
    watch = Watch()
    synced = house.sync(watch, top=130)
    assert (synced.models, synced.kept) == (130, 130)
    assert house.stylus.catalogue.entry("civitai:1000300")
    with pytest.raises(InvalidInput):
        house.stylus.catalogue.entry("civitai:1000170")
    assert [one.one("limit") for one in house.service.asked("/models")] == ["100", "30"]
    told = [(done, total) for step, done, total in watch.seen if step == "reading Civitai"]
    assert told[0] == (0, 130)
    assert told[-1] == (130, 130)
    assert house.sync(top=130).written == 0


def test_a_tag_a_word_and_a_base_model_narrow_it(house: House) -> None:
    house.service.add(
        a_model(1, tags=["fox"]),
        a_model(2, name="Red Fox"),
        a_model(3, a_version(31), a_version(32, baseModel="Pony")),
        a_model(4, a_version(41, baseModel="Pony V7")),
    )
    assert house.sync(tag="fox").kept == 1
    assert house.sync(query="red fox").kept == 1
    narrowed = house.sync(base_models=("pony",))
    assert (narrowed.kept, narrowed.skipped) == (1, {"for another base model": 1})


class Stopping(Watch):
    """Stops when so many pages were stored."""

    def __init__(self, house: House, cards: int) -> None:
        super().__init__()
        self._house, self._cards = house, cards

    def report(self, step: str, done: int, total: int | None = None) -> None:
        super().report(step, done, total)
        if self._house.total() >= self._cards:
            raise Cancelled("Stopped, as you asked.")


def test_a_stopped_crawl_goes_on_where_it_was(house: House) -> None:
    house.service.add(*models(1, 450), a_model(900, poi=True))
    with pytest.raises(Cancelled):
        house.sync(Stopping(house, 200))
    assert 200 <= house.total() < 450
    before = house.pages()
    house.reopen()
    watch = Watch()
    synced = house.sync(watch)
    assert synced.resumed
    assert (synced.models, synced.kept, synced.skipped) == (
        451,
        450,
        {"of a real person": 1},
    ), "what came before counts too"
    assert house.total() == 450
    assert house.stylus.catalogue.embed.is_current()
    assert len(house.pages()) <= 5 + 1, (before, house.pages())
    assert "" not in house.pages()[len(before) :], "not from the beginning"


def test_a_stop_loses_no_more_than_a_page(house: House) -> None:
    house.service.add(*models(1, 450))
    with pytest.raises(Cancelled):
        house.sync(Stopping(house, 300))
    again = house.sync()
    assert again.written >= 400, "written counts those before, too"
    assert house.total() == 450


def test_another_crawl_does_not_disturb_a_stopped_one(house: House) -> None:
    house.service.add(*models(1, 300))
    with pytest.raises(Cancelled):
        house.sync(Stopping(house, 100))
    assert house.sync(tag="style", top=5).models == 5
    assert house.sync().resumed


def test_a_place_that_civitai_forgot_is_where_it_begins_anew(house: House) -> None:
    house.service.add(*models(1, 300))
    with pytest.raises(Cancelled):
        house.sync(Stopping(house, 100))
    house.service.faults.add(Fault("/models$", status=400, body={"error": "Invalid cursor"}))
    synced = house.sync()
    assert [note.code for note in synced.notes] == ["crawl_restarted"]
    assert (synced.models, house.total()) == (300, 300)


def test_trouble_on_the_way_is_waited_out(house: House) -> None:
    house.service.add(*models(1, 150))
    house.service.faults.add(
        Fault("/models$", status=502),
        Fault("/models$", headless=True),
        Fault("/models$", cut_at=300, after=1),
    )
    assert house.sync().kept == 150


def test_trouble_that_lasts_keeps_what_was_read(house: House) -> None:
    house.service.add(*models(1, 250))
    house.service.faults.add(Fault("/models$", status=400, body={"error": "no"}, after=2, times=-1))
    with pytest.raises(InvalidInput):
        house.sync()
    house.service.faults.clear()
    assert house.total() >= 100
    house.sync()
    assert house.total() == 250


@pytest.mark.parametrize("loop", [["same"], ["one", "two", "three", "one"]], ids=["same", "ring"])
def test_pages_that_lead_back_are_an_error_and_the_rest_is_read_later(
    house: House, loop: list[str]
) -> None:
    house.service.add(*models(1, 250))
    house.service.faults.add(
        *(
            Fault(
                "/models$",
                status=200,
                body={
                    "items": [models(900 + place, 900 + place)[0]],
                    "metadata": {"nextCursor": c},
                },
                times=1 if place + 1 < len(loop) else -1,
            )
            for place, c in enumerate(loop)
        )
    )
    with pytest.raises(EndlessListing):
        house.sync()
    house.service.faults.clear()
    house.service.faults.add(Fault("/models$", status=400, body={"error": "Invalid cursor"}))
    assert house.sync().kept == 250


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": {"nextCursor": "100|250"}},
        {"items": None, "metadata": {}},
        {"items": models(1, 100)},
        {"items": models(1, 100), "metadata": {}},
        {"items": models(1, 100), "metadata": None},
        {"error": "try later"},
        [],
        "<html>later</html>",
    ],
    ids=str,
)
def test_one_odd_answer_hides_nothing(house: House, body: Any) -> None:
    """Neither in the same crawl nor, if it lasts, in the next."""
    house.service.add(*models(1, 250))
    house.service.faults.add(Fault("/models$", status=200, body=body, after=1))
    assert house.sync().kept == 250
    house.service.add(*models(251, 460))
    house.service.faults.add(Fault("/models$", status=200, body=body, after=1, times=2))
    if body == {"items": models(1, 100), "metadata": {}}:
        return  # said twice, this is an end
    house.sync()
    assert house.total() == 460


def test_an_odd_answer_that_lasts_ends_the_crawl_which_goes_on_later(house: House) -> None:
    house.service.add(*models(1, 250))
    house.service.faults.add(Fault("/models$", status=200, body={}, after=1, times=-1))
    with pytest.raises(BadAnswer):
        house.sync()
    house.service.faults.clear()
    again = house.sync()
    assert again.resumed
    assert house.total() == 250


def test_a_full_last_page_is_asked_for_twice_and_no_more(house: House) -> None:
    house.service.add(*models(1, 200))
    assert house.sync().kept == 200
    assert len(house.pages()) == 3


def test_empty_pages_on_the_way_are_passed_over(house: House) -> None:
    """As Civitai's search answers: nothing for some pages, each with the place of the next."""
    house.service.add(*models(1, 3))
    empty = [
        Fault("/models$", status=200, body={"items": [], "metadata": {"nextCursor": f"0|{number}"}})
        for number in range(5)
    ]
    house.service.faults.add(*empty)
    assert house.sync(query="adapter").kept == 3
    assert len(house.pages()) == 6


def test_empty_pages_without_an_end_are_an_error(house: House) -> None:
    for number in range(60):
        house.service.faults.add(
            Fault(
                "/models$", status=200, body={"items": [], "metadata": {"nextCursor": str(number)}}
            )
        )
    with pytest.raises(EndlessListing):
        house.sync(query="adapter")
    assert len(house.pages()) == 26


def test_what_a_search_finds_is_read_again_to_its_end(house: House) -> None:
    """What is new stands anywhere in it."""
    house.service.add(*models(1, 150))
    assert house.sync(query="adapter").kept == 150
    house.service.add(a_model(500, a_version(501, publishedAt="2020-01-01T00:00:00.000Z")))
    again = house.sync(query="adapter")
    assert (again.models, again.written, again.incremental) == (151, 1, False)


def test_a_version_of_the_future_hides_nothing_that_comes_after(house: House) -> None:
    house.service.add(
        *models(1, 2), a_model(500, a_version(501, publishedAt="2999-01-01T00:00:00.000Z"))
    )
    house.sync()
    house.service.add(*models(3, 4))
    assert house.sync().written == 2


def test_a_version_on_disk_becomes_one_with_its_card(house: House) -> None:
    """The user's file is known by its hash; its first key stays."""
    model = a_model(1, a_version(11))
    digest = str(model["modelVersions"][0]["files"][0]["hashes"]["SHA256"]).lower()
    key = AdapterKey.path("mine.safetensors")
    own = make_card(5, "mine", key=key, source="local", equivalents=(AdapterKey.sha256(digest),))
    house.stylus.catalogue.store.keep([own])
    entry = house.stylus.catalogue.refresh.entry(
        own, None, (LocalFile("mine.safetensors", "mine", 5, 5, digest),)
    )
    house.stylus.catalogue.store.write([entry])
    house.service.add(model)
    house.sync()
    known = house.stylus.catalogue.entry("civitai:11")
    assert (known.key, known.stem, known.triggers) == (key, "mine", ("word11",))
    assert house.total() == 1


def test_examples_become_the_recommended_weight(house: House) -> None:
    house.service.add(a_model(1, a_version(11)))
    house.service.pictures[11] = [
        a_made_picture(11, f"alley {weight}", weight) for weight in (0.6, 0.7, 0.9)
    ]
    house.sync(examples=True)
    assert house.stylus.catalogue.entry("civitai:11").weight == 0.7


def test_what_was_kept_when_we_were_killed_becomes_entries(house: House) -> None:
    """Between the keeping of cards and the making of entries."""
    card = make_card(77, "Half Made", source="civitai")
    house.stylus.catalogue.ingest.memory.remember("taking", '["civitai:77"]')
    house.stylus.catalogue.store.keep([card])
    assert house.total() == 0
    house.sync()
    assert house.total() == 1
    assert house.stylus.catalogue.embed.is_current()
    assert house.stylus.catalogue.ingest.memory.remembered("taking") == ""


def test_nobody_waits_for_the_network(house: House) -> None:
    """While Civitai is slow, plans and folders have the catalogue to themselves."""
    house.service.add(*models(1, 3))
    house.service.faults.add(Fault("/models$", delay_s=3))
    thread = threading.Thread(target=house.sync)
    thread.start()
    try:
        while not house.service.seen:
            time.sleep(0.01)
        assert house.stylus.catalogue.write_lock.acquire(timeout=1)
        house.stylus.catalogue.write_lock.release()
    finally:
        thread.join()


def test_a_stop_is_heard_while_civitai_is_slow(house: House) -> None:
    house.service.faults.add(Fault("/models$", stall_at=0))
    with pytest.raises(Cancelled):
        house.sync(Watch(patience=4))
