"""A small world of LoRA files, told to the real catalogue as the real folder would tell it; no file
is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stylus_ext.catalogue.refine.rules import CardRefiner
from stylus_ext.catalogue.refresh import HashFiles, RefreshCatalogue
from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterCard, AdapterKey, Digests, LocalFile
from stylus_ext.core.entry import Entry
from stylus_ext.core.ports import Progress, Sighting
from tests.fakes import Watch, make_card

SIZES = (10, 10, 10, 20)
"""Of the contents that a file can have; most are of one size, as those of one trainer are."""
STARTED = (0, 1, 3)
"""The contents that the starter catalogue knows."""


def sha(content: int) -> AdapterKey:
    return AdapterKey.sha256(f"{content:x}" * 64)


def civitai(content: int) -> AdapterKey:
    return AdapterKey.civitai(70 + content)


def path_key(name: str) -> AdapterKey:
    return AdapterKey.path(f"{name}.safetensors")


def place(name: str) -> str:
    return f"/loras/{name}.safetensors"


def starter() -> list[Sighting]:
    return [
        Sighting(
            card=make_card(
                70 + content,
                f"Starter {content}",
                triggers=(f"starter{content}",),
                text=f"Draws foxes of kind {content}.",
                base_model=("SD 1.5", "SDXL 1.0", "Pony", "Flux.1 D")[content],
                equivalents=(sha(content),),
            )
        )
        for content in STARTED
    ]


@dataclass(frozen=True)
class Put:
    """What lies under a name: `stated` says whether a sidecar knows its hash; content 2 brings
    trigger words of its own.
    """

    content: int
    time: int
    stated: bool = False


@dataclass
class Shelf:
    """The folder, and the catalogue that is made of it."""

    home: Path
    files: dict[str, Put] = field(default_factory=dict)
    time: int = 0
    name: str = "a shelf"

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        self.store = SqliteStore(self.home)
        self.refresh = RefreshCatalogue(self.store, CardRefiner())
        self.hash = HashFiles(self.store, self.refresh, self.digest, nullcontext())

    def cards(self, known: Mapping[str, LocalFile], progress: Progress) -> Iterator[Sighting]:
        for name, put in self.files.items():
            before = known.get(place(name))
            if before is None or (before.size, before.mtime_ns) != (SIZES[put.content], put.time):
                yield self.sighting(name, put)

    def gone(self, known: Mapping[str, LocalFile]) -> list[str]:
        return [path for path in known if path not in map(place, self.files)]

    def sighting(self, name: str, put: Put, **changes: Any) -> Sighting:
        keys = [sha(put.content), path_key(name)] if put.stated else [path_key(name)]
        triggers = ("own2",) if put.content == 2 else ()
        card = make_card(
            name=name,
            key=keys[0],
            source="local",
            base_model="",
            triggers=triggers,
            equivalents=tuple(keys[1:]),
        )
        file = LocalFile(
            place(name),
            name,
            SIZES[put.content],
            put.time,
            sha(put.content).value if put.stated else None,
        )
        return Sighting(
            card=AdapterCard(**{**{f: getattr(card, f) for f in card.__slots__}, **changes}),
            file=file,
        )

    def put(self, name: str, content: int, *, stated: bool = False) -> None:
        self.time += 1
        self.files[name] = Put(content, self.time, stated)

    def index(self) -> None:
        self.refresh(self, Watch())

    def load_starter(self) -> None:
        self.refresh.take(starter())

    def learn_hashes(self) -> None:
        self.hash(Watch())

    def settle(self) -> None:
        self.index()
        self.load_starter()
        self.learn_hashes()

    def digest(self, file: LocalFile, progress: Progress) -> Digests | None:
        put = self.files.get(file.stem)
        return None if put is None else Digests(sha(put.content).value, "")

    def at(self, key: AdapterKey) -> Entry:
        return self.store.read([key])[key]

    def seen(self) -> dict[str, object]:
        """What is said of each file, and of each adapter of the starter catalogue."""
        keys = {
            **{name: path_key(name) for name in self.files},
            **{str(civitai(content)): civitai(content) for content in STARTED},
        }
        found = self.store.read(keys.values())
        return {name: _said(found[key]) if key in found else None for name, key in keys.items()}

    def edits(self) -> dict[str, object]:
        keys = {
            **{name: path_key(name) for name in self.files},
            **{str(civitai(content)): civitai(content) for content in STARTED},
        }
        found = self.store.read(keys.values())
        return {name: found[key].edits for name, key in keys.items() if key in found}


def _said(entry: Entry) -> object:
    named = {key for key in (entry.key, *entry.card.equivalents) if key.scheme != "path"}
    card = entry.card
    about = (
        card.name,
        card.triggers,
        card.text,
        card.base_model,
        card.examples,
        entry.family,
        entry.description.text,
    )
    return (
        named,
        sorted(file.path for file in entry.files),
        {file.sha256 for file in entry.files},
        about,
    )
