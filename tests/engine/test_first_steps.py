"""The first steps of a new user: their states by what is there, and what is remembered."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylus_ext.core.errors import InvalidInput
from stylus_ext.engine.first_steps import CATALOGUE_MODELS, FirstSteps
from stylus_ext.engine.stylus import Stylus
from tests.engine.test_operations import ask, stylus
from tests.fakes import make_entry
from tests.lora_files import write_lora

__all__ = ["stylus"]


def states(stylus: Stylus, **payload: object) -> dict[str, str]:
    return {step["name"]: step["state"] for step in ask(stylus, "first_steps", **payload)["steps"]}


def counts(stylus: Stylus) -> dict[str, int | None]:
    return {step["name"]: step["count"] for step in ask(stylus, "first_steps")["steps"]}


def test_a_new_user_has_everything_to_do(stylus: Stylus) -> None:
    assert list(states(stylus)) == ["read", "identify", "learn", "catalogue", "language_model"]
    assert set(states(stylus).values()) == {"to_do"}


def test_reading_is_done_also_where_no_file_is_found(stylus: Stylus, tmp_path: Path) -> None:
    (tmp_path / "loras").mkdir()
    ask(stylus, "index", lora_dirs=[str(tmp_path / "loras")])
    assert states(stylus)["read"] == "done"
    assert counts(stylus)["read"] == 0
    assert states(stylus)["identify"] == "to_do"
    write_lora(tmp_path / "loras" / "zz17.safetensors")
    ask(stylus, "index", lora_dirs=[str(tmp_path / "loras")])
    assert counts(stylus)["read"] == counts(stylus)["identify"] == 1


def test_learning_is_done_whatever_was_found(stylus: Stylus, tmp_path: Path) -> None:
    ask(stylus, "index", learn=[str(tmp_path)])
    assert (states(stylus)["learn"], counts(stylus)["learn"]) == ("done", 0)
    assert states(stylus)["read"] == "to_do"


def test_files_that_came_after_the_last_question_are_to_be_identified(
    stylus: Stylus, tmp_path: Path
) -> None:
    write_lora(tmp_path / "loras" / "zz17.safetensors", seed=1)
    ask(stylus, "index", lora_dirs=[str(tmp_path / "loras")])
    assert states(stylus)["identify"] == "to_do"
    stylus.first_steps.finish("identify", 1)  # asked, and unknown there
    assert states(stylus)["identify"] == "done"
    write_lora(tmp_path / "loras" / "zz18.safetensors", seed=2)
    ask(stylus, "index", lora_dirs=[str(tmp_path / "loras")])
    assert states(stylus)["identify"] == "to_do"


def test_a_large_catalogue_counts_without_a_memory_of_how_it_came(stylus: Stylus) -> None:
    stylus.catalogue.store.write(
        [make_entry(number, f"Many {number}") for number in range(10, 10 + CATALOGUE_MODELS)]
    )
    assert states(stylus)["catalogue"] == "done"


def test_skipped_steps_are_remembered_and_can_be_taken_up_again(stylus: Stylus) -> None:
    assert states(stylus, skip=["learn", "language_model"])["learn"] == "skipped"
    assert FirstSteps(stylus.folder).skipped() == ["learn", "language_model"]
    assert states(stylus)["language_model"] == "skipped"
    assert states(stylus, skip=[])["learn"] == "to_do"
    with pytest.raises(InvalidInput):
        ask(stylus, "first_steps", skip=["everything"])


def test_a_skipped_step_that_is_done_is_done(stylus: Stylus, tmp_path: Path) -> None:
    states(stylus, skip=["learn"])
    ask(stylus, "index", learn=[str(tmp_path)])
    assert states(stylus)["learn"] == "done"


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'{"skipped": 1, "finished": [2]}'])
def test_an_unreadable_file_counts_as_empty(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "first_steps.json").write_bytes(content)
    steps = FirstSteps(tmp_path)
    assert (steps.skipped(), steps.finished()) == ([], {})
    steps.finish("learn", 3)
    steps.skip(["read"])
    assert (steps.skipped(), steps.finished()) == (["read"], {"learn": 3})
