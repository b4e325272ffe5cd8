"""Corrections on the way through a plan, over a real store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterKey, LocalFile
from stylus_ext.core.entry import Edits
from stylus_ext.selection.correct import Corrections, KeptPick
from stylus_ext.selection.plan import PlanPrompt, PlanRequest
from stylus_ext.selection.retrieve.filters import NEVER_USED, NOT_ON_DISK, incompatible
from tests.fakes import make_entry
from tests.selection.test_plan import NameComposer, WordRetriever, settings

FOX, OTHER_FOX, TREE, FAR = map(AdapterKey.civitai, (1, 2, 3, 4))
DISK = {FOX: "fox_one", OTHER_FOX: "fox_two", TREE: "oak", FAR: "far"}
PROMPT = "a fox and a tree"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(tmp_path)
    made.write(
        [
            make_entry(1, "fox", triggers=("foxy",), kind="animal"),
            make_entry(2, "fox", kind="animal"),
            make_entry(3, "tree", kind="object"),
            make_entry(
                4,
                "zeppelin",
                kind="vehicle",
                family="sdxl",
                equivalents=(AdapterKey.path("far away"),),
            ),
            make_entry(5, "whale", files=(LocalFile("/l/whale.safetensors", "whale", 5, 1),)),
        ]
    )
    yield made
    made.close()


def prompt_of(
    store: SqliteStore, said: Corrections, prompt: str = PROMPT, **sections: dict[str, object]
) -> tuple[str, list[tuple[str, str]]]:
    """The prompt of the first batch, and codes and texts of the notes."""
    plan = PlanPrompt(store, lambda _: WordRetriever(store), lambda _: NameComposer())
    made = plan(PlanRequest(prompt, on_disk=DISK, corrections=said, settings=settings(**sections)))
    return made.prompts[0], [(note.code, note.text) for note in made.notes]


def test_without_corrections_nothing_is_another(store: SqliteStore) -> None:
    assert prompt_of(store, Corrections())[0].startswith("a fox and a tree, foxy <lora:fox_one:")


def test_a_rejected_one_is_gone_with_its_trigger_words(store: SqliteStore) -> None:
    assert (
        prompt_of(store, Corrections(reject=frozenset({FOX})))[0]
        == "a fox and a tree <lora:oak:0.8>"
    )


def test_a_swapped_one_is_followed_by_the_next_and_at_last_by_nothing(store: SqliteStore) -> None:
    assert (
        prompt_of(store, Corrections(swap=frozenset({FOX})))[0]
        == "a fox and a tree <lora:oak:0.75> <lora:fox_two:0.75>"
    )
    text, notes = prompt_of(store, Corrections(swap=frozenset({FOX, OTHER_FOX})))
    assert text == "a fox and a tree <lora:oak:0.8>"
    assert [code for code, _ in notes] == ["nothing_else"]
    assert "'fox'" in notes[0][1]


def test_a_kept_one_has_the_weight_that_was_said_whatever_the_strength(store: SqliteStore) -> None:
    said = Corrections(keep=(KeptPick(FAR, 0.2, 2), KeptPick(FOX, 0.35)))
    text, _ = prompt_of(store, said, weights={"strength": 0.5})
    assert text == "a fox and a tree, foxy <lora:fox_one:0.35> <lora:oak:0.4> <lora:far:0.2>"
    text, _ = prompt_of(store, Corrections(keep=(KeptPick(FAR, 0.2, 12),)))
    assert text == "a fox and a tree, foxy <lora:fox_one:0.8> <lora:far:0.2>"


def test_a_locked_set_is_used_alone_for_another_prompt_and_by_any_of_its_names(
    store: SqliteStore,
) -> None:
    said = Corrections(
        keep=(
            KeptPick(AdapterKey.path("far away"), 0.4, pinned=True),
            KeptPick(TREE, 0.3, pinned=True),
        ),
        only=True,
    )
    assert prompt_of(store, said, "rain") == ("rain <lora:far:0.4> <lora:oak:0.3>", [])
    assert prompt_of(store, said, "")[0] == ""


def test_nothing_is_left_when_all_is_rejected_and_that_is_said(store: SqliteStore) -> None:
    text, notes = prompt_of(store, Corrections(reject=frozenset({FOX, TREE})))
    assert (text, [code for code, _ in notes]) == (PROMPT, ["none_left"])


@pytest.mark.parametrize(
    ("key", "prompt", "reason"),
    [
        (
            AdapterKey.civitai(99),
            PROMPT,
            ("civitai:99", "catalogue"),
        ),
        (
            AdapterKey.civitai(5),
            PROMPT,
            ("whale", NOT_ON_DISK),
        ),
        (
            FAR,
            PROMPT,
            ("zeppelin", incompatible("sdxl", "sd1")),
        ),
    ],
)
def test_what_cannot_be_kept_is_told_with_its_reason(
    store: SqliteStore, key: AdapterKey, prompt: str, reason: tuple[str, str]
) -> None:
    _, notes = prompt_of(
        store, Corrections(keep=(KeptPick(key),)), prompt, selection={"family": "sd1"}
    )
    text = next(text for code, text in notes if code == "kept_left_out")
    assert all(part in text for part in reason)


def test_a_kept_one_that_stands_in_the_prompt_is_not_written_twice_and_nothing_is_said(
    store: SqliteStore,
) -> None:
    text, notes = prompt_of(
        store,
        Corrections(keep=(KeptPick(FOX), KeptPick(TREE)), only=True),
        "a fox and a tree <lora:fox_one:1>",
    )
    assert text == "a fox and a tree <lora:fox_one:1> <lora:oak:0.5>"
    assert notes == []


def test_a_banned_one_and_one_too_many_are_left_out(store: SqliteStore) -> None:
    store.edit(FAR, Edits(state="never"))
    text, notes = prompt_of(
        store,
        Corrections(keep=(KeptPick(FAR), KeptPick(FOX), KeptPick(TREE))),
        selection={"max_adapters": 1},
    )
    assert text == "a fox and a tree, foxy <lora:fox_one:0.8>"
    assert [code for code, _ in notes] == ["kept_left_out"] * 2
    assert "zeppelin" in notes[0][1]
    assert NEVER_USED in notes[0][1]
    assert "tree" in notes[1][1]
