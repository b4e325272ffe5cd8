"""Which adapters the user's pictures were made with: counts, order, filter, weights, pictures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.engine.stylus import Stylus
from tests.catalogue.sources.pictures.making import infotext, write_png
from tests.engine.test_operations import ask, stylus
from tests.lora_files import write_lora

__all__ = ["stylus"]


@pytest.fixture
def album(stylus: Stylus, tmp_path: Path) -> Path:
    """Pictures with two of three LoRAs, one of them chosen by Stylus."""
    for seed, stem in enumerate(("castle", "owl", "tram")):
        write_lora(tmp_path / "loras" / f"{stem}.safetensors", metadata={"a": "b"}, seed=seed)
    ask(stylus, "index", lora_dirs=[str(tmp_path / "loras")], hash=False)
    folder = tmp_path / "album"
    folder.mkdir()
    made = (
        ("a keep <lora:castle:0.7>", {"Seed": "1"}),
        ("a tower <lora:castle:0.7> <lora:owl>", {"Seed": "2"}),
        (
            "a moat <lora:castle:0.5>",
            {"Seed": "3", "Stylus": "0.2", "Stylus prompt": "a moat"},
        ),
    )
    for number, (prompt, parameters) in enumerate(made):
        path = write_png(folder / f"{number}.png", infotext(prompt, **parameters))
        os.utime(path, (1_700_000_000 + number,) * 2)
    write_png(folder / "copy of 0.png", infotext(made[0][0], **made[0][1]))
    return folder


def learn(stylus: Stylus, folder: Path) -> None:
    ask(stylus, "index", learn=[str(folder)], hash=False)


def used(stylus: Stylus) -> dict[str, int]:
    answer = ask(stylus, "browse", on_disk=True, order="used")
    return {entry["stem"]: entry["used"] for entry in answer["entries"]}


def counts(stylus: Stylus, **keep: Any) -> dict[str, Any]:
    found: dict[str, Any] = ask(stylus, "browse", counts=True, on_disk=True, **keep)["counts"]
    return found


def test_most_used_first_and_never_used_alone(stylus: Stylus, album: Path) -> None:
    assert counts(stylus)["unused"] == 0, "nothing is known before the pictures are read"
    learn(stylus, album)
    assert list(used(stylus).items()) == [("castle", 3), ("owl", 1), ("tram", 0)]
    assert counts(stylus)["unused"] == 1
    never = ask(stylus, "browse", on_disk=True, used=False)
    assert [entry["stem"] for entry in never["entries"]] == ["tram"]
    assert ask(stylus, "browse", on_disk=True, used=True)["total"] == 2


def test_a_second_reading_counts_nothing_twice_and_forgets_deleted_pictures(
    stylus: Stylus, album: Path
) -> None:
    learn(stylus, album)
    learn(stylus, album)
    assert used(stylus) == {"castle": 3, "owl": 1, "tram": 0}
    (album / "1.png").unlink()
    learn(stylus, album)
    assert used(stylus) == {"castle": 2, "tram": 0, "owl": 0}


def test_another_folder_adds_to_what_is_known(stylus: Stylus, album: Path, tmp_path: Path) -> None:
    learn(stylus, album)
    other = tmp_path / "album 2"
    other.mkdir()
    write_png(other / "x.png", infotext("rails <lora:tram:1>", Seed="9"))
    learn(stylus, other)
    assert used(stylus) == {"castle": 3, "owl": 1, "tram": 1}


def test_counts_survive_a_change_of_the_entry(stylus: Stylus, album: Path) -> None:
    learn(stylus, album)
    ask(stylus, "edit", key="castle", kind="building")
    assert used(stylus)["castle"] == 3
    key = stylus.catalogue.entry("castle").key
    owl = stylus.catalogue.entry("owl").key
    stylus.catalogue.store.unite(owl, key)
    assert used(stylus)["castle"] == 3, "the united adapter was in three pictures, in one twice"


def test_details_tell_weights_and_the_newest_pictures(stylus: Stylus, album: Path) -> None:
    learn(stylus, album)
    uses = ask(stylus, "show", key="castle")["entry"]["uses"]
    assert uses["pictures"] == 3
    assert uses["weights"] == [{"weight": 0.7, "pictures": 2}, {"weight": 0.5, "pictures": 1}]
    assert [Path(one["path"]).name for one in uses["newest"]][:2] == ["2.png", "1.png"]
    assert uses["newest"][0]["weight"] == 0.5
    unused = ask(stylus, "show", key="tram")["entry"]["uses"]
    assert unused == {"pictures": 0, "weights": [], "newest": []}
