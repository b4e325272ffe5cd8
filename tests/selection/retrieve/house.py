"""A small invented catalogue with a real store, and questions to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterKey, Example
from stylus_ext.core.composition import Candidates
from stylus_ext.core.entry import VIEWS, Entry, embedded_text
from stylus_ext.core.ports import Query, VectorItem
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.settings import Selection
from stylus_ext.selection.retrieve.retrievers import retriever_for
from tests.fakes import BagEmbedder, MemoryIndex, make_entry


def catalogue() -> list[Entry]:
    """Adapters of all kinds, none of which exists."""
    made: list[tuple[str, str, dict[str, Any]]] = [
        (
            "Inkwell Manga Style",
            "Draws in heavy black ink like an old manga page.",
            {"triggers": ("inkwellstyle",), "tags": ("style", "manga")},
        ),
        (
            "Mira Vanthal | Skyreach Saga",
            "Draws Mira Vanthal, the pilot of Skyreach.",
            {
                "kind": "character",
                "triggers": ("mira vanthal", "red scarf, goggles"),
                "tags": ("character", "skyreach"),
            },
        ),
        (
            "Copper Train",
            "Draws steam trains of polished copper.",
            {"kind": "vehicle", "tags": ("train", "steampunk")},
        ),
        ("Teapot World", "Draws teapots of every shape.", {"kind": "object", "tags": ("teapot",)}),
        (
            "Knitted Everything",
            "Makes all things out of knitted wool.",
            {"kind": "concept", "triggers": ("knittedthing",)},
        ),
        (
            "Night Market",
            "A street market at night with lanterns.",
            {"kind": "background", "tags": ("market", "night", "lanterns")},
        ),
        (
            "Fern",
            "Draws Fern, a mage with purple hair.",
            {"kind": "character", "triggers": ("fern",), "tags": ("character", "mage")},
        ),
        (
            "Grainy Film",
            "Old film look.",
            {
                "triggers": ("grainyfilm",),
                "examples": (Example("a lonely pier at dawn, grainyfilm, fog"),),
            },
        ),
        ("Muscle Slider", "More or less muscle.", {"kind": "concept", "slider": True}),
        (
            "Quick LCM",
            "Four steps are enough.",
            {"kind": "concept", "speed": True, "tags": ("lcm",)},
        ),
        ("Velvet Gown", "A long gown of velvet.", {"kind": "clothing", "tags": ("gown", "dress")}),
    ]
    return [
        make_entry(number, name, text, model_id=100 + number, **more)
        for number, (name, text, more) in enumerate(made, 1)
    ]


def filling(count: int, start: int = 1000) -> list[Entry]:
    """Entries that answer to nothing that is asked here, so that words have a rarity."""
    nouns = "quarry walnut ledger anvil turbine cello lagoon badger thimble orchid gasket parlor".split()  # noqa: E501
    return [
        make_entry(
            start + number,
            f"{nouns[number % 12]} {nouns[(number // 12 + 5) % 12]} {number}",
            f"Draws a {nouns[number % 12]} beside a {nouns[(number // 7) % 12]}.",
            kind="object",
            model_id=start + number,
        )
        for number in range(count)
    ]


@dataclass
class House:
    """Store, index and encoder over one folder."""

    folder: Path
    store: SqliteStore
    index: MemoryIndex
    embedder: BagEmbedder

    def add(self, entries: Iterable[Entry]) -> None:
        entries = list(entries)
        self.store.write(entries)
        for view in VIEWS:
            vectors = self.embedder.embed([embedded_text(entry, view) for entry in entries])
            self.index.write(
                [VectorItem(entry.key, view, entry.family, "made") for entry in entries], vectors
            )

    def find(
        self,
        prompt: str,
        negative: str = "",
        policy: str = "hybrid",
        only: frozenset[AdapterKey] | None = None,
        **limits: Any,
    ) -> Candidates:
        return retriever_for(self.store, self.index, self.embedder, self.folder / "lexical")(
            policy
        ).find(query(prompt, negative, only, **limits))

    def names(self, prompt: str, **more: Any) -> list[str]:
        return [candidate.entry.card.name for candidate in self.find(prompt, **more).found]


def query(
    prompt: str, negative: str = "", only: frozenset[AdapterKey] | None = None, **limits: Any
) -> Query:
    return Query(parse_prompt(prompt), parse_prompt(negative), replace(Selection(), **limits), only)


def open_house(folder: Path, entries: Iterable[Entry]) -> House:
    folder.mkdir(parents=True, exist_ok=True)
    house = House(folder, SqliteStore(folder), MemoryIndex(), BagEmbedder(dimensions=256))
    house.add(entries)
    return house
