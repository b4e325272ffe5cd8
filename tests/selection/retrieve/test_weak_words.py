"""Everyday prompts over the small catalogue, with the real encoder: what is found, what is picked,
and what is left alone.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from stylus_ext.catalogue.embedders.local import SentenceTransformerEmbedder
from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.composition import Composition
from stylus_ext.core.entry import VIEWS, embedded_text
from stylus_ext.core.ports import VectorItem
from stylus_ext.selection.compose.rules import RuleComposer
from stylus_ext.selection.lexical.catalogue import LexicalCatalogue
from tests.fakes import MemoryIndex, make_entry
from tests.selection.retrieve.house import House, catalogue, filling, query


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house whose vectors mean something."""
    folder = tmp_path_factory.mktemp("real")
    entries = [*catalogue(), *filling(60)]
    embedder, index, store = SentenceTransformerEmbedder(), MemoryIndex(), SqliteStore(folder)
    store.write(entries)
    for view in VIEWS:
        items = [VectorItem(entry.key, view, entry.family, "made") for entry in entries]
        index.write(items, embedder.embed([embedded_text(entry, view) for entry in entries]))
    yield House(folder, store, index, embedder)  # type: ignore[arg-type]
    store.close()


def plan(house: House, prompt: str) -> Composition:
    return RuleComposer().compose(query(prompt), house.find(prompt))


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("a railway engine made of shiny brown metal", "Copper Train"),
        ("a kettle for serving tea", "Teapot World"),
        ("stalls and lamps in the street after dark", "Night Market"),
        ("a sweater, a blanket and mittens of yarn", "Knitted Everything"),
        ("a lady in an elegant evening dress", "Velvet Gown"),
    ],
)
def test_the_same_meaning_in_other_words_comes_first(real: House, prompt: str, name: str) -> None:
    assert name in real.names(prompt)[:2]


@pytest.mark.parametrize(
    ("prompt", "names"),
    [
        (
            "1girl, mira vanthal, red scarf, goggles, airship, clouds",
            ["Mira Vanthal | Skyreach Saga"],
        ),
        ("inkwellstyle, castle, rain, monochrome", ["Inkwell Manga Style"]),
        ("masterpiece, best quality, knittedthing, cat, sofa, window", ["Knitted Everything"]),
    ],
)
def test_what_is_named_is_picked(real: House, prompt: str, names: list[str]) -> None:
    assert [pick.name for pick in plan(real, prompt).picks] == names


@pytest.mark.parametrize(
    "prompt",
    [
        "a zebra drinking at a river",
        "1girl, solo, smile, blue sky, white dress",
        "masterpiece, best quality, 8k",
        "two men shaking hands in an office",
        "score_9, score_8_up, rating_safe",
        "portrait of a young wizard with purple hair",
    ],
)
def test_where_nothing_fits_nothing_is_picked(real: House, prompt: str) -> None:
    assert plan(real, prompt).picks == ()


def test_a_character_is_not_taken_for_her_looks(real: House) -> None:
    prompt = "a pilot with a red scarf and goggles flying an airship"
    assert "Mira Vanthal | Skyreach Saga" in real.names(prompt)[:5]
    assert "Mira Vanthal | Skyreach Saga" not in [pick.name for pick in plan(real, prompt).picks]


def test_every_pick_and_every_miss_has_its_reason(real: House) -> None:
    composition = plan(real, "inkwellstyle, mira vanthal, teapot, copper train, night market")
    assert composition.picks
    assert all(pick.reason for pick in composition.picks)
    assert all(miss.reason for miss in composition.near_misses)
    assert not {pick.key for pick in composition.picks} & {
        miss.key for miss in composition.near_misses
    }


def test_many_may_ask_while_the_catalogue_changes(house: House) -> None:
    kept = LexicalCatalogue(house.store, house.folder / "lexical")
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            for _ in range(30):
                index = kept.current()
                assert len(index.card_scores(index.weigh(["teapot"]))) == len(index.alive)
        except BaseException as failure:  # noqa: BLE001
            failures.append(failure)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(20):
        house.add([make_entry(600 + number, f"Glass Heron {number}")])
    for thread in threads:
        thread.join()
    assert failures == []
    assert "civitai:619" in kept.current().rows
