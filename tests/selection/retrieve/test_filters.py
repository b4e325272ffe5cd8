from __future__ import annotations

from pathlib import Path

import pytest

from stylus_ext.core.card import LocalFile
from stylus_ext.core.composition import Candidate
from stylus_ext.core.entry import Edits, Entry
from stylus_ext.core.family import partly
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.selection.lexical import attributes
from stylus_ext.selection.lexical.index import LexicalIndex
from stylus_ext.selection.lexical.segment import FORMAT, build, load, save
from stylus_ext.selection.retrieve.filters import (
    MAX_OF_ONE_NAME,
    NEVER_USED,
    PARTIAL_FACTOR,
    Gate,
    diverse,
    is_explicit,
)
from tests.fakes import make_entry
from tests.selection.retrieve.house import query


def gate(*entries: Entry, prompt: str = "a fox", negative: str = "", **limits: object) -> Gate:
    return Gate.of(query(prompt, negative, None, **limits), LexicalIndex.of([build(entries)]))


@pytest.mark.parametrize(
    ("text", "explicit"),
    [
        ("a nude woman", True),
        ("NSFW, 1girl", True),
        ("a fox in the snow", False),
        ("sussex cockerel", False),
        ("", False),
    ],
)
def test_what_asks_for_nsfw(text: str, explicit: bool) -> None:
    assert is_explicit(parse_prompt(text)) is explicit


def test_relatives_pass_and_strangers_do_not() -> None:
    entries = [
        make_entry(number, family=family)
        for number, family in enumerate(("pony", "sdxl", "sd1", "unknown"), 1)
    ]
    closed = gate(*entries, family="pony")
    assert closed.open.tolist() == [True, False, False, False]
    assert closed.misfit(entries[1]).startswith(partly("sdxl", "pony"))
    found = gate(*entries, family="pony", partial=True)
    assert found.open.tolist() == [True, True, False, False]
    assert [found.factor(entry) for entry in entries[:2]] == [1.0, PARTIAL_FACTOR]
    assert found.misfit(entries[0]) == ""
    assert "SD 1.5" in found.misfit(entries[2])
    assert found.misfit(entries[3]) != ""


def test_any_family_lets_all_pass() -> None:
    entries = [make_entry(1, family="unknown"), make_entry(2, family="flux1")]
    found = gate(*entries)
    assert found.open.all()
    assert {found.factor(entry) for entry in entries} == {1.0}


def test_always_outweighs_veto_and_nsfw_but_never_is_never() -> None:
    wanted = make_entry(1, "Fox", nsfw=True, edits=Edits(state="always"))
    unwanted = make_entry(2, "Fox", edits=Edits(state="never"))
    found = gate(wanted, unwanted, negative="fox")
    assert found.refusal(wanted) == ""
    assert found.refusal(unwanted) == NEVER_USED


def test_a_file_on_disk_is_the_users_choice_however_few_the_images() -> None:
    here = make_entry(1, images=1, files=(LocalFile("fox.safetensors", "fox", 1, 1),))
    assert gate(here, make_entry(2, images=1), make_entry(3, images=None)).open.tolist() == [
        True,
        False,
        True,
    ]


def test_flags_of_an_entry() -> None:
    entry = make_entry(
        1, nsfw=True, weak=True, slider=True, kind="person", edits=Edits(state="always")
    )
    wanted = (
        attributes.ALWAYS
        | attributes.NSFW
        | attributes.WEAK
        | attributes.SLIDER
        | attributes.CHARACTER
    )
    assert attributes.flags_of(entry) == wanted
    assert attributes.flags_of(make_entry(1)) == attributes.STYLE


def test_three_of_one_name_and_one_of_a_model() -> None:
    same = [
        Candidate(make_entry(number, "Paper Crane v" + str(number), model_id=number), 10.0 - number)
        for number in range(1, 6)
    ]
    kept, aside = diverse(same)
    assert [candidate.entry.card.name for candidate in kept] == [
        f"Paper Crane v{number}" for number in range(1, MAX_OF_ONE_NAME + 1)
    ]
    assert len(aside) == 2
    pinned = Candidate(make_entry(9, "Paper Crane", model_id=1, edits=Edits(state="always")), 0.0)
    assert pinned in diverse([*same, pinned])[0]


def test_epochs_on_disk_are_one_model_without_any_number_of_it() -> None:
    files = ("qexo", "qexo-000004", "qexo_v2", "qexo2", "another")
    epochs = [
        Candidate(make_entry(number, name, source="local"), 10.0 - number)
        for number, name in enumerate(files, start=1)
    ]
    kept, aside = diverse(epochs)
    assert [candidate.entry.card.name for candidate in kept] == ["qexo", "qexo2", "another"]
    assert {miss.name for miss in aside} == {"qexo-000004", "qexo_v2"}
    assert all("'qexo'" in miss.reason for miss in aside)
    pinned = Candidate(
        make_entry(9, "qexo-000006", source="local", edits=Edits(state="always")), 0.0
    )
    assert pinned in diverse([*epochs, pinned])[0]


def test_nameless_adapters_are_not_one() -> None:
    kept, _ = diverse([Candidate(make_entry(number, "LoRA"), 1.0) for number in range(1, 3)])
    assert len(kept) == 2


class TestFiles:
    def test_what_is_saved_is_loaded(self, tmp_path: Path) -> None:
        segment = build(
            [make_entry(1, "Fox", triggers=("foxstyle",)), make_entry(2, "Owl", family="sdxl")]
        )
        save(segment, tmp_path / "lexical-1")
        again = load(tmp_path / "lexical-1")
        assert again is not None
        assert (again.keys, again.vocabulary) == (segment.keys, segment.vocabulary)
        assert again.label_columns == segment.label_columns
        for name in ("card", "examples", "phrases", "labels"):
            found, wanted = getattr(again, name), getattr(segment, name)
            assert found.shape == wanted.shape
            assert (found != wanted).nnz == 0

    def test_an_empty_one_too(self, tmp_path: Path) -> None:
        save(build([]), tmp_path / "lexical-1")
        again = load(tmp_path / "lexical-1")
        assert again is not None
        assert len(again.keys) == 0

    def test_another_format_is_not_read(self, tmp_path: Path) -> None:
        save(build([make_entry()]), tmp_path / "lexical-1")
        about = tmp_path / "lexical-1" / "segment.json"
        about.write_text(
            about.read_text("ascii").replace(f'"format": {FORMAT}', '"format": 99'), "ascii"
        )
        assert load(tmp_path / "lexical-1") is None
        assert load(tmp_path / "nowhere") is None

    def test_what_a_killed_writer_left_is_swept(self, tmp_path: Path) -> None:
        (tmp_path / ".lexical-1-abc-7.4242.part").mkdir()
        save(build([make_entry()]), tmp_path / "lexical-1")
        assert [path.name for path in tmp_path.iterdir()] == ["lexical-1"]
