"""Downloads of the hub's files over real sockets, with faults; the key goes to the hub only."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.catalogue.sources.hugging_face import (
    HubCatalogue,
    HubClient,
    HubLocation,
    HubSource,
)
from stylus_ext.core.card import AdapterCard
from stylus_ext.core.errors import StylusError
from stylus_ext.core.fetching import NotFetched
from stylus_ext.core.sources import Wanted
from stylus_ext.downloads import Budget, FileDownloader, Ledger, LoraFolderWriter, Receiver
from stylus_ext.net import Http, Key, no_check, origin_of
from tests.catalogue.sources.hugging_face.conftest import QUICK
from tests.civitai_service.faults import Fault
from tests.fakes import Watch, make_card
from tests.hub_service.service import HubService
from tests.hub_service.shapes import a_repo
from tests.lora_files import LORAS, safetensors_bytes

KEY = "hf_right"
BODY = safetensors_bytes(LORAS["sdxl"], {"ss_output_name": "fox"}, 5)
OTHER = safetensors_bytes(LORAS["sdxl"], {"ss_output_name": "owl"}, 6)
SHA = hashlib.sha256(BODY).hexdigest()
TOTAL = len(BODY)


@dataclass
class Bench:
    service: HubService
    root: Path
    data: Path
    key: str = KEY

    @contextmanager
    def hub(self) -> Iterator[tuple[HubClient, Http]]:
        http = Http(Key(origin_of(self.service.api), self.key) if self.key else None, limits=QUICK)
        try:
            yield HubClient(http, self.service.api, has_key=bool(self.key)), http
        finally:
            http.close()

    def card(self) -> AdapterCard:
        with self.hub() as (hub, _):
            return HubCatalogue(hub).page(Wanted(nsfw=True), None, None, no_check).cards[0]

    def fetch(self, card: AdapterCard) -> Path:
        with self.hub() as (hub, http):
            ledger = Ledger(self.data)
            budget = Budget(2**30, 2**30, 0, ledger)
            receiver = Receiver(http, first_pause_s=0.01)
            return Path(
                FileDownloader(
                    HubSource(hub), receiver, LoraFolderWriter(self.root), budget, ledger
                )
                .fetch(card, Watch())
                .path
            )

    def check(self, *allowed: bytes) -> None:
        """No wrong file under a final name, the user's as it was, no key and no signature
        anywhere.
        """
        files = {path.name: path.read_bytes() for path in self.root.iterdir()}
        assert files.pop("mine.safetensors") == b"mine"
        assert {body for name, body in files.items() if name.endswith(".safetensors")} <= set(
            allowed
        )
        everything = b"".join(
            [*files.values(), *(path.read_bytes() for path in self.data.iterdir())]
        )
        assert KEY.encode() not in everything
        assert b"X-Amz" not in everything
        for seen in self.service.seen:
            assert KEY not in seen.target
            assert seen.on == "api" or KEY not in str(seen)


@pytest.fixture
def bench(service: HubService, tmp_path: Path) -> Bench:
    root, data = tmp_path / "loras", tmp_path / "data"
    root.mkdir()
    data.mkdir()
    (root / "mine.safetensors").write_bytes(b"mine")
    service.add(a_repo(body=BODY))
    return Bench(service, root, data)


def storage(**named: Any) -> Fault:
    return Fault(r"^/repos/", on="storage", **named)


def changed(bench: Bench) -> None:
    """The owner has put another file there; the commit of the card still has the one that it speaks
    of.
    """
    repo = bench.service.repos[0]
    repo.older[repo.commit] = dict(repo.files)
    repo.commit, repo.files = "e" * 40, {**repo.files, "rain-fox.safetensors": OTHER}


def rewritten(bench: Bench) -> None:
    """The history was squashed; the file is the same."""
    bench.service.repos[0].commit = "e" * 40


def emptied(bench: Bench) -> None:
    bench.service.repos[0].commit = "e" * 40
    del bench.service.repos[0].files["rain-fox.safetensors"]


def granted(bench: Bench) -> None:
    bench.service.repos[0].stated["gated"] = "auto"
    bench.service.granted.add("somebody/rain-fox")


def replaced(bench: Bench) -> None:
    bench.service.repos[0].commit = "e" * 40
    bench.service.repos[0].files["rain-fox.safetensors"] = OTHER


@dataclass(frozen=True)
class Case:
    """`code` is that of the error, or its type; empty if the file is fetched."""

    name: str
    faults: tuple[Fault, ...] = ()
    code: str = ""
    before: Callable[[Bench], object] = lambda bench: None
    key: str = KEY


CASES = (
    Case("as it should be"),
    Case("without a key", key=""),
    Case("another file there now", before=changed),
    Case("a history that was rewritten", before=rewritten),
    Case("a file that was replaced", before=replaced, code="changed"),
    Case(
        "a repository that is gone",
        before=lambda bench: bench.service.repos.clear(),
        code="missing",
    ),
    Case("a file that is gone", before=emptied, code="missing"),
    Case("gated, and asked for", before=granted),
    Case(
        "gated",
        before=lambda bench: bench.service.repos[0].stated.update(gated="auto"),
        code="gated",
    ),
    Case(
        "gated, without a key",
        before=lambda bench: bench.service.repos[0].stated.update(gated="auto"),
        code="key_needed",
        key="",
    ),
    Case(
        "private",
        before=lambda bench: bench.service.repos[0].stated.update(private=True),
        code="missing",
    ),
    Case("a wrong key", before=lambda bench: bench.service.keys.clear(), code="key_refused"),
    Case(
        "unsafe",
        before=lambda bench: bench.service.repos[0].security.update(
            {"rain-fox.safetensors": "unsafe"}
        ),
        code="unsound",
    ),
    Case(
        "not scanned yet",
        before=lambda bench: bench.service.repos[0].security.update(
            {"rain-fox.safetensors": "queued"}
        ),
    ),
    Case("429 once", (Fault("paths-info", status=429, headers={"Retry-After": "0"}),)),
    Case("429 always", (Fault("paths-info", status=429, times=-1),), code="too_many"),
    Case("500 at the hub", (Fault("/resolve/", status=500, times=-1),), code="trouble"),
    Case("500 once", (Fault("/resolve/", status=500),)),
    Case("403 at the hub", (Fault("/resolve/", status=403),), code="forbidden"),
    Case("404 at the hub", (Fault("/resolve/", status=404),), code="missing"),
    Case(
        "a page in its place",
        (
            Fault(
                "/resolve/",
                status=200,
                body="<!DOCTYPE html><html>" + "x" * 99,
                headers={"Content-Type": "text/html"},
            ),
        ),
        "web_page",
    ),
    Case("403 at the storage once", (storage(status=403),)),
    Case("403 at the storage always", (storage(status=403, times=-1),), "storage"),
    Case(
        "another file at the storage",
        (storage(alter=lambda body: OTHER, times=-1),),
        "wrong_hash",
    ),
    Case(
        "half of it",
        (storage(alter=lambda body: body[: len(body) // 2], times=-1),),
        "damaged|wrong_hash|Unreachable",
    ),
    Case(
        "a pickle at the storage",
        (storage(alter=lambda body: b"\x80\x04" + body, times=-1),),
        "no_safetensors",
    ),
    Case("a break at the beginning", (storage(cut_at=5),)),
    Case("breaks everywhere", tuple(storage(cut_at=TOTAL * part // 5) for part in range(1, 5))),
    Case("an end too soon", (storage(end_at=TOTAL // 2),)),
    Case("a stall", (storage(stall_at=TOTAL // 2),)),
    Case(
        "another ETag after a break",
        (storage(cut_at=TOTAL // 2), storage(headers={"ETag": '"other"'})),
    ),
    Case("no ranges after a break", (storage(cut_at=TOTAL // 2), storage(whole=True))),
    Case("no length", (storage(chunked=True),)),
    Case(
        "a redirect inside",
        (Fault("/resolve/", status=302, headers={"Location": "file:///etc/passwd"}, times=-1),),
        "BadAnswer",
    ),
    Case(
        "a redirect in circles",
        (
            Fault(
                "/resolve/",
                status=302,
                headers={"Location": "/somebody/rain-fox/resolve/main/rain-fox.safetensors"},
                times=-1,
            ),
        ),
        "BadAnswer",
    ),
    Case(
        "nonsense about it",
        (
            Fault(
                "paths-info",
                status=200,
                body=[{"path": "rain-fox.safetensors", "lfs": {"oid": "x"}}],
                times=-1,
            ),
        ),
        code="missing",
    ),
    Case(
        "another hash about it",
        (
            Fault(
                "paths-info",
                status=200,
                body=[{"path": "rain-fox.safetensors", "lfs": {"oid": "a" * 64, "size": 5}}],
                times=-1,
            ),
        ),
        code="changed",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_the_file_is_fetched_or_an_error_says_why(
    bench: Bench, case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    card = bench.card()
    bench.key = case.key
    case.before(bench)
    bench.service.faults.add(*(replace(fault) for fault in case.faults))
    code = message = ""
    try:
        path = bench.fetch(card)
        assert path.name == "rain-fox.safetensors"
        assert path.read_bytes() == BODY
    except StylusError as error:
        code, message = getattr(error, "code", type(error).__name__), str(error)
    assert re.fullmatch(case.code, code), message or "the file came"
    bench.check(BODY)
    assert KEY not in caplog.text + message
    assert "X-Amz" not in caplog.text + message


def test_the_address_of_a_card_is_asked_at_the_origin_that_is_set(bench: Bench) -> None:
    card = bench.card()
    assert card.remote is not None
    assert card.remote.url.startswith("https://huggingface.co/")
    bench.fetch(card)
    assert bench.service.asked("/rain-fox.safetensors")


def test_a_file_of_no_name_is_kept_under_the_adapters(bench: Bench) -> None:
    bench.service.repos[0].files["pytorch_lora_weights.safetensors"] = bench.service.repos[
        0
    ].files.pop("rain-fox.safetensors")
    path = bench.fetch(bench.card())
    assert path.name == "rain fox.safetensors"
    assert not path.with_suffix(".civitai.info").exists()
    assert "rnfx" in path.with_suffix(".json").read_text("utf-8")


def test_cards_of_other_sources_are_refused(bench: Bench) -> None:
    assert not HubSource.has(make_card())
    assert HubSource.has(bench.card())
    with bench.hub() as (hub, _), pytest.raises(NotFetched) as caught:
        HubSource(hub).offer(make_card(), no_check)
    assert caught.value.code == "no_source"
    assert HubLocation.of("") is None
