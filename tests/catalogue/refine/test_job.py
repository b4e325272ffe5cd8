"""The refining job: budget, concurrency, the user's edits, cancelling and kill -9."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.catalogue.refine.job import FailedAttempts, RefineCatalogue
from stylus_ext.catalogue.refine.rules import CardRefiner
from stylus_ext.catalogue.refresh import RefreshCatalogue
from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterCard, AdapterKey, LocalFile
from stylus_ext.core.entry import Description, Edits
from stylus_ext.core.errors import Cancelled, InvalidInput, Unavailable
from stylus_ext.core.ports import Sighting
from stylus_ext.core.refining import (
    Check,
    Expense,
    NotRefined,
    Refined,
    RefineLimits,
    RefineReport,
    Turn,
)
from tests.embedding_server import EmbeddingServer
from tests.engine_process import Cli, end, start
from tests.fakes import Watch, make_card
from tests.refining import model, titles


@dataclass
class Reader:
    """Describes every card for 100 tokens and a cent; `trouble` says for which titles it does
    not.
    """

    source: str = "chat:one"
    trouble: Callable[[str], Exception | None] = lambda title: None
    pause_s: float = 0.0
    price: float | None = 0.01
    times: int = 1
    """How much more it takes than was foreseen."""
    ready: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    released: int = 0
    at_once: int = 0
    most_at_once: int = 0
    guard: threading.Lock = field(default_factory=threading.Lock)

    def fingerprint(self, card: AdapterCard) -> str:
        return f"of {card.name} {card.text}"

    def estimate(self, card: AdapterCard) -> Expense:
        return Expense(80, 20, self.price)

    def describe(self, card: AdapterCard, check: Check, turn: Turn) -> Refined:
        with self.guard:
            self.ready.append(card.name)
        with turn():
            return self._said(card, check)

    def _said(self, card: AdapterCard, check: Check) -> Refined:
        with self.guard:
            self.seen.append(card.name)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            until = time.monotonic() + self.pause_s
            while time.monotonic() < until:
                check()
                time.sleep(0.01)
            problem = self.trouble(card.name)
            if problem is not None:
                raise problem
            said = Description(
                f"What {self.source} says of {card.name}.",
                "style",
                self.source,
                self.fingerprint(card),
                0.5,
            )
            return Refined(
                said,
                Expense(
                    80 * self.times,
                    20 * self.times,
                    None if self.price is None else self.price * self.times,
                ),
            )
        finally:
            with self.guard:
                self.at_once -= 1

    def release(self) -> None:
        self.released += 1


@dataclass
class Home:
    store: SqliteStore
    attempts_at: Callable[[], float] = time.time

    def add(self, *numbers: int, on_disk: bool = False) -> None:
        refresh = RefreshCatalogue(self.store, CardRefiner())
        refresh.take(
            [
                Sighting(
                    card=make_card(
                        number,
                        f"A{number}",
                        text="Trees in deep fog.",
                        source="local" if on_disk else "civitai",
                    ),
                    file=(
                        LocalFile(f"/loras/a{number}.safetensors", f"a{number}", 1, 1)
                        if on_disk
                        else None
                    ),
                )
                for number in numbers
            ]
        )

    def refine(self, reader: Reader, watch: Watch | None = None, **limits: Any) -> RefineReport:
        return self.work(reader)(RefineLimits(**limits), watch or Watch())

    def work(self, reader: Reader) -> RefineCatalogue:
        attempts = FailedAttempts(self.store.memory, "refine.failed", clock=self.attempts_at)
        return RefineCatalogue(self.store, reader, attempts, nullcontext(), lambda check: check())

    def sources(self) -> dict[str, str]:
        return {
            change.entry.card.name: change.entry.description.source
            for change in self.store.changes(0)
            if change.entry
        }


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    store = SqliteStore(tmp_path / "data")
    yield Home(store)
    store.close()


def test_everything_is_described_once(home: Home) -> None:
    home.add(1, 2, 3)
    reader, watch = Reader(), Watch()
    report = home.refine(reader, watch)
    assert (report.wanted, report.refined, report.left, report.failed, report.stopped) == (
        3,
        3,
        0,
        0,
        "",
    )
    assert report.spent == Expense(240, 60, report.spent.cost)
    assert report.spent.cost == pytest.approx(0.03)
    assert home.sources() == dict.fromkeys(("A1", "A2", "A3"), "chat:one")
    assert ("refining", 3, 3) in watch.seen
    assert reader.released == 1
    again = home.refine(Reader())
    assert (again.wanted, again.known, again.spent) == (0, 3, Expense())


def test_an_estimate_makes_no_request(home: Home) -> None:
    home.add(*range(1, 6))
    reader = Reader()
    report = home.work(reader).estimate(RefineLimits(most=4))
    assert (report.wanted, report.estimate.tokens) == (4, 400)
    assert report.estimate.cost == pytest.approx(0.04)
    assert (reader.seen, reader.released) == ([], 0)


def test_the_users_texts_are_neither_sent_nor_changed(home: Home) -> None:
    home.add(1, 2)
    home.store.edit(AdapterKey.civitai(1), Edits(text="Mine."))
    home.store.edit(AdapterKey.civitai(2), Edits(weight=0.3, state="always"))
    reader = Reader()
    report = home.refine(reader)
    entries = home.store.read([AdapterKey.civitai(1), AdapterKey.civitai(2)])
    assert (reader.seen, report.edited) == (["A2"], 1)
    assert [entry.text for entry in entries.values()] == ["Mine.", "What chat:one says of A2."]
    assert (entries[AdapterKey.civitai(2)].weight, entries[AdapterKey.civitai(2)].edits.state) == (
        0.3,
        "always",
    )


def test_an_edit_during_the_request_stays(home: Home) -> None:
    home.add(1)

    def edits(title: str) -> None:
        home.store.edit(AdapterKey.civitai(1), Edits(text="Mine, just now."))

    home.refine(Reader(trouble=edits))
    entry = home.store.read([AdapterKey.civitai(1)])[AdapterKey.civitai(1)]
    assert (entry.text, entry.edits.text) == ("Mine, just now.", "Mine, just now.")


def test_removed_entries_are_not_sent(home: Home) -> None:
    home.add(1, 2, 3)

    def removes(title: str) -> None:
        home.store.remove([AdapterKey.civitai(number) for number in (1, 2, 3)])

    reader = Reader(trouble=removes)
    report = home.refine(reader, at_once=1)
    assert len(reader.seen) == 1
    assert report.left == 0
    assert home.sources() == {}


def test_entries_with_files_come_first(home: Home) -> None:
    home.add(1, 2, 3)
    home.add(4, 5, on_disk=True)
    reader = Reader()
    report = home.refine(reader, most=3, at_once=1)
    assert (reader.seen[:2], report.wanted) == (["A4", "A5"], 3)
    assert home.refine(Reader(), on_disk=True).wanted == 0


def test_changed_cards_are_refined_again_and_those_of_another_model_on_request(
    home: Home,
) -> None:
    home.add(1, 2)
    home.refine(Reader())
    RefreshCatalogue(home.store, CardRefiner()).take(
        [Sighting(card=make_card(1, "A1", text="Now of the sea in storm.", source="civitai"))]
    )
    assert home.sources()["A1"] == "chat:one"
    reader = Reader("chat:two")
    assert home.refine(reader).refined == 1
    assert home.sources() == {"A1": "chat:two", "A2": "chat:one"}
    assert home.refine(Reader("chat:two"), again=True).refined == 1
    assert home.refine(Reader("chat:two"), again=True).wanted == 0


@pytest.mark.parametrize(
    ("limits", "refined"),
    [({"dollars": 0.035}, 3), ({"tokens": 250}, 2), ({"dollars": 0.0}, 0), ({"tokens": 100}, 1)],
)
@pytest.mark.parametrize("at_once", [1, 8])
def test_a_budget_is_never_passed(
    home: Home, limits: dict[str, Any], refined: int, at_once: int
) -> None:
    home.add(*range(1, 11))
    report = home.refine(Reader(), at_once=at_once, **limits)
    assert report.refined == refined
    assert report.left == 10 - refined
    assert "budget" in report.stopped
    assert report.spent.tokens <= limits.get("tokens", 10**9)


@pytest.mark.parametrize("limits", [{"dollars": 0.99}, {"tokens": 9900}])
def test_a_model_that_takes_more_than_estimated_stays_in_the_budget(
    home: Home, limits: dict[str, Any]
) -> None:
    """Only what was asked before anybody answered could come on top of a budget, and this one has
    room for that.
    """
    home.add(*range(1, 60))
    report = home.refine(Reader(times=10, pause_s=0.01), at_once=2, **limits)
    assert "budget" in report.stopped
    assert report.refined == 9


def test_a_budget_in_dollars_wants_a_price(home: Home) -> None:
    home.add(1)
    reader = Reader(price=None)
    report = home.refine(reader, dollars=1.0)
    assert (reader.seen, report.left) == ([], 1)
    assert "price" in report.stopped
    assert home.refine(reader).refined == 1


def test_as_many_at_once_as_wanted(home: Home) -> None:
    home.add(*range(1, 21))
    reader = Reader(pause_s=0.05)
    home.refine(reader, at_once=5)
    assert 2 <= reader.most_at_once <= 5


def test_the_next_cards_are_prepared_during_requests(home: Home) -> None:
    """And no more than that: what is read long before it is asked about may be another thing by
    then.
    """
    home.add(*range(1, 41))
    ahead: list[int] = []

    def looks(title: str) -> None:
        ahead.append(len(reader.ready) - len(reader.seen))

    reader = Reader(trouble=looks, pause_s=0.1)
    assert home.refine(reader, at_once=5).refined == 40
    assert max(ahead[:5]) > 0
    assert max(ahead) <= 4
    assert reader.most_at_once <= 5


def test_prepared_cards_are_not_sent_after_the_job_is_given_up(home: Home) -> None:
    home.add(*range(1, 41))
    reader = Reader(trouble=lambda title: Unavailable("Nobody answers."), pause_s=0.1)
    report = home.refine(reader, at_once=8)
    assert "Nobody answers." in report.stopped
    assert len(reader.seen) <= 24
    assert report.left == 40 - len(reader.seen)


def test_failures_are_counted_and_given_up_after_three(home: Home) -> None:
    home.add(1, 2, 3)

    def fails(title: str) -> Exception | None:
        return NotRefined("It says nothing.", Expense(10, 1, 0.001)) if title == "A2" else None

    for _ in range(3):
        report = home.refine(Reader(trouble=fails))
        assert (report.failed, report.reasons) == (1, {"It says nothing.": 1})
    assert report.spent.tokens == 11
    assert report.spent.cost == pytest.approx(0.001)
    reader = Reader(trouble=fails)
    report = home.refine(reader)
    assert (reader.seen, report.waiting, report.wanted) == ([], 1, 0)
    assert home.sources()["A2"] == "card"
    home.attempts_at = lambda: time.time() + 31 * 86_400
    assert home.refine(Reader()).refined == 1


def test_an_absent_server_ends_the_job_without_failures(home: Home) -> None:
    home.add(*range(1, 31))
    reader = Reader(trouble=lambda title: Unavailable("Nobody answers."))
    report = home.refine(reader, at_once=2)
    assert len(reader.seen) <= 8
    assert "Nobody answers." in report.stopped
    assert report.refined == 0
    assert report.failed == 0
    assert reader.released == 1
    assert home.refine(Reader()).refined == 30


def test_occasional_failures_do_not_end_the_job(home: Home) -> None:
    home.add(*range(1, 41))
    report = home.refine(
        Reader(trouble=lambda title: Unavailable("Busy.") if int(title[1:]) % 3 == 0 else None),
        at_once=1,
    )
    assert (report.stopped, report.refined) == ("", 27)
    assert home.refine(Reader()).refined == 13


def test_cancelling_keeps_finished_descriptions(home: Home) -> None:
    home.add(*range(1, 31))
    reader = Reader(pause_s=0.03)
    with pytest.raises(Cancelled):
        home.refine(reader, Watch(patience=4), at_once=2)
    kept = [name for name, source in home.sources().items() if source == "chat:one"]
    assert 0 < len(kept) < 30
    assert reader.released == 1
    rest = Reader()
    assert home.refine(rest).refined == 30 - len(kept)
    assert not set(rest.seen) & set(kept)


def test_named_entries_are_always_refined(home: Home) -> None:
    home.add(1, 2, 3, 4)
    home.refine(Reader())
    home.store.edit(AdapterKey.civitai(2), Edits(text="Mine."))
    for _ in range(3):
        home.refine(
            Reader(trouble=lambda title: NotRefined("It says nothing.")),
            keys=(AdapterKey.civitai(3),),
        )
    reader = Reader()
    named = tuple(AdapterKey.civitai(number) for number in (1, 2, 3, 99))
    report = home.refine(reader, keys=named)
    assert (sorted(reader.seen), report.wanted, report.refined, report.edited) == (
        ["A1", "A3"],
        2,
        2,
        1,
    )
    assert home.store.read([AdapterKey.civitai(2)])[AdapterKey.civitai(2)].text == "Mine."
    assert home.refine(Reader(), keys=()).wanted == 0
    assert home.refine(Reader(), keys=named, on_disk=True).wanted == 0


@pytest.mark.parametrize(
    "limits", [{"at_once": 0}, {"at_once": 1000}, {"most": -1}, {"dollars": -0.1}, {"tokens": -5}]
)
def test_invalid_limits(limits: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        RefineLimits(**limits)


# --- for real: the command, a chat server over sockets, and a kill


def prepared(folder: Path, chat: str, vectors: str, number: int) -> Path:
    folder.mkdir()
    settings = {
        "encoder": {"endpoint": vectors, "model": "bag"},
        "chat": {"chat_url": chat, "chat_model": "seer-1"},
    }
    (folder / "settings.json").write_text(json.dumps(settings), "utf-8")
    store = SqliteStore(folder)
    Home(store).add(*range(1, number + 1))
    store.close()
    (folder / "starter.sha256").write_text("", "utf-8")
    return folder


def refined(folder: Path) -> set[str]:
    store = SqliteStore(folder)
    try:
        return {
            change.entry.card.name
            for change in store.changes(0)
            if change.entry and change.entry.description.source == "chat:seer-1"
        }
    finally:
        store.close()


def test_a_killed_job_resumes(tmp_path: Path, vectors: EmbeddingServer, here: Cli) -> None:
    """kill -9 in the middle: what came is there, nothing of it is asked again, and the rest comes
    with the next run.
    """
    with model(first_s=0.05) as seer:
        folder = prepared(tmp_path / "data", seer.url, vectors.url, 60)
        process = start(
            folder, "catalogue", "refine", "--most", "60", "--parallel", "2", "--pictures", "0"
        )
        until = time.monotonic() + 60
        while len(titles(seer)) < 20 and process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        end(process, signal.SIGKILL)
        kept, asked = refined(folder), len(titles(seer))
        assert 0 < len(kept) < 60
        ran = here(folder, "catalogue", "refine", "--parallel", "8", "--pictures", "0", "--json")
        assert ran.code == 0, ran
        again = titles(seer)[asked:]
        assert not set(again) & kept
        assert {f"A{number}" for number in range(1, 61)} <= refined(folder)
        assert ran.json["known"] == len(kept)
        text = here(folder, "catalogue", "refine", "--dry-run").out
        assert f"described before: {len(refined(folder))}" in text
        assert "described before: " in text


def test_the_command_says_what_it_would_cost(
    tmp_path: Path, vectors: EmbeddingServer, here: Cli
) -> None:
    with model() as seer:
        folder = prepared(tmp_path / "data", seer.url, vectors.url, 3)
        ran = here(
            folder,
            "catalogue",
            "refine",
            "--dry-run",
            "--price-in",
            "2",
            "--price-out",
            "8",
            "--json",
        ).json
        assert ran["wanted"] >= 3
        assert ran["estimate"]["cost"] == pytest.approx(
            (ran["estimate"]["tokens_in"] * 2 + ran["estimate"]["tokens_out"] * 8) / 1e6
        )
        assert titles(seer) == []


def test_the_command_takes_names(tmp_path: Path, vectors: EmbeddingServer, here: Cli) -> None:
    with model() as seer:
        folder = prepared(tmp_path / "data", seer.url, vectors.url, 3)
        ran = here(folder, "catalogue", "refine", "civitai:2", "--pictures", "0")
        assert "1 of 1" in ran.out
        assert titles(seer) == ["A2"]
        ran = here(folder, "catalogue", "refine", "nobody")
        assert ran.code == 1
        assert "no adapter 'nobody'" in ran.err


def test_without_a_chat_server_it_says_how_to_set_one(
    tmp_path: Path, vectors: EmbeddingServer, here: Cli
) -> None:
    folder = prepared(tmp_path / "data", "", vectors.url, 1)
    ran = here(folder, "catalogue", "refine")
    assert ran.code == 1
    assert "chat" in ran.err
